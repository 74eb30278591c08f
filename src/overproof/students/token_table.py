"""What an encoder's tokens, and pairs of them, say by themselves: rows of logits, added up. Needs no BLAS."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, pairwise
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from overproof.models.encoders.tokens import tokenizer, valid

Floats = NDArray[np.float32]


class Tokens:
    """Cuts texts into an encoder's tokens, and finds those, and those pairs in a row, that have a row in a table."""

    def __init__(self, words: bytes, singles: Iterable[int] = (), pairs: Iterable[tuple[int, int]] = ()) -> None:
        """Take a `tokenizer.json`, and the tokens and pairs in the order of their rows."""
        self.json = words
        self._encode = tokenizer(words).encode
        self._row: dict[object, int] = {each: row for row, each in enumerate(chain(singles, pairs))}

    def ids(self, text: str) -> list[int]:
        """Return the tokens of `text`, in order."""
        found: list[int] = self._encode(valid(text), add_special_tokens=False).ids
        return found

    def rows(self, text: str) -> list[int]:
        """Return the rows of the known tokens of `text`, then of its known pairs, each once and in order."""
        ids = self.ids(text)
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

    def __init__(self, words: bytes, table: Table, temperature: float) -> None:
        """Lay out the rows: a part of the tempered logits, then of the squared length of the text."""
        self.table = table
        self.tokens = Tokens(words, table.singles.tolist(), map(tuple, table.pairs.tolist()))
        self._rows = np.empty((len(table.squared), table.said.shape[1] + 1), dtype=np.float32)
        np.divide(table.said, np.float32(temperature), out=self._rows[:, :-1])
        self._rows[:, -1] = table.squared

    def logits(self, text: str) -> Floats:
        """Return what the tokens of `text` say together, shape (labels,): their sum for a text of length 1."""
        rows = np.array(self.tokens.rows(text), dtype=np.intp)
        total: Floats = np.add.reduce(self._rows.take(rows, axis=0), axis=0)
        squared = float(total[-1])
        logits = total[:-1]
        if squared > 0:
            logits *= np.float32(1 / sqrt(squared))
        return logits
