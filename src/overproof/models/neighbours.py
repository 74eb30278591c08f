"""Find the nearest neighbours of a vector by cosine: all are looked at, a block at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse

from overproof.models.embed import Rows

CELLS = 2**22
"""Similarities held at once: a bound on memory (about 100 MB), whatever the number of queries."""
GRADES = 2**20
"""Steps that a similarity of 1 is measured in: finer differences are the arithmetic's, not the texts'."""
_PLACES = np.int64(32)
"""Bits that hold a place."""


class Near(NamedTuple):
    """The nearest of each query, most similar first."""

    places: NDArray[np.int64]
    """Rows of the index, shape (queries, k)."""
    similarity: NDArray[np.float64]
    """Their cosines, of the same shape, in [-1, 1], to a millionth."""


class Neighbours:
    """Vectors to look among. Of equally similar ones the earlier comes first: order them by id, and ties are by id."""

    def __init__(self, rows: Rows) -> None:
        """Take vectors of length 1 (or 0, which nothing is similar to), shape (items, width)."""
        self._items = int(rows.shape[0])
        self._columns = csr_array(rows.T) if issparse(rows) else np.ascontiguousarray(rows.T)

    def __len__(self) -> int:
        return self._items

    def nearest(self, queries: Rows, k: int) -> Near:
        """Return the `k` nearest of each of `queries`, shape (queries, width); all there are when they are fewer."""
        k = min(k, self._items)
        step = max(1, CELLS // max(1, self._items))
        blocks = [self._block(queries[start : start + step], k) for start in range(0, int(queries.shape[0]), step)]
        best = np.concatenate([np.empty((0, k), np.int64), *blocks])
        grades = -(-best >> _PLACES)
        return Near((grades << _PLACES) - best, np.clip(grades / GRADES, -1, 1))

    def _block(self, queries: Rows, k: int) -> NDArray[np.int64]:
        """Return the best keys of each query, best first: a key is a grade, then the place, the first highest."""
        scores = queries @ self._columns
        scores = scores.toarray() if issparse(scores) else scores
        keys: NDArray[np.int64] = np.rint(scores * GRADES).astype(np.int64)
        keys <<= _PLACES
        keys -= np.arange(self._items)
        worst = self._items - k
        if 0 < worst < self._items:
            keys.partition(worst, axis=1)
        best = keys[:, worst:].copy()  # not a view, which would keep the whole block
        best.sort(axis=1)
        return best[:, ::-1]
