"""A fitted static student: an encoder's tokenizer, and one row of a table for each token."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from overproof.models.encoders.tokens import cutter
from overproof.students.chances import chances, top
from overproof.students.sealed import Sealed, arrays, pack, readable, seal, unseal
from overproof.students.token_table import Floats, Table, TokenTable

TENSORS, TOKENIZER, RECORD = "static.safetensors", "tokenizer.json", "static.json"


class Saved(Sealed):
    """All of a saved student that is neither array nor tokenizer."""

    labels: tuple[str, ...]
    temperature: float
    model: str
    """The encoder it was distilled from."""


class StaticStudent:
    """Answers with the sum of what its tokens and pairs say. It never changes, so any thread may ask."""

    def __init__(
        self,
        *,
        labels: tuple[str, ...],
        words: bytes,
        table: Table,
        bias: Floats,
        seen: NDArray[np.bool_],
        temperature: float,
        model: str,
    ) -> None:
        """Lay out the table.

        Args:
            labels: what it can answer.
            words: the `tokenizer.json`.
            table: what tokens and pairs say; kept, saved and used in half precision.
            bias: shape (labels,); -inf for a label that was never seen.
            seen: shape (tokens of the table,), whether training held the token.
            temperature: what the logits are divided by.
            model: the encoder it was distilled from.
        """
        self.labels = labels
        self._words, self._bias, self._seen = words, bias, seen
        self._cut, self._rows = cutter(words), TokenTable(table, temperature)
        self._known = frozenset(table.singles[seen].tolist())
        self._cold_bias = (bias / np.float32(temperature)).astype(np.float32)
        self._saved = Saved(labels=labels, temperature=temperature, model=model)

    def probabilities(self, inputs: Sequence[str]) -> Floats:
        """Return the chance of each label, shape (inputs, labels), rows summing to 1, temperature applied."""
        logits = np.empty((len(inputs), len(self.labels)), dtype=np.float32)
        for row, text in enumerate(inputs):
            logits[row] = self._logits(text)
        return chances(logits)

    def predict_one(self, text: str) -> tuple[str, float]:
        """Return the likeliest label of one text and its chance: `probabilities`, without the other chances."""
        best, chance = top(self._logits(text))
        return self.labels[best], chance

    def novelty(self, inputs: Sequence[str]) -> Floats:
        """Return the share of each text's distinct tokens that training never held; 1 where there is no token."""
        return np.array([self._newness(text) for text in inputs], dtype=np.float32)

    def _newness(self, text: str) -> float:
        found = set(self._cut(text).ids)
        return len(found - self._known) / len(found) if found else 1.0

    def _logits(self, text: str) -> Floats:
        logits = self._rows.logits(self._cut(text).ids)
        logits += self._cold_bias
        return logits

    @property
    def size_bytes(self) -> int:
        """Return the bytes it takes on disk."""
        return sum(map(len, self._files.values()))

    def save(self, folder: Path) -> None:
        """Write `static.safetensors`, `tokenizer.json` and `static.json` into `folder`, which is made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in self._files.items():
            (folder / name).write_bytes(data)

    @cached_property
    def _files(self) -> dict[str, bytes]:
        tensors = pack({**self._rows.table._asdict(), "bias": self._bias, "seen": self._seen})
        return {TENSORS: tensors, TOKENIZER: self._words, RECORD: seal(self._saved, [tensors, self._words])}


def load(folder: Path) -> StaticStudent:
    """Return the student saved in `folder`: it answers exactly as the one that was saved.

    Raises:
        ReleaseCorrupt: a file is missing, damaged or of another student.
    """
    saved, (tensors, words) = unseal(folder, RECORD, Saved, [TENSORS, TOKENIZER])
    *table, bias, seen = arrays(folder / TENSORS, tensors, *Table._fields, "bias", "seen")
    with readable(folder / TOKENIZER):
        return StaticStudent(
            labels=saved.labels,
            words=words,
            table=Table(*table),
            bias=bias,
            seen=seen,
            temperature=saved.temperature,
            model=saved.model,
        )
