"""Tokens and pairs of tokens as features, beside dense ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from overproof.models.encoders.tokens import cutter
from overproof.students.dense import Dense
from overproof.students.softmax import Floats, Matrix, bags
from overproof.students.token_table import Known

Cut = Callable[[str], Sequence[int]]
"""Returns the tokens of a text."""
PAIR = 0.8
"""Weight of a pair of tokens beside a token: it says again what its tokens say. Chosen on a division of Banking77's
training data, where the optimum is flat."""
TWICE = 2
"""Training texts that must hold a pair."""


class Counted(NamedTuple):
    """Tokens and pairs that have a row, and how much each counts."""

    cut: Cut
    known: Known
    singles: NDArray[np.int32]
    pairs: NDArray[np.int32]
    """Shape (pairs, 2)."""
    rarity: Floats
    """Shape (rows,): inverse document frequency, 1 on average over the tokens that training holds."""
    seen: NDArray[np.bool_]
    """Shape (rows,): whether training holds it."""

    @property
    def own(self) -> Floats:
        """Return how much each counts by itself, shape (rows,): what training never held says nothing."""
        kind = np.where(np.arange(len(self.rarity)) < len(self.singles), 1, PAIR)
        return np.where(self.seen, self.rarity * kind, 0).astype(np.float32)

    def rows(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the rows of each text."""
        return [self.known.rows(self.cut(text)) for text in texts]


def count(words: bytes, texts: Sequence[str], *, pairs: bool, also: Collection[int] = ()) -> Counted:
    """Return the tokens of `texts` and `also` others, and if asked the `pairs` that `TWICE` of the texts hold.

    `words` is the `tokenizer.json` that cuts texts.
    """
    whole = cutter(words)

    def cut(text: str) -> Sequence[int]:
        return whole(text).ids

    held: Counter[int] = Counter()
    beside: Counter[tuple[int, int]] = Counter()
    for text in texts:
        ids = cut(text)
        held.update(set(ids))
        if pairs:
            beside.update(set(pairwise(ids)))
    singles = sorted({*held, *also})
    kept = sorted(pair for pair, times in beside.items() if times >= TWICE)
    times = np.array([*(held[token] for token in singles), *(beside[pair] for pair in kept)], dtype=np.float64)
    rarity = np.log((1 + len(texts)) / (1 + times)) + 1
    usual = rarity[: len(singles)][times[: len(singles)] > 0]
    return Counted(
        cut,
        Known(singles, kept),
        np.array(singles, dtype=np.int32),
        np.array(kept, dtype=np.int32).reshape(-1, 2),
        (rarity / (usual.mean() if len(usual) else 1)).astype(np.float32),
        times > 0,
    )


def shares(rows: Sequence[Sequence[int]], squared: Floats) -> Matrix:
    """Return texts as bags of rows, each divided by the text's length: the square root of the sum of `squared`."""
    held = bags(rows, len(squared))
    length = np.sqrt(held @ squared)
    per_text = np.divide(1, length, out=np.zeros_like(length), where=length > 0)
    return sparse.csr_array(held * per_text[:, None])


class Joined:
    """Dense features beside sparse ones (`softmax.Features`)."""

    def __init__(self, dense: Dense, rows: Matrix) -> None:
        self._dense, self._rows, self._columns = dense, rows, rows.T.tocsr()

    @property
    def width(self) -> int:
        """Return the number of features."""
        return self._dense.width + self._rows.shape[1]

    def logits(self, weights: Floats) -> Floats:
        """Return shape (texts, labels) for `weights` of shape (width + 1, labels); the last row is the bias."""
        dense = self._dense.width
        found = self._dense.logits(np.concatenate([weights[:dense], weights[-1:]]))
        found += self._rows @ weights[dense:-1]
        return found

    def slope(self, blame: Floats) -> Floats:
        """Return the slope by `weights`, given `blame`: the slope by `logits`."""
        dense = self._dense.slope(blame)
        return np.concatenate([dense[:-1], self._columns @ blame, dense[-1:]])
