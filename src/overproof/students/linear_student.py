"""A fitted linear student: reads a text by adding up rows of a table. Needs numpy alone, and no BLAS."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import sqrt
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as tensors_from
from safetensors.numpy import save as tensors_to

from overproof.core.chance import digest
from overproof.core.errors import ReleaseCorrupt
from overproof.core.types import Record
from overproof.students.lexicon import Lexicon
from overproof.students.text import words

Floats = NDArray[np.float32]

LEAST = np.float32(1e-6)
"""Chance that every label keeps: what training never saw is improbable, not impossible."""
FORMAT = 1
TENSORS, VOCABULARY = "linear.safetensors", "linear.json"


class Vocabulary(Record):
    """All of a saved student that is not a weight."""

    format: int = FORMAT
    digest: str = ""
    """Of the weights and of everything else in this record."""
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
        chances = np.empty((len(inputs), len(self.labels)), dtype=np.float32)
        for row, text in enumerate(inputs):
            chances[row] = self._logits(text)
        chances -= chances.max(axis=1, keepdims=True)
        np.exp(chances, out=chances)
        chances /= chances.sum(axis=1, keepdims=True)
        chances *= self._most
        chances += LEAST
        return chances

    def predict_one(self, text: str) -> tuple[str, float]:
        """Return the likeliest label of one text and its chance: `probabilities`, without the other chances."""
        logits = self._logits(text)
        best = int(logits.argmax())
        logits -= logits[best]
        chance = 1 / np.exp(logits, out=logits).sum()
        return self.labels[best], float(chance * self._most + LEAST)

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
        known = {word: float(self._scale[row]) for row, word in self._lexicon.single()}
        return known, max(known.values(), default=1.0)

    @cached_property
    def _most(self) -> np.float32:
        return np.float32(1) - LEAST * np.float32(len(self.labels))

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
        tensors = tensors_to({"weights": self._weights, "scale": self._scale, "bias": self._bias})
        vocabulary = Vocabulary(
            labels=self.labels,
            temperature=self._temperature,
            longest=self._lexicon.longest,
            characters=self._lexicon.characters,
            runs=self._lexicon.runs,
            pieces=self._lexicon.pieces,
        )
        sealed = msgspec.structs.replace(vocabulary, digest=_digest(vocabulary, tensors))
        return {TENSORS: tensors, VOCABULARY: msgspec.json.encode(sealed)}


def load(folder: Path) -> LinearStudent:
    """Return the student saved in `folder`: it answers exactly as the one that was saved.

    Raises:
        ReleaseCorrupt: a file is missing, damaged or of another student.
    """
    try:
        tensors = (folder / TENSORS).read_bytes()
        vocabulary = msgspec.json.decode((folder / VOCABULARY).read_bytes(), type=Vocabulary)
        arrays = tensors_from(tensors)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError, SafetensorError) as wrong:
        raise ReleaseCorrupt(f"{folder} holds no linear student that can be read: {wrong}") from wrong
    if vocabulary.format != FORMAT:
        raise ReleaseCorrupt(f"{folder / VOCABULARY} has format {vocabulary.format}, this version reads {FORMAT}")
    if vocabulary.digest != _digest(vocabulary, tensors):
        raise ReleaseCorrupt(f"{folder}: {TENSORS} and {VOCABULARY} are not the ones that were saved together")
    lexicon = Lexicon(vocabulary.runs, vocabulary.pieces, longest=vocabulary.longest, characters=vocabulary.characters)
    return LinearStudent(
        labels=vocabulary.labels,
        lexicon=lexicon,
        weights=arrays["weights"],
        scale=arrays["scale"],
        bias=arrays["bias"],
        temperature=vocabulary.temperature,
    )


def _digest(vocabulary: Vocabulary, tensors: bytes) -> str:
    return digest(msgspec.json.encode(msgspec.structs.replace(vocabulary, digest="")), tensors)
