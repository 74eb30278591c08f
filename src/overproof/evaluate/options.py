"""What is promised, and how it is to be proven."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from overproof.core.types import Record, Reference


class Bar(Record):
    """One `[[bars]]` table: what the system must reach on a slice."""

    slice: str = "all"
    metric: Literal["accuracy"] = "accuracy"
    at_least: float | None = None
    """The system's accuracy must be at least this."""
    within: Annotated[float, Meta(ge=0, lt=1)] | None = None
    """Or: no further than this below the model named by `of`, compared request by request. Needs gold."""
    of: Literal["teacher"] | None = None


class TargetOptions(Record):
    """The `[targets]` table: cost and speed the winner must keep. Each is optional."""

    latency_p95_ms: Annotated[float, Meta(gt=0)] | None = None
    """95 % of what the candidate answers itself must be faster than this."""
    cost_per_1k: Annotated[float, Meta(gt=0)] | None = None
    """Blended dollars per thousand requests, the teacher's share included."""


class RiskOptions(Record):
    """The `[risk]` table."""

    alpha: float = 0.05
    """Tolerated share of errors among the requests the student answers, overall and in each critical slice."""


class ProofOptions(Record):
    """The `[proof]` table."""

    confidence: float = 0.95
    """1 - delta: how sure a release decision must be."""
    reference: Reference = "teacher"
    """What right means: `gold`, or the teacher's verified answer. Every figure says which."""
    group: str | None = None
    """Metadata key (`customer`, `layout`) for tasks that must transfer to values never seen: its values are the units,
    and none stands both in what is learned from and in what is judged by. Requests without it are in no split."""
    n_max: Annotated[int, Meta(ge=1)] | None = None
    """A unit counts for at most so many of its requests; None: suggested from the training window's unit sizes."""
