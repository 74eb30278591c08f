"""What an encoder's tokens, and pairs of them, say by themselves: rows of logits, added up. Needs no BLAS."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Known:
    """Finds the tokens of a text, and the pairs of them in a row, that have a row in a table."""

    def __init__(self, singles: Iterable[int], pairs: Iterable[tuple[int, int]]) -> None:
        """Take the tokens and pairs in the order of their rows."""
        self._row: dict[object, int] = {each: row for row, each in enumerate(chain(singles, pairs))}

    def rows(self, ids: Sequence[int]) -> list[int]:
        """Return the rows of the known among the tokens `ids`, then of their known pairs, each once and in order."""
        found = dict.fromkeys(map(self._row.get, chain(ids, pairwise(ids))))
        found.pop(None, None)
        return list(found)  # type: ignore[arg-type]  # None, the row of what is not known, was taken out


class Table(NamedTuple):
    """Rows of tokens, then rows of pairs."""

    said: NDArray[np.float16]
    """Part of the logits, shape (rows, labels), before the temperature."""
    squared: Floats
    """Shape (rows,): how much each adds to the squared length of a text."""
    singles: NDArray[np.int32]
    """The tokens."""
    pairs: NDArray[np.int32]
    """Shape (pairs, 2): first and second token."""


class TokenTable:
    """Reads a text as its tokens and pairs. It never changes, so any thread may ask."""

    def __init__(self, table: Table, temperature: float) -> None:
        """Lay out the rows: a part of the tempered logits, then of the squared length of the text."""
        self.table = table
        self._known = Known(table.singles.tolist(), map(tuple, table.pairs.tolist()))
        self._rows = np.empty((len(table.squared), table.said.shape[1] + 1), dtype=np.float32)
        np.divide(table.said, np.float32(temperature), out=self._rows[:, :-1])
        self._rows[:, -1] = table.squared

    def logits(self, ids: Sequence[int]) -> Floats:
        """Return what the tokens `ids` of a text say together, shape (labels,): their sum for a text of length 1."""
        rows = np.array(self._known.rows(ids), dtype=np.intp)
        total: Floats = np.add.reduce(self._rows.take(rows, axis=0), axis=0)
        squared = float(total[-1])
        logits = total[:-1]
        if squared > 0:
            logits *= np.float32(1 / sqrt(squared))
        return logits
