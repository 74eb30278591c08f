"""Turn texts into vectors whose cosine says how alike they are: by their words, or by an installed encoder."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from itertools import chain, pairwise
from pathlib import Path
from typing import Protocol
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from overproof.core import scripts
from overproof.core.errors import MissingExtra, UserError

Rows = NDArray[np.float32] | csr_array
"""One vector a text, shape (texts, width), of length 1; or 0 where there is nothing to go by."""

WORDS = "words"
"""The embedder that needs no encoder."""
WIDTH = 2**20
"""Columns that words and their pieces are hashed into: two seldom share one."""
PIECE = 4
"""Characters in a piece of a word."""
LONGEST = 40
"""Characters of a word that are looked at; what is longer is a blob, not a word."""

_UNSPACED = scripts.UNSPACED + scripts.EMOJI
_SPELLED = f"\\w{scripts.INDIC}"
_RUNS = re.compile(f"[{_UNSPACED}]+|(?:(?![{_UNSPACED}])[{_SPELLED}])+").findall
_MARKS = re.compile(f"[{scripts.MARKS}]+")
_NUMBER = re.compile(r"\d+")
_unspaced = re.compile(f"[{_UNSPACED}]").match


class Embedder(Protocol):
    """Turns texts into vectors; the same text always into the same one."""

    def embed(self, texts: Sequence[str]) -> Rows:
        """Return one row for each of `texts`."""


def embedder(name: str, texts: Sequence[str], encoders: Path | None) -> Embedder:
    """Return the embedder called `name`: `words`, weighted as they are common in `texts`, or an encoder's name.

    `encoders` is the folder of the installed encoders.

    Raises:
        UserError: no such encoder is installed.
        MissingExtra: it takes packages that are not installed.
    """
    if name == WORDS:
        return Words.learn(texts)
    if encoders is None:
        raise UserError(f"the embedder {name!r} is an encoder, and no folder of installed encoders was given")
    from overproof.models.encoders.runtime import Encoder
    from overproof.models.encoders.store import find

    return Encoder.open(find(encoders, name))


def check(name: str, encoders: Path) -> None:
    """Raise what `embedder` would for want of something, without opening it."""
    if name == WORDS:
        return
    if any(find_spec(package) is None for package in ("onnxruntime", "tokenizers")):
        raise MissingExtra("encoder", f"the embedder {name!r}")
    from overproof.models.encoders.store import find

    find(encoders, name)


class Words:
    """A text is a bag of words and of pieces of words, each hashed to a column: any language, nothing to install.

    A count weighs 1 + ln(count). A column weighs the square root of its inverse document frequency, so that in the
    product of two rows it counts once; without `learn` all weigh the same. Case, accents, vowel points and the digits
    of a number are folded away; scripts written without spaces are read as single characters and pairs.
    """

    def __init__(self, weights: NDArray[np.float32] | None = None) -> None:
        """Take the weight of each column, shape (WIDTH,)."""
        self._weights = weights

    @classmethod
    def learn(cls, texts: Sequence[str]) -> Words:
        """Return the embedder that counts a column the less, the more of `texts` it stands in."""
        holding = np.bincount(_counts(texts).indices, minlength=WIDTH)
        rarity = np.log((1 + len(texts)) / (1 + holding)) + 1
        return cls(np.sqrt(rarity).astype(np.float32))

    def embed(self, texts: Sequence[str]) -> csr_array:
        """Return one row of length 1 for each of `texts`; of length 0 where there is no letter, digit or emoji."""
        rows = _counts(texts)
        rows.data = 1 + np.log(rows.data)
        if self._weights is not None:
            rows.data *= self._weights[rows.indices]
        sizes = np.diff(rows.indptr)
        squares = np.bincount(np.repeat(np.arange(len(sizes)), sizes), rows.data**2, len(sizes))
        rows.data /= np.repeat(np.sqrt(squares).astype(np.float32), sizes)
        return rows


def _counts(texts: Sequence[str]) -> csr_array:
    """Return how often each text holds each column, shape (texts, WIDTH)."""
    columns = [[column for run in _runs(text) for column in _columns(run)] for text in texts]
    ends = np.cumsum([0, *map(len, columns)])
    flat = np.fromiter(chain.from_iterable(columns), np.int32, ends[-1])
    counts = csr_array((np.ones(len(flat), np.float32), flat, ends.astype(np.int32)), shape=(len(texts), WIDTH))
    counts.sum_duplicates()
    return counts


def _runs(text: str) -> list[str]:
    folded = text.lower() if text.isascii() else _MARKS.sub("", unicodedata.normalize("NFKD", text)).casefold()
    return list(_RUNS(_NUMBER.sub("0", folded)))


@lru_cache(maxsize=2**16)
def _columns(run: str) -> tuple[int, ...]:
    """Return the columns of a word and its pieces; of a run without spaces, those of its characters and pairs."""
    if _unspaced(run):
        return (*map(_column, run), *map(_column, map("".join, pairwise(run))))
    framed = f"<{run[:LONGEST]}>"
    pieces = dict.fromkeys(framed[at : at + PIECE] for at in range(max(1, len(framed) - PIECE + 1)))
    return (_column(run), *(_column(piece, 1) for piece in pieces))  # a piece is no word, though it may spell one


def _column(part: str, seed: int = 0) -> int:
    return crc32(part.encode("utf-8", "surrogatepass"), seed) % WIDTH
