"""A fitted linear student: reads a text by adding up rows of a table. Needs numpy alone, and no BLAS."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from overproof.students.chances import chances, top
from overproof.students.lexicon import Lexicon
from overproof.students.sealed import Sealed, arrays, pack, seal, unseal
from overproof.students.text import words

Floats = NDArray[np.float32]

TENSORS, VOCABULARY = "linear.safetensors", "linear.json"


class Vocabulary(Sealed):
    """All of a saved student that is not a weight."""

    labels: tuple[str, ...]
    temperature: float
    longest: int
    """Words in the longest run."""
    characters: tuple[int, int] | None
    runs: tuple[str, ...]
    pieces: tuple[str, ...]


class LinearStudent:
    """Answers with the sum of what its words, runs and pieces say. It never changes, so any thread may ask."""

    def __init__(
        self,
        *,
        labels: tuple[str, ...],
        lexicon: Lexicon,
        weights: NDArray[np.floating],
        scale: Floats,
        bias: Floats,
        temperature: float,
    ) -> None:
        """Lay out the tables.

        Args:
            labels: what it can answer.
            lexicon: the runs and pieces it knows.
            weights: shape (runs + pieces, labels); kept, saved and used in half precision.
            scale: how much each run and piece counts, shape (runs + pieces,).
            bias: shape (labels,); -inf for a label that was never seen.
            temperature: what the logits are divided by.
        """
        self.labels = labels
        self._lexicon = lexicon
        self._weights = weights.astype(np.float16)
        self._scale = scale
        self._bias = bias
        self._temperature = temperature
        self._cold_bias = (bias / np.float32(temperature)).astype(np.float32)
        self._runs, self._pieces = self._tables()

    def _tables(self) -> tuple[Floats, Floats]:
        """Return a row for each run and each piece: its part of the logits, then of the squared length of the text.

        A word's row holds what its pieces say too, so only unknown words are ever cut up.
        """
        rows = np.empty((len(self._scale), len(self.labels) + 1), dtype=np.float32)
        np.multiply(self._weights, (self._scale / np.float32(self._temperature))[:, None], out=rows[:, :-1])
        rows[:, -1] = self._scale**2
        runs, pieces = rows[: len(self._lexicon.runs)].copy(), rows[len(self._lexicon.runs) :].copy()
        if self._lexicon.characters:
            for row, word in self._lexicon.single():
                runs[row] += pieces.take(self._lexicon.pieces_of(word), axis=0, mode="clip").sum(axis=0)
        return runs, pieces

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
        """Return the share of each text's words, by weight, that training never held; 1 where there is no word."""
        known, stranger = self._word_weights
        found = np.ones(len(inputs), dtype=np.float32)
        for row, text in enumerate(inputs):
            weights = [known.get(word) for word in dict.fromkeys(words(text))]
            new = stranger * weights.count(None)
            if total := new + sum(weight for weight in weights if weight is not None):
                found[row] = new / total
        return found

    @cached_property
    def _word_weights(self) -> tuple[dict[str, float], float]:
        """Return what each known word counts, and what an unknown one does: as much as the rarest."""
        known = dict.fromkeys((word for run in self._lexicon.runs for word in run.split(" ")), 1.0)
        known |= {word: float(self._scale[row]) for row, word in self._lexicon.single() if self._scale[row] > 0}
        return known, max(known.values(), default=1.0)

    def _logits(self, text: str) -> Floats:
        rows, unknown = self._lexicon.read(text)
        total: Floats = np.add.reduce(self._runs.take(np.array(rows, dtype=np.intp), axis=0), axis=0)
        for word in unknown:
            pieces = np.array(self._lexicon.pieces_of(word), dtype=np.intp)
            total += np.add.reduce(self._pieces.take(pieces, axis=0), axis=0)
        squared = float(total[-1])
        logits = total[:-1]
        if squared > 0:
            logits *= np.float32(1 / sqrt(squared))
        logits += self._cold_bias
        return logits

    @property
    def size_bytes(self) -> int:
        """Return the bytes it takes on disk."""
        return sum(map(len, self._files.values()))

    def save(self, folder: Path) -> None:
        """Write `linear.safetensors` and `linear.json` into `folder`, which is made if it is not there."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in self._files.items():
            (folder / name).write_bytes(data)

    @cached_property
    def _files(self) -> dict[str, bytes]:
        tensors = pack({"weights": self._weights, "scale": self._scale, "bias": self._bias})
        vocabulary = Vocabulary(
            labels=self.labels,
            temperature=self._temperature,
            longest=self._lexicon.longest,
            characters=self._lexicon.characters,
            runs=self._lexicon.runs,
            pieces=self._lexicon.pieces,
        )
        return {TENSORS: tensors, VOCABULARY: seal(vocabulary, [tensors])}


def load(folder: Path) -> LinearStudent:
    """Return the student saved in `folder`: it answers exactly as the one that was saved.

    Raises:
        ReleaseCorrupt: a file is missing, damaged or of another student.
    """
    vocabulary, (tensors,) = unseal(folder, VOCABULARY, Vocabulary, [TENSORS])
    weights, scale, bias = arrays(folder / TENSORS, tensors, "weights", "scale", "bias")
    lexicon = Lexicon(vocabulary.runs, vocabulary.pieces, longest=vocabulary.longest, characters=vocabulary.characters)
    return LinearStudent(
        labels=vocabulary.labels,
        lexicon=lexicon,
        weights=weights,
        scale=scale,
        bias=bias,
        temperature=vocabulary.temperature,
    )
