"""A text becomes a vector: `tokenizers` and onnxruntime, no torch; the same vector whatever it is asked for with.

Each text is a run of its own. Dynamic quantisation takes its scale over all that is run together, so in a batch a
text's vector would depend on its neighbours; one at a time costs a tenth of the speed and is exactly repeatable.
Several texts are run at once on threads where that was measured to help: each run keeps to its thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from overproof.core.errors import ReleaseCorrupt, UserError
from overproof.core.store import write, write_json
from overproof.core.types import Record
from overproof.models.encoders import store
from overproof.models.encoders.crew import Crew, Tell, silent
from overproof.models.encoders.drawing import IDS, MASK, OUTPUT
from overproof.models.encoders.needed import needed
from overproof.models.encoders.tokens import cutter
from overproof.models.encoders.tokens import tokenizer as framing

Precision = Literal["int8", "fp32"]
Ids = Sequence[int]
MODEL, TOKENIZER, RECORD = "model.onnx", "tokenizer.json", "encoder.json"


class Saved(Record):
    """What an encoder says about itself beside its files."""

    name: str
    precision: Precision
    tokens: int
    width: int


class Encoder:
    """Turns texts into vectors of length 1. Safe to call from several threads."""

    def __init__(
        self, model: bytes, tokenizer: bytes, *, tokens: int, name: str = "", precision: Precision = "fp32"
    ) -> None:
        """Take an ONNX model as `graph.build` draws it (`precision` says what was done to it) and a `tokenizer.json`.

        Texts are cut after `tokens` tokens.
        """
        self._model, self.tokenizer_json = model, tokenizer
        self._cut, self._frame = cutter(tokenizer), framing(tokenizer, tokens).post_process
        self._session = session(model)
        self._crew = Crew()
        self.name, self.tokens, self.precision = name, tokens, precision
        self.width = len(self.embed_one(""))

    @classmethod
    def open(cls, folder: Path, *, precision: Precision = "int8") -> Encoder:
        """Return the installed encoder in `folder`, its files held against their digests.

        Where 8 bits did not hold at installation, it is the fp32 one whatever was asked: `.precision` tells.
        """
        info = store.read(folder)
        held: Precision = "fp32" if not info.int8_holds else precision
        model = store.content(folder, info, store.INT8 if held == "int8" else store.FP32)
        words = store.content(folder, info, store.TOKENIZER)
        return cls(model, words, tokens=info.tokens, name=info.name, precision=held)

    @classmethod
    def load(cls, folder: Path) -> Encoder:
        """Return the encoder that `save` wrote to `folder`."""
        try:
            saved = msgspec.json.decode((folder / RECORD).read_bytes(), type=Saved)
        except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
            raise ReleaseCorrupt(f"{folder / RECORD}: {wrong}") from wrong
        model, words = ((folder / name).read_bytes() for name in (MODEL, TOKENIZER))
        made = cls(model, words, tokens=saved.tokens, name=saved.name, precision=saved.precision)
        if made.width != saved.width:
            raise ReleaseCorrupt(f"{folder / MODEL}: gives {made.width} numbers, {RECORD} says {saved.width}")
        return made

    def save(self, folder: Path) -> None:
        """Write what is needed to load it again: model.onnx, tokenizer.json, encoder.json."""
        write(folder / MODEL, self._model)
        write(folder / TOKENIZER, self.tokenizer_json)
        saved = Saved(name=self.name, precision=self.precision, tokens=self.tokens, width=self.width)
        write_json(folder / RECORD, saved)

    @property
    def size_bytes(self) -> int:
        """Size of the files that `save` writes, all but the few bytes of encoder.json."""
        return len(self._model) + len(self.tokenizer_json)

    @property
    def threads(self) -> int | None:
        """How many threads `embed` found to be best; None before its first long call."""
        return self._crew.threads

    def embed(self, texts: Sequence[str], tell: Tell = silent) -> NDArray[np.float32]:
        """Return the vector of each text, shape (texts, width), rows of length 1; `tell` hears how many are done.

        Raises TypeError for a single text, which Python would take for a sequence of letters.
        """
        if isinstance(texts, str):
            raise TypeError("embed takes several texts: put a single one in a list, or use embed_one")
        rows = np.empty((len(texts), self.width), np.float32)

        def work(item: int) -> None:
            rows[item] = self.embed_one(texts[item])

        self._crew.over(len(texts), work, tell)
        return rows

    def read(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], list[Ids]]:
        """Return what `embed` does, and the tokens of each text (all, and none beside), which is cut only once."""
        rows = np.empty((len(texts), self.width), np.float32)
        tokens: list[Ids] = [()] * len(texts)

        def work(item: int) -> None:
            rows[item], tokens[item] = self.read_one(texts[item])

        self._crew.over(len(texts), work)
        return rows, tokens

    def embed_one(self, text: str) -> NDArray[np.float32]:
        """Return the vector of one text, shape (width,), of length 1."""
        return self.read_one(text)[0]

    def read_one(self, text: str) -> tuple[NDArray[np.float32], Ids]:
        """Return the vector of one text and its tokens."""
        whole = self._cut(text)
        ids = np.array([self._frame(whole).ids], np.int64)  # as many as it takes, and those it puts around them
        rows: NDArray[np.float32] = self._session.run([OUTPUT], {IDS: ids, MASK: np.ones_like(ids)})[0]
        return np.asarray(rows[0]), whole.ids


def session(model: bytes) -> Any:  # noqa: ANN401 - onnxruntime has no types
    """Return an onnxruntime session that works on the thread that calls it and waits for nobody.

    Raises:
        UserError: `model` is no graph that onnxruntime can run.
    """
    with needed("running an encoder"):
        import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors; its warnings are about graphs that users cannot change
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as wrong:  # onnxruntime has a dozen kinds of failure, with nothing narrower in common
        raise UserError(f"this encoder's graph cannot be run: {wrong}") from wrong
