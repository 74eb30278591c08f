"""A fitted encoder student: a head reads the answer off what an encoder makes of a text, and off its tokens.

It needs onnxruntime, not torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from overproof.core.types import Record
from overproof.models.encoders import runtime
from overproof.models.encoders.runtime import Encoder
from overproof.students.chances import chances, top
from overproof.students.dense import Floats, Head, product
from overproof.students.sealed import Sealed, arrays, pack, readable, seal, unseal
from overproof.students.token_table import Table, TokenTable

TENSORS, RECORD = "head.safetensors", "encoder-student.json"
BESIDE = (TENSORS, runtime.MODEL, runtime.TOKENIZER, runtime.RECORD)


class Precise(Record):
    """What 8 bits cost, as `tune` shows it: two heads fitted on the same examples, read by either encoder."""

    texts: int
    """Of tune."""
    doubt_int8: float
    """Log-loss on them."""
    doubt_fp32: float
    agreement: float
    """Share of them that are answered alike."""


class Origin(Record):
    """What a student was made of."""

    model: str
    """The installed encoder."""
    layers: int | None = None
    """How many of its layers were kept; None: all."""
    fine_tuned: bool = False
    precise: Precise | None = None
    """None where the precision was not chosen on tune."""


class Saved(Sealed):
    """All of a saved student that is neither its encoder nor an array."""

    labels: tuple[str, ...]
    temperature: float
    precision: str
    """What its encoder computes with: int8 or fp32."""
    origin: Origin


@dataclass(frozen=True)
class EncoderStudent:
    """Answers by where an encoder puts a text, and by what stands in it. It never changes, so any thread may ask.

    The encoder knows what a text is about; that here one word makes the difference is easier said of the word.
    """

    labels: tuple[str, ...]
    encoder: Encoder
    head: Head
    tokens: Table
    """What tokens and pairs say beside the head."""
    centres: Floats
    """Directions of the training texts of each label, shape (labels seen, width), rows of length 1."""
    origin: Origin

    def probabilities(self, inputs: Sequence[str]) -> Floats:
        """Return the chance of each label, shape (inputs, labels), rows summing to 1, temperature applied."""
        rows, tokens = self.encoder.read(inputs)
        logits = self.head.logits(rows)
        for row, ids in enumerate(tokens):
            logits[row] += self._tokens.logits(ids)
        return chances(logits)

    def predict_one(self, text: str) -> tuple[str, float]:
        """Return the likeliest label of one text and its chance: `probabilities`, without the other chances."""
        row, ids = self.encoder.read_one(text)
        logits = self.head.logits(row)
        logits += self._tokens.logits(ids)
        best, chance = top(logits)
        return self.labels[best], chance

    def novelty(self, inputs: Sequence[str]) -> Floats:
        """Return how far each text is from every label's training texts: 1 - the largest cosine, at most 1."""
        alike = product(self.encoder.embed(inputs), self.centres.T).max(axis=1)
        return np.asarray(np.clip(1 - alike, 0, 1), dtype=np.float32)

    @cached_property
    def _tokens(self) -> TokenTable:
        return TokenTable(self.tokens, self.head.temperature)

    @property
    def size_bytes(self) -> int:
        """Return the bytes it takes on disk, but for a few hundred of JSON."""
        return self.encoder.size_bytes + len(self._tensors)

    def save(self, folder: Path) -> None:
        """Write the encoder, `head.safetensors` and `encoder-student.json` into `folder`, which is made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        self.encoder.save(folder)
        (folder / TENSORS).write_bytes(self._tensors)
        saved = Saved(
            labels=self.labels,
            temperature=self.head.temperature,
            precision=self.encoder.precision,
            origin=self.origin,
        )
        (folder / RECORD).write_bytes(seal(saved, [(folder / name).read_bytes() for name in BESIDE]))

    @cached_property
    def _tensors(self) -> bytes:
        own = {"weights": self.head.weights, "bias": self.head.bias, "centres": self.centres}
        return pack({**own, **self.tokens._asdict()})


def load(folder: Path) -> EncoderStudent:
    """Return the student saved in `folder`: it answers exactly as the one that was saved.

    Raises:
        ReleaseCorrupt: a file is missing, damaged or of another student.
    """
    saved, (tensors, *_) = unseal(folder, RECORD, Saved, BESIDE)
    weights, bias, centres, *tokens = arrays(folder / TENSORS, tensors, "weights", "bias", "centres", *Table._fields)
    with readable(folder):
        encoder = Encoder.load(folder)
    return EncoderStudent(
        labels=saved.labels,
        encoder=encoder,
        head=Head(weights, bias, saved.temperature),
        tokens=Table(*tokens),
        centres=centres,
        origin=saved.origin,
    )
