"""Enter decisions in the ledger: who may read the test, on what terms, and what it said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import polars as pl

from overproof.core.chance import canonical, digest
from overproof.core.errors import UserError
from overproof.core.store import Making, write_json
from overproof.core.types import Calibration, Record
from overproof.evaluate.promises import Promises
from overproof.pipeline import answers, data, memory
from overproof.pipeline.project import Project
from overproof.proof.ledger import family_levels
from overproof.release import ledger
from overproof.release.ledger import Entry, Family, Ledger, Permit, Result


class Entered(Record):
    """A decision of this run: where it stands in the ledger, and the terms it got."""

    key: str
    permit: Permit


def ahead(project: Project, family: Family, promises: Promises) -> Permit:
    """Return the terms a new decision would get now: what calibration looks ahead to. Changes nothing."""
    return _ask(project, _ledger(project), family, promises, key="")


def enter(
    project: Project, family: Family, promises: Promises, said: Sequence[tuple[Calibration, Path]], making: Making
) -> Permit:
    """Enter a decision before the test is read, and remember from now on how requests were dealt.

    `said` holds each candidate's calibration and the file of its predictions: what is judged.
    """
    known = _ledger(project)
    key = _key(project, family, promises, said)
    granted = _ask(project, known, family, promises, key)
    if not any(each.key == key for each in known.entries):
        line = known.reading(
            tested_requests(project),
            granted,
            promises.digest(),
            key,
            datetime.now(UTC),
            family=family,
            planned=_planned(project, promises),
        )
        ledger.append(project.ledger, line)
    memory.fix(project)
    write_json(making.folder / "entered.json", Entered(key=key, permit=granted))
    return granted


def conclude(project: Project, entered: Entered, outcome: Result, *, shown: bool) -> None:
    """Note how a decision ended before anybody can see it; noting it again changes nothing."""
    lines = [each for each in _ledger(project).entries if each.key == entered.key]
    if not any(each.outcome == outcome and each.shown >= shown for each in lines):
        ledger.append(project.ledger, ledger.concluded(lines[0], outcome, datetime.now(UTC), shown=shown))


def entered(folder: Path) -> Entered:
    """Return the decision a stage entered."""
    return msgspec.json.decode((folder / "entered.json").read_bytes(), type=Entered)


def lines(project: Project) -> tuple[str, ...]:
    """Return how the error probability was spent, one decision a line, oldest first."""
    latest = {line.decision: line for line in _ledger(project).entries}  # the last line of a decision says how it ended
    return tuple(_line(number, line) for number, line in sorted(latest.items()))


def _line(number: int, line: Entry) -> str:
    ended = line.outcome.replace("_", " ") if line.outcome else "stopped before it was taken"
    spent = f"error probability {line.level:.3g}, {ended}; {line.reason}"
    return f"Decision {number}, {line.at:%Y-%m-%d}, {line.family}: {spent}"


def tested_requests(project: Project) -> pl.DataFrame:
    """Return unit and id of each test request."""
    rows = data.requests(project).filter(pl.col("split") == "test")
    return rows.select("unit", request_id="id")


def _ledger(project: Project) -> Ledger:
    if project.assignments.exists() and not project.ledger.exists():
        raise UserError(
            f"{project.ledger} is gone, so nobody knows which test units were read: restore it, or start over in a new "
            "folder with traffic that nobody has looked at"
        )
    return ledger.load(project.ledger)


def _ask(project: Project, known: Ledger, family: Family, promises: Promises, key: str) -> Permit:
    shares = family_levels(1 - project.contract.proof.confidence)
    return known.permit(
        tested_requests(project),
        promises.digest(),
        shares.gate if family == "gate" else shares.students,
        key,
        family=family,
        planned=_planned(project, promises),
    )


def _planned(project: Project, promises: Promises) -> str:
    """Return the digest of the students as the contract and the examples determine them."""
    return digest(project.keys["students"], promises.digest())


def _key(project: Project, family: Family, promises: Promises, said: Sequence[tuple[Calibration, Path]]) -> str:
    """Return the digest of everything the verdicts follow from; times count only where one is promised."""
    times = project.contract.targets.latency_p95_ms is not None
    parts = [family, promises.digest(), _content(answers.for_evaluation(project), ("prompt_id", "sample", "text"))]
    for calibration, path in sorted(said, key=lambda each: each[0].candidate):
        columns = ("prompt_id", "answer", "confidence", *(("latency_ms",) if times else ()))
        routed = [calibration.candidate, calibration.threshold, calibration.always_teacher, calibration.shifts]
        parts += [canonical(routed).decode(), _content(pl.read_parquet(path), columns)]
    return digest(*parts)


def _content(table: pl.DataFrame, columns: Sequence[str]) -> str:
    """Return the digest of some columns of a table, whatever the order of its rows."""
    return digest(table.select(columns).sort(columns).write_csv().encode())
