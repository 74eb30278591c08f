"""The seams: what a plug-in must look like. Built-ins come through the same doors.

A plug-in is a small record whose fields are its options; it inherits nothing. It is found by an entry point
(`overproof.readers`, `.rules`, `.baselines`, `.students`, `.tasks`) or named as `module:Class` in the contract.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, runtime_checkable

from overproof.core.types import Completion, EndpointOptions, Exchange, Message, Prompt, Reading, Record, SetAside

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from overproof.core.splits import Train, Tune


class Reader(Protocol):
    """Turns one log file into exchanges; a row it cannot read becomes a `SetAside`."""

    @property
    def name(self) -> str: ...

    def sniff(self, head: Sequence[bytes], path: Path) -> float:
        """Return how sure it is, in [0, 1], that a file with these first lines is its own."""

    def read(self, stream: IO[bytes], source: str) -> Iterator[Exchange | SetAside]:
        """Yield every row in order; `source` names the file in each record.

        Whatever a file is (gzip, Parquet, CSV, a JSON document), `stream` holds one JSON object a line.
        """


@dataclass(frozen=True)
class Part:
    """A row of one file that completes a call in another: the request of a batch's answer, a score, an event."""

    key: str
    """What the call is found by."""
    source: str
    """`file:line` the row stands in."""
    value: Any


class Parts(Protocol):
    """The parts gathered for one file of calls: those in the same folder go before all others."""

    def take(self, key: str) -> Sequence[Part]:
        """Return what was gathered under `key`, in the order of the rows; it counts as used."""


@runtime_checkable
class Joining(Protocol):
    """A `Reader` whose calls may lie in several files."""

    def completes(self, head: Sequence[bytes], path: Path) -> bool:
        """Say whether a file with these first lines only completes the calls of others."""

    def gather(self, stream: IO[bytes], source: str) -> Iterator[Part | SetAside]:
        """Yield what each row of such a file is for, in order."""

    def join(self, stream: IO[bytes], source: str, parts: Parts) -> Iterator[Exchange | SetAside]:
        """Yield every row of a file of calls, as `read` does, completed by `parts`."""

    def left(self, parts: Sequence[Part]) -> Iterator[Exchange | SetAside]:
        """Yield what becomes of parts under one key that no call took: calls of their own, or rows set aside.

        Each record has the source of one of the parts; the others count as joined to it.
        """


class Ask(Record):
    """One call to a model, complete: all that can change the answer stands here."""

    messages: tuple[Message, ...]
    parameters: dict[str, Any] = {}
    metadata: dict[str, str] = {}
    """Sent along as the request's `metadata` when not empty."""
    sample: int = 0
    """Which of several answers to the same question this is."""
    about: str = ""
    """Id of the prompt it is asked for, so that what was bought for it can be found. It is not sent, and no part of
    what makes two asks equal."""


class Reply(Record):
    """What came back: an answer, or why there is none."""

    text: str | None
    finish_reason: str | None = None
    error: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float = 0.0
    latency_ms: float = 0.0
    cached: bool = False
    answered_by: str = ""
    logprob: float | None = None
    """Sum of the answer tokens' log-probabilities, when the ask's parameters wanted them and the model told."""


class Model(Protocol):
    """Anything that answers. A wrapper takes a model and is a model."""

    @property
    def identity(self) -> str:
        """Endpoint and model name: answers of different identities never mix."""

    async def ask(self, ask: Ask) -> Reply:
        """Answer; failures after every retry come back as a reply with `error`."""


class Task(Protocol):
    """What an answer means, and how right it is."""

    @property
    def labels(self) -> tuple[str, ...]: ...

    def read(self, text: str | None) -> Reading:
        """Return the normal form of an answer's text."""

    def score(self, answer: str | None, reference: str) -> float:
        """Return how right `answer` is, in [0, 1]."""


class Rule(Protocol):
    """Objects to answers that must not be learned from."""

    @property
    def name(self) -> str: ...

    def reject(self, prompt: Prompt, completion: Completion, reading: Reading) -> str | None:
        """Return why the answer is unfit, or None to let it pass."""


class Student(Protocol):
    """A fitted small model. Safe to call from several threads."""

    @property
    def labels(self) -> tuple[str, ...]: ...

    def probabilities(self, inputs: Sequence[str]) -> NDArray[np.float32]:
        """Return the chance of each label, shape (inputs, labels), rows summing to 1, temperature applied."""

    def novelty(self, inputs: Sequence[str]) -> NDArray[np.float32]:
        """Return how unlike its training each input is, shape (inputs,), in [0, 1]; 0: nothing about it is new."""

    def save(self, folder: Path) -> None:
        """Write everything needed to load it again; no pickle."""

    @property
    def size_bytes(self) -> int: ...


@dataclass(frozen=True)
class Workshop:
    """What fitting may need besides examples: a place to work in, encoders, somebody to tell."""

    scratch: Path
    """Folder of this fit alone; what lies there after a killed run may be taken up again."""
    encoders: Path
    """Folder of the installed encoders."""
    tell: Callable[[str, int, int], None] = lambda what, done, total: None  # noqa: ARG005 - nobody listens
    """Told what is being done, how much of it is done, and of how much."""


class StudentKind(Protocol):
    """A rung of the ladder: knows how to fit a student and how to load one."""

    @property
    def name(self) -> str: ...

    def fit(
        self, train: Train, tune: Tune, labels: tuple[str, ...], seed: int, workshop: Workshop | None = None
    ) -> Student:
        """Return a student fitted on `train`, its temperature on `tune`; a kind that needs a workshop says so."""

    def load(self, folder: Path) -> Student: ...


@runtime_checkable
class Demanding(Protocol):
    """A plug-in that needs more than the base install."""

    def check(self, encoders: Path) -> None:
        """Raise a `UserError` for what it lacks (an extra, an encoder in that folder), before anything is bought."""


@runtime_checkable
class OnEncoder(Protocol):
    """A student kind that stands on an installed encoder."""

    @property
    def model(self) -> str:
        """Name the encoder is installed under."""


@runtime_checkable
class Combining(Protocol):
    """A student kind made of other rungs of the same ladder, which are fitted already."""

    @property
    def of(self) -> tuple[str, ...]:
        """Names of the students it is made of, in order."""

    def combine(self, students: Sequence[Student], kinds: Sequence[str], tune: Tune) -> Student:
        """Return the student made of `students`, of these plug-in names; what must be chosen is chosen on `tune`."""


@dataclass(frozen=True)
class Means:
    """What a baseline may need besides examples and a model, and what its own work costs."""

    encoders: Path | None = None
    """Folder of the installed encoders."""
    core_hour_usd: float = 0.0
    """Dollars for an hour of one processor core."""

    def cost(self, busy_ms: float) -> float:
        """Return the dollars that so many milliseconds of one core cost."""
        return busy_ms / 1000 / 3600 * self.core_hour_usd


class Baseline(Protocol):
    """An alternative to distilling: it answers prompts and says how sure it is."""

    @property
    def name(self) -> str: ...

    async def answer(
        self, prompts: pl.DataFrame, train: Train, task: Task, model: Model | None, means: Means
    ) -> pl.DataFrame:
        """Return a table of `Prediction`, one row for each of `prompts` (a table of `Prompt`)."""


@runtime_checkable
class Asking(Protocol):
    """A baseline that asks a model, which it must be handed."""

    @property
    def endpoint(self) -> EndpointOptions:
        """Where the model is."""

    def asks(self, prompts: pl.DataFrame, train: Train | None, task: Task, means: Means) -> list[Ask]:
        """Return the very calls that `answer` makes, one for each of `prompts`.

        While there is no `train` yet: calls to be priced, which should not cost less.
        """
