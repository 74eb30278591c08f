"""The test is spent: who has read which test units, under which promises, at which level.

An append-only file of JSON Lines. A decision is entered *before* it reads the test (`reading`), again when it is taken
(`concluded`), and again when more than its outcome is shown; later lines of a decision add to earlier ones. A run
killed in between has spent its level, and what nobody saw does no further harm.

Rules (`permit`):

- Units whose scores were shown, or that took part in a decision other than "not proven", are known: a candidate may
  have been chosen by them. Units read under other promises may have suggested these. Both are closed to new decisions.
- If other test units are left, the decision is taken on those alone. If none is, it is exploratory: it cannot release.
- On units read only by decisions of which "not proven" is all that was said, 80 % of what these left of δ is spent:
  80 % first, then 80 % of the rest, and so on. What was tried next depended on nothing but that, so levels add up to at
  most δ. Where decisions on different units have together left nothing, units that none of them read are used.
- The same question asked again (same key) is the same look: it gets the terms it had. The key is of contents, not of
  recipes: made anew with another result, it is another question.
- Baselines (`gate`) and students are two families, each with its own share of δ and its own schedule. What the gate's
  table showed does not close its units to students that had been planned, exactly so, when the gate was entered.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec
import polars as pl

from overproof.core import chance, lines
from overproof.core.types import Record
from overproof.proof import ledger as schedule

Family = Literal["gate", "students"]
Result = Literal["baseline", "released", "not_proven", "exploratory"]


class Entry(Record):
    """One line of the ledger."""

    decision: int
    """Counted from 1."""
    key: str
    """Digest of all that the decision depends on: asked again, it is the same decision."""
    promises: str
    """`Promises.digest()`."""
    family: Family = "students"
    planned: str = ""
    """Digest of the students that were to follow when it was entered."""
    level: float
    """Error probability it may spend."""
    exploratory: bool = False
    """It was permitted to look only."""
    reason: str = ""
    """Why, as the permit said."""
    fresh: bool = False
    """Whether no decision had read any of the units before."""
    read: tuple[str, ...] = ()
    """Digests of units and requests it reads; in its first line only."""
    outcome: Result | None = None
    """None until it is taken."""
    shown: bool = False
    """Whether anything about these units was shown beyond "not proven"."""
    at: datetime


class Permit(Record):
    """On what terms a decision may read the test."""

    level: float
    """Error probability to spend in all; 80 % of delta where it is exploratory, for display."""
    exploratory: bool
    """It may look, and cannot release."""
    reason: str
    """One sentence for people."""
    units: tuple[str, ...]
    """Units it may read."""
    fresh: bool
    """Whether no decision has read any of them before."""


class Ledger(Record):
    """All entries, oldest first. Changing it gives a new one."""

    entries: tuple[Entry, ...] = ()

    def permit(
        self,
        requests: pl.DataFrame,
        promises: str,
        delta: float,
        key: str,
        *,
        family: Family = "students",
        planned: str = "",
    ) -> Permit:
        """Say whether and at which level the test units in `requests` (columns `unit`, `request_id`) may be read.

        `delta` is the family's share. A unit is known again by its own id or by any of its requests', so merged and
        renamed units stay known.
        """
        decisions, marks = self._decisions(), _marks(requests)
        again = next((each for each in decisions if each.key == key), None)
        if again is not None:
            return _same(again, marks)
        closing = [
            each for each in decisions if _closes(each, promises) and not _foreseen(each, promises, family, planned)
        ]
        usable = _without(marks, closing)
        others = [each for each in decisions if each not in closing and each.family == family]
        looks = [each for each in others if usable["mark"].is_in(each.read).any()]
        left = delta - sum(each.level for each in looks)
        if usable.height and left <= 1e-9 * delta:  # beyond rounding
            usable, looks, left = _without(usable, looks), [], delta
        if not usable.height:
            return _looking(marks, _why_closed(closing, promises), delta)
        units = tuple(usable["unit"].unique().sort())
        return Permit(
            level=schedule.FIRST * left,
            exploratory=False,
            reason=_why_open(len(looks), len(units), marks["unit"].n_unique() - len(units)),
            units=units,
            fresh=not looks,
        )

    def reading(
        self,
        requests: pl.DataFrame,
        permit: Permit,
        promises: str,
        key: str,
        at: datetime,
        *,
        family: Family = "students",
        planned: str = "",
    ) -> Entry:
        """Return the line to append before the test is read."""
        known = next((each.decision for each in self._decisions() if each.key == key), None)
        marks = _marks(requests).filter(pl.col("unit").is_in(permit.units))["mark"]
        return Entry(
            decision=known or 1 + max((each.decision for each in self.entries), default=0),
            key=key,
            promises=promises,
            family=family,
            planned=planned,
            level=permit.level,
            exploratory=permit.exploratory,
            reason=permit.reason,
            fresh=permit.fresh,
            read=tuple(marks.unique().sort()),
            at=at,
        )

    def plus(self, *entries: Entry) -> Ledger:
        """Return the ledger with more lines."""
        return Ledger(entries=(*self.entries, *entries))

    def _decisions(self) -> Sequence[Entry]:
        """Return one entry for each decision: all its lines taken together."""
        found: dict[int, Entry] = {}
        for line in self.entries:
            first = found.get(line.decision)
            found[line.decision] = line if first is None else _together(first, line)
        return tuple(found.values())


def concluded(reading: Entry, outcome: Result, at: datetime, *, shown: bool) -> Entry:
    """Return the line to append when a decision is taken; `shown` when its table will be."""
    return Entry(
        decision=reading.decision,
        key=reading.key,
        promises=reading.promises,
        family=reading.family,
        planned=reading.planned,
        level=reading.level,
        exploratory=reading.exploratory,
        reason=reading.reason,
        fresh=reading.fresh,
        outcome=outcome,
        shown=shown,
        at=at,
    )


def load(path: Path) -> Ledger:
    """Read a ledger; one that is not there is empty. A last line that breaks off was never acted upon, and is left out.

    Raises:
        UserError: any other line that cannot be read; the file must not be edited.
    """
    return Ledger(entries=lines.read(path, Entry))


def append(path: Path, entry: Entry) -> None:
    """Write one line and wait until it is on disk: only then may the test be read, or its result be shown."""
    lines.append(path, [entry])


def _together(first: Entry, later: Entry) -> Entry:
    return msgspec.structs.replace(
        first,
        read=first.read or later.read,
        outcome=later.outcome or first.outcome,
        shown=first.shown or later.shown,
    )


def _closes(entry: Entry, promises: str) -> bool:
    """Whether what was said about its units, or asked of them, bars them from a decision on `promises`."""
    return entry.shown or entry.outcome not in (None, "not_proven") or entry.promises != promises


def _foreseen(entry: Entry, promises: str, family: Family, planned: str) -> bool:
    """Whether it was the gate before these very students: its table cannot have led to them."""
    ahead = entry.family == "gate" and family == "students" and bool(planned)
    return ahead and entry.planned == planned and entry.promises == promises and not entry.exploratory


def _without(marks: pl.DataFrame, decisions: Sequence[Entry]) -> pl.DataFrame:
    """Return the marks of units that none of `decisions` has read."""
    read = list({mark for each in decisions for mark in each.read})
    return marks.join(marks.filter(pl.col("mark").is_in(read)), on="unit", how="anti")


def _same(again: Entry, marks: pl.DataFrame) -> Permit:
    units = marks.filter(pl.col("mark").is_in(again.read))["unit"].unique().sort()
    return Permit(
        level=again.level, exploratory=again.exploratory, reason=again.reason, units=tuple(units), fresh=again.fresh
    )


def _looking(marks: pl.DataFrame, reason: str, delta: float) -> Permit:
    units = tuple(marks["unit"].unique().sort())
    return Permit(level=schedule.spent(delta, 1), exploratory=True, reason=reason, units=units, fresh=False)


def _marks(requests: pl.DataFrame) -> pl.DataFrame:
    """Return every mark a unit is known by: digests of its own id and of its requests', never the ids themselves."""
    units = requests["unit"].unique().to_list()
    by_unit = pl.DataFrame({"unit": units, "mark": [chance.digest("unit", each, size=8) for each in units]})
    by_request = pl.DataFrame(
        {
            "unit": requests["unit"],
            "mark": [chance.digest("request", each, size=8) for each in requests["request_id"].to_list()],
        }
    )
    schema = {"unit": pl.String, "mark": pl.String}
    return pl.concat([by_unit.cast(schema), by_request.cast(schema)])  # type: ignore[arg-type]  # names to dtypes is what cast takes


def _why_closed(closing: Sequence[Entry], promises: str) -> str:
    if any(each.promises != promises for each in closing):
        return (
            "the promises were changed after these test units had been read, so this is exploratory and cannot "
            "release: it takes fresh traffic to prove the new ones"
        )
    return (
        "what these test units showed is known, or all their error probability is spent, so this is exploratory and "
        "cannot release: the next decision takes fresh traffic"
    )


def _why_open(before: int, units: int, left: int) -> str:
    some = f"{left} units were read before and are left out, {units} are fresh" if left else f"{units} test units"
    if not before:
        return f"first decision on {some}"
    return f"{some}; {before} earlier decision{'s' * (before > 1)} on them said no more than not proven"
