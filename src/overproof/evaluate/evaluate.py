"""Hold a calibrated candidate against its promises on fresh evidence: a verdict for each, and the table of slices."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overproof.core.protocols import Task
from overproof.core.splits import Test, only
from overproof.core.types import Calibration, Outcome, Record, SliceResult, Verdict
from overproof.evaluate.conditions import Condition, Conditions
from overproof.evaluate.promises import Promises
from overproof.proof import betting, selection
from overproof.tasks.scoring import Units, route, score

DERIVED = ("all", "new", "repeat")


class Costs(Record):
    """Mean dollars per thousand requests of the test, each request counted once."""

    teacher_per_1k: float
    student_per_1k: float
    """The candidate's own answers, on every request."""
    blended_per_1k: float
    """The system: the candidate on every request, the teacher where it is not sure."""


class Evaluation(Record):
    """What the test said about one candidate."""

    verdicts: tuple[Verdict, ...]
    slices: tuple[SliceResult, ...]
    costs: Costs

    @property
    def proven(self) -> bool:
        """Whether every condition of a release is proven: an intersection-union test, at the level of each."""
        return selection.all_hold(each.outcome == "proven" for each in self.verdicts if each.required)


def evaluate(
    evidence: Test,
    predictions: pl.DataFrame,
    calibration: Calibration,
    promises: Promises,
    *,
    task: Task,
    level: float,
    exploratory: bool = False,
) -> Evaluation:
    """Return a verdict for every promise, each at `level`, and what each slice looks like.

    If some required condition is false, all of them are "proven" with probability at most `level`. Intervals in the
    slice table are at `level` each and decide nothing. `exploratory` marks verdicts of a test that was read before.

    Raises:
        TypeError: `evidence` is not the test split.
        ValueError: predictions that cannot be scored, or promises and calibration of different references.
    """
    if calibration.reference != promises.reference:
        raise ValueError(f"calibrated against {calibration.reference}, promised against {promises.reference}")
    routed = routed_by(only(Test, evidence).frame, predictions, calibration, task)
    units = Units.of(routed, promises.seed)
    conditions = Conditions(routed, units, promises, calibration.always_teacher).all()
    verdicts = tuple(_verdict(each, units, promises, level, exploratory) for each in conditions)
    return Evaluation(
        verdicts=verdicts,
        slices=tuple(
            _row(name, routed, units, calibration.always_teacher, promises, level=level)
            for name in _names(units, promises)
        ),
        costs=_costs(routed),
    )


def routed_by(frame: pl.DataFrame, predictions: pl.DataFrame, calibration: Calibration, task: Task) -> pl.DataFrame:
    """Return the evidence as the calibrated candidate would serve it."""
    scored = score(frame, predictions, task, calibration.reference, calibration.shifts)
    return route(scored, calibration.threshold, calibration.always_teacher)


def holds(conditions: tuple[Condition, ...], level: float) -> bool:
    """Return whether every one of `conditions` is proven at `level`: `Evaluation.proven` without the telling."""
    return selection.all_hold(each.claim.proven(level) for each in conditions)


def _verdict(each: Condition, units: Units, promises: Promises, level: float, exploratory: bool) -> Verdict:
    proven = each.claim.proven(level)
    outcome: Outcome = "proven" if proven else "failed" if each.claim.failed(level) else "unproven"
    more = each.claim.more_units(level) if outcome == "unproven" else None
    return Verdict(
        condition=each.condition,
        slice=each.slice,
        metric=each.metric,
        subject=each.subject,
        reference=promises.reference,
        bar=each.claim.bar,
        outcome=outcome,
        estimate=each.claim.estimate(level),
        level=level,
        n_max=each.n_max,
        capped=each.capped,
        worst_case=each.worst_case,
        more_units=more,
        more_days=units.days_for(more, each.slice),
        required=each.required,
        exploratory=exploratory,
    )


def _names(units: Units, promises: Promises) -> tuple[str, ...]:
    """Return the slices of the table: derived ones, critical ones (also if nobody is in them), the others by name."""
    rest = sorted(name for name in units.member if name not in DERIVED and name not in promises.critical)
    return tuple(dict.fromkeys((*DERIVED, *promises.critical, *rest)))


def _row(
    name: str, routed: pl.DataFrame, units: Units, left: Collection[str], promises: Promises, *, level: float
) -> SliceResult:
    inside = units.mask(name)
    answered = routed["answered"].to_numpy()
    estimates = {}
    for who, column in (("student", "student"), ("system", "system"), ("teacher", "teacher_score")):
        means, counts = units.means(routed[column].to_numpy(), name)
        estimates[who] = betting.interval(means, counts, promises.n_max, level) if len(means) else None
    return SliceResult(
        slice=name,
        critical=name in promises.critical,
        requests=int(inside.sum()),
        units=units.count(name),
        share=float(inside.mean()) if len(inside) else 0.0,
        answered=float(answered[inside].mean()) if inside.any() else 0.0,
        student=estimates["student"],
        system=estimates["system"],
        teacher=estimates["teacher"],
        always_teacher=name in left,
    )


def _costs(routed: pl.DataFrame) -> Costs:
    def per_1k(column: str) -> float:
        values: NDArray[np.float64] = routed[column].to_numpy()
        return float(1000.0 * values.mean()) if len(values) else 0.0

    return Costs(
        teacher_per_1k=per_1k("teacher_cost"),
        student_per_1k=per_1k("own_cost"),
        blended_per_1k=per_1k("system_cost"),
    )
