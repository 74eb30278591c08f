"""Calibrate a candidate: from which confidence on may it answer, and for whom must the teacher go on answering?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overproof.calibrate.certify import Ahead, Choice, Drawn, choose
from overproof.calibrate.curve import curve
from overproof.calibrate.options import CalibrateOptions
from overproof.core.protocols import Task
from overproof.core.splits import Calibrate, only
from overproof.core.types import Calibration, Confidence, Reference, SliceThreshold
from overproof.proof import binomial, reliability, thresholds
from overproof.tasks.scoring import Units, route, score


def calibrate(
    evidence: Calibrate,
    predictions: pl.DataFrame,
    task: Task,
    *,
    candidate: str,
    reference: Reference,
    alpha: float,
    delta: float,
    critical: Sequence[str],
    tune_confidence: NDArray[np.floating],
    options: CalibrateOptions,
    seed: str,
    unroutable: Collection[str] = (),
    tune_by_slice: Mapping[str, NDArray[np.floating]] | None = None,
    temperature: float = 1.0,
    confidence: Confidence | None = None,
    shifts: Mapping[str, float] | None = None,
    starts: Mapping[str, float] | None = None,
    test_units: int | None = None,
    test_level: float | None = None,
) -> Calibration:
    """Return when `candidate` may answer, so that its error rate among the answered stays at or below `alpha`.

    The claims made (overall, and each critical slice not in `always_teacher`) are each wrong with probability at most
    `delta`. They are about units: pick a unit, then one of its requests (of the slice, for a slice). `tune_confidence`,
    0 where it had nothing to say, fixes the grid; one that always says the same gets a grid of one point. `unroutable`
    names critical slices that cannot be recognised before answering (those over `label`): all of them are certified, or
    nothing is. `tune_by_slice` are the confidences of `tune` in each critical slice: where a slice is harder than the
    rest, its sequence of tests must know, or it starts where too little is answered to prove anything. `shifts` are
    log-odds by critical slice, fixed without this evidence (`calibrate.shifts`, which finds `starts` too): everything
    here, the confidences of `tune` handed in included, is about confidence after them. `confidence` says what it is,
    and is noted. `test_units` and `test_level` say what the test to come will be: the threshold is then one that it is
    likely to prove again.

    Raises:
        TypeError: `evidence` is not the calibrate split.
        ValueError: predictions that cannot be scored (`tasks.scoring.score`).
    """
    scored = score(only(Calibrate, evidence).frame, predictions, task, reference, shifts)
    units = Units.of(scored, seed)
    drawn = drawn_from(scored, units, critical)
    tuned = np.asarray(tune_confidence, dtype=np.float64)
    grid = thresholds.grid_from_tune(
        tuned,
        len(drawn.rows["all"]),
        options.start_units,
        options.points,
        binomial.least_units(alpha, delta / 2),
    )
    choice = choose(
        drawn,
        grid,
        tuned,
        alpha=alpha,
        delta=delta,
        start_units=options.start_units,
        unroutable=frozenset(unroutable),
        starts=starts,
        ahead=_ahead(test_units, test_level, len(drawn.rows["all"]), options),
        tune_by_slice={name: np.asarray(own, dtype=np.float64) for name, own in (tune_by_slice or {}).items()},
    )
    routed = route(scored, choice.threshold, choice.always_teacher)
    rows = drawn.rows["all"]
    overall = choice.claims["all"]
    sure, right = scored["own_confidence"].to_numpy()[rows], ~drawn.wrong[rows]
    return Calibration(
        candidate=candidate,
        reference=reference,
        alpha=alpha,
        delta=delta,
        temperature=temperature,
        confidence=confidence or Confidence(),
        threshold=choice.threshold,
        shifts=_kept(shifts or {}, choice),
        coverage=float(routed["answered"].to_numpy().mean()) if routed.height else 0.0,
        risk=overall.errors / overall.answered if overall.answered else 0.0,
        answered_units=overall.answered,
        errors=overall.errors,
        p_value=overall.p_value,
        always_teacher=choice.always_teacher,
        slices=tuple(_slice(name, choice, units, alpha) for name in critical),
        curve=curve(scored, rows, grid, choice.always_teacher if choice.threshold is not None else (), delta),
        ece=reliability.ece(sure, right),
        brier=reliability.brier(sure, right),
        reliability=reliability.bins(sure, right),
    )


def _kept(shifts: Mapping[str, float], choice: Choice) -> dict[str, float]:
    """Return the shifts of the slices that are answered; what is left to the teacher needs none."""
    left = set(shifts) if choice.threshold is None else set(choice.always_teacher)
    return {name: shift for name, shift in shifts.items() if name not in left}


def _ahead(units: int | None, level: float | None, here: int, options: CalibrateOptions) -> Ahead | None:
    if units is None or level is None or not here or not options.again:
        return None
    return Ahead(level=level, units=units / here, chance=options.again)


def drawn_from(scored: pl.DataFrame, units: Units, critical: Sequence[str]) -> Drawn:
    """Return what certification reads of a scored table."""
    return Drawn(
        confidence=scored["confidence"].to_numpy(),
        wrong=scored["student"].to_numpy() < 1.0,
        rows={name: units.drawn(name) for name in dict.fromkeys(("all", *critical))},
        member={name: units.mask(name) for name in critical},
    )


def _slice(name: str, choice: Choice, units: Units, alpha: float) -> SliceThreshold:
    claim = choice.claims[name]
    kept = choice.threshold is not None and name not in choice.always_teacher
    more = None if kept else thresholds.units_to_certify(claim.answered, claim.errors, claim.units, alpha, claim.level)
    return SliceThreshold(
        slice=name,
        certified=kept,
        answered_units=claim.answered,
        errors=claim.errors,
        p_value=claim.p_value,
        more_units=more,
        more_days=units.days_for(more, name),
    )
