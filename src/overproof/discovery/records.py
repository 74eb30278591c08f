"""What discovery finds: one record for each task, one for the logs."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from overproof.core.types import Record
from overproof.proof import binomial

Kind = Literal["classify", "extract", "generate"]
LEVEL = 0.05
"""Chance that an interval misses: intervals are two-sided, of 95 %, and exact (Clopper and Pearson)."""


class Rate(Record):
    """`count` of `n` drawn by chance, with an exact interval for the share among all they were drawn from."""

    count: int
    n: int
    rate: float | None
    """None where n is 0."""
    lower: float
    upper: float


def rate(count: int, n: int) -> Rate:
    """Return the rate of `count` in `n`, with its exact interval."""
    return Rate(
        count=count,
        n=n,
        rate=count / n if n else None,
        lower=float(binomial.lower(count, n, LEVEL / 2)),
        upper=float(binomial.upper(count, n, LEVEL / 2)),
    )


class LabelShare(Record):
    """A label and the share of answers that give it."""

    label: str
    share: Rate


class Version(Record):
    """One wording of a task's prompt; `{slots}` stand for what varies."""

    system: str
    user: str
    """Template of the user's turn; "" where it is free text."""
    tools: tuple[str, ...] = ()
    """Names of the tools offered; empty also where each call offers others (`tools_vary`)."""
    tools_vary: bool = False
    response_format: str = ""
    calls: int
    first: datetime | None = None
    last: datetime | None = None


class Faults(Record):
    """What is wrong with a task's answers."""

    failed: Rate
    """Calls without an answer, of all calls."""
    cut: Rate
    """Answers cut off by a limit or a content filter, of all answers."""
    refused: Rate
    """Of the answers drawn."""
    format: Rate
    """Not of the kind's form (no label, no JSON of the schema), of the answers drawn that are whole and no refusals."""
    any: Rate
    """Failed, cut, refused or of the wrong form, of the calls drawn."""


class Probe(Record):
    """What a cheap student, fitted in seconds on a sample, would do."""

    calls: int
    """In the sample."""
    units: int
    """Groups of near-duplicate inputs in it; whole ones were learned from, or held out."""
    learned_from: int
    agreement: Rate
    """With the teacher, if the student answered everything: one call of each unit held out."""
    served: Rate | None
    """Units it could answer at the default risk, among those held out to count them; None: no threshold could be shown
    to be safe."""
    error: Rate | None
    """Disagreements among the answered."""
    alpha: float
    confidence: float
    note: str = ""


class Found(Record):
    """One task."""

    number: int
    name: str
    kind: Kind
    calls: int
    share_of_calls: float
    usd: float | None
    """Dollars of the calls whose price is known; None where none is."""
    unpriced: int
    """Calls whose price nobody knows."""
    share_of_spend: float
    input_tokens: int
    output_tokens: int
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    latencies: int
    """Calls with a latency."""
    models: dict[str, int]
    """Calls by the model asked for, most first."""
    first: datetime | None
    last: datetime | None
    versions: tuple[Version, ...]
    """Wordings of the prompt, most calls first."""
    where: str | None
    """A condition over metadata that is true for this task's calls and for no others."""
    template: str | None
    """The user's turn with its one slot, where every call has it."""
    labels: tuple[LabelShare, ...]
    """Of classify, most frequent first."""
    schema: dict[str, Any] | None
    """JSON Schema of extract's answers."""
    schema_from: int
    """Answers it was inferred from."""
    repeats: Rate
    """Calls that ask exactly what an earlier one asked."""
    consistency: Rate
    """Of prompts the same model answered twice, how often with the same answer: one pair for each group of
    near-duplicates."""
    ceiling: float | None
    """No student agrees with one teacher sample more often than this, with 95 % confidence; None where nothing was
    asked twice."""
    faults: Faults
    probe: Probe | None
    says: str
    """The task in a sentence that ends in money."""
    notes: tuple[str, ...] = ()


class Discovery(Record):
    """What was found in the logs."""

    calls: int
    usd: float | None
    unpriced: int
    spend_by: Literal["dollars", "tokens"]
    """What shares of spend are shares of: dollars, or where prices are not known tokens, those of the output counted
    fourfold."""
    tasks: tuple[Found, ...]
    """By share of spend, largest first."""
    rest: int
    """Calls in no task: of prompts that were seen too rarely."""
    notes: tuple[str, ...] = ()
