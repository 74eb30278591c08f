"""Cut a text into words, and a word into pieces. Training and serving both come here, so they cannot disagree.

Nothing knows a language: case, accents, vowel points and the digits of a number are folded away, scripts written
without spaces are cut into single characters, and an emoji is a word.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST = 40
"""Characters of a word that are cut into pieces; what is longer is a blob, not a word."""

# Combining accents, and the vowel points that Hebrew and Arabic readers leave out.
_MARKS = re.compile("[\u0300-\u036f\u0591-\u05bd\u064b-\u065f\u0670]+")
# Emoji, kana, Han, Thai, Lao, Burmese and Khmer: each character is a word, runs of words do the rest.
_UNSPACED = re.compile(
    "[\u2600-\u27bf\U0001f300-\U0001faff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]"
)
# \w leaves out the vowel signs of the Indic and South-East Asian scripts, and emoji.
_WORDS = re.compile(
    "[\\w\u0900-\u0dff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2600-\u27bf\U0001f300-\U0001faff]+"
).findall
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
