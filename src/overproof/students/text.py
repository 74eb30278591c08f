"""Cut a text into words, and a word into pieces. Training and serving both come here, so they cannot disagree.

Nothing knows a language: case, accents, vowel points and the digits of a number are folded away, scripts written
without spaces are cut into single characters, and an emoji is a word.
"""

from __future__ import annotations

import re
import unicodedata

from overproof.core import scripts

LONGEST = 40
"""Characters of a word that are cut into pieces; what is longer is a blob, not a word."""

_MARKS = re.compile(f"[{scripts.MARKS}]+")
_UNSPACED = re.compile(f"[{scripts.UNSPACED}{scripts.EMOJI}]")  # runs of words do the rest
_WORDS = re.compile(f"[\\w{scripts.INDIC}{scripts.SOUTH_EAST_ASIAN}{scripts.EMOJI}]+").findall
_NUMBER = re.compile(r"\d+")


def words(text: str) -> list[str]:
    """Return the words of `text` in their order, folded; a number is "0"."""
    folded = text.lower() if text.isascii() else _fold(text)
    return _WORDS(_NUMBER.sub("0", folded))


def pieces(word: str, sizes: tuple[int, int]) -> list[str]:
    """Return the distinct character n-grams of `word`, its start and end marked, of `sizes` (least, most)."""
    framed = f"<{word[:LONGEST]}>"
    least, most = sizes
    return list(
        dict.fromkeys(framed[at : at + size] for size in range(least, most + 1) for at in range(len(framed) - size + 1))
    )


def _fold(text: str) -> str:
    bare = _MARKS.sub("", unicodedata.normalize("NFKD", text))
    return _UNSPACED.sub(r" \g<0> ", unicodedata.normalize("NFC", bare).casefold())
