"""Everything the page tells, as one record: handed in whole, so that nothing on the page comes from anywhere else."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from overproof.core.types import (
    Candidate,
    Ceiling,
    Decision,
    Funnel,
    LogSummary,
    Manifest,
    Match,
    PromptSummary,
    Record,
    Reference,
    Sampling,
    SliceResult,
    Spending,
    Suggestions,
)


class Promise(Record):
    """What the contract says, as far as the page repeats it."""

    task: str
    teacher: str
    """Model whose traffic is to be taken over."""
    reference: Reference
    alpha: float
    """Tolerated share of errors among the requests the student answers."""
    confidence: float
    """1 - delta: how sure a release decision must be."""
    bars: tuple[str, ...] = ()
    """Bars and targets, one line each, in the contract's order."""


class Shown(Record):
    """One example for people to look at. Redacted before it comes here."""

    kind: Literal["recovered", "rejected", "differs"]
    """An answer only the normaliser could read; one that training never saw; one where student and teacher part."""
    input: str
    answer: str
    """The teacher's own text."""
    other: str = ""
    """What stands against it: the normal form, the rule that objected, or the student's answer."""
    note: str = ""
    """Why: the rule's reason, or the right answer where one is known."""


class Story(Record):
    """One run, from logs to decision."""

    title: str
    generated_at: datetime
    decision: Decision
    promise: Promise
    logs: LogSummary
    prompts: PromptSummary
    match: Match
    spending: Spending
    ceiling: Ceiling | None = None
    """None when the teacher's agreement with itself was not measured."""
    funnel: Funnel
    sampling: Sampling | None = None
    """None where nothing was doubted, asked again or verified."""
    candidates: tuple[Candidate, ...]
    """Baselines and students, in the order they were tested in; those never tested come last."""
    suggestions: Suggestions | None = None
    """Slices worth naming; None where nobody looked for them."""
    gate: str
    """One sentence: what became of the baselines."""
    withheld: str = ""
    """Why verdicts and slices of tested candidates are left out: another decision is to read the same test units, and
    may do so only while nothing but "not proven" was said of them. Empty when nothing is left out."""
    next_steps: tuple[str, ...] = ()
    """What only the caller can say about going on (commands); shown before what follows from the records."""
    examples: tuple[Shown, ...] = ()
    lineage: tuple[Manifest, ...] = ()
    reproduce: tuple[str, ...] = ()
    """Commands that make this run again."""
    ledger: tuple[str, ...] = ()
    """How the error probability was spent, one decision a line, oldest first."""
    environment: dict[str, str] = {}
    """Version of everything that can change a figure."""

    @property
    def winner(self) -> Candidate | None:
        """The candidate that the decision names."""
        return next((each for each in self.candidates if each.name == self.decision.winner), None)

    @property
    def lead(self) -> Candidate | None:
        """The candidate that is shown first: the winner, else the first student tested, else anything tested."""
        tested = [each for each in self.candidates if each.tested]
        students = [each for each in tested if each.family == "student"]
        return self.winner or next(iter(students + tested), None)

    @property
    def slices(self) -> tuple[SliceResult, ...]:
        """One row for each slice any candidate was measured on, "all" first, then critical ones."""
        found = {row.slice: row for each in reversed(self.candidates) for row in each.slices}
        return tuple(sorted(found.values(), key=lambda row: (row.slice != "all", not row.critical)))

    def of(self, family: Literal["baseline", "student"]) -> tuple[Candidate, ...]:
        """Return the candidates of one family."""
        return tuple(each for each in self.candidates if each.family == family)

    def shown(self, kind: str) -> tuple[Shown, ...]:
        """Return the examples of one kind."""
        return tuple(each for each in self.examples if each.kind == kind)
