"""Fit on `tune` how far the threshold of each critical slice lies from the common one.

One threshold for all asks too little where the student is surer than right, and too much where it is better than it
thinks. So confidence is moved in log-odds, by one number for each critical slice, before the common threshold is
applied: by what makes it mean the same there as elsewhere, and further down where a slice would be answered so
leniently that it could not be certified. All of it is fixed by `tune` and by how many units there are, so calibration
and test see a confidence like any other: no guarantee rests on whether the numbers are good.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from overproof.proof import power
from overproof.proof.confidence import log_odds, logistic

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

PRIOR = 1.0
"""Standard deviation, in log-odds, of what is expected beforehand: few examples move little."""
FARTHEST = 10.0
"""Log-odds beyond which nothing is moved."""
PLACES = 40
"""Thresholds looked at to find where a slice is best answered from."""
ENOUGH = 20
"""Units of `tune` in a slice below which it is not said where that is."""
PART = 0.25
"""Of delta: about the level that each half of a claim's procedures has (`calibrate.certify`)."""


@dataclass(frozen=True)
class Tuned:
    """What a candidate said to requests of `tune` that have an accepted answer, one row each."""

    confidence: Floats
    """0 where it has nothing to say."""
    right: Mask
    """Whether it said the accepted answer."""
    unit: NDArray[np.intp]
    member: Mapping[str, Mask]
    """For each critical slice that a router can recognise: which rows are in it."""


class Fitted(NamedTuple):
    """What `tune` says about each critical slice."""

    shifts: dict[str, float]
    """Log-odds to add to confidence."""
    starts: dict[str, float]
    """Share of the slice's units that is answered at the threshold it is worth most at; not there where unknown."""


class Start(NamedTuple):
    """A threshold, in log-odds, and the share of units that it answers."""

    odds: float
    share: float


def fit(tuned: Tuned, units: Mapping[str, int], *, alpha: float, delta: float) -> Fitted:
    """Return what is to be known of each slice of `tuned.member`; `units` are those of `calibrate`, "all" included."""
    everything = np.ones(len(tuned.right), dtype=bool)
    able = tuned.confidence > 0
    odds = log_odds(tuned.confidence)
    odds = odds + _gap(odds, tuned, able)  # what is wrong with confidence everywhere is no slice's own
    own = {name: _gap(odds, tuned, inside & able) for name, inside in tuned.member.items()}
    common = _best_start(odds + _lowest(own, tuned), tuned, everything, units["all"], alpha=alpha, delta=delta)
    found = Fitted({}, {})
    for name, inside in tuned.member.items():
        start = _best_start(odds + own[name], tuned, inside, units[name], alpha=alpha, delta=delta)
        later = 0.0 if start is None or common is None else min(0.0, common.odds - start.odds)
        found.shifts[name] = float(np.clip(own[name] + later, -FARTHEST, FARTHEST))
        if start is not None:
            found.starts[name] = start.share
    return found


def _gap(odds: Floats, tuned: Tuned, rows: Mask) -> float:
    """Return the number to add to `odds` that makes being right likeliest in `rows`, with its prior: by bisection."""
    if not rows.any():
        return 0.0
    z, right, weight = odds[rows], tuned.right[rows], _weight(tuned.unit[rows])
    low, high = -FARTHEST, FARTHEST
    for _ in range(50):
        middle = (low + high) / 2
        slope = float((weight * (right - logistic(z + middle))).sum()) - middle / PRIOR**2
        low, high = (middle, high) if slope > 0 else (low, middle)
    return (low + high) / 2


def _lowest(shifts: Mapping[str, float], tuned: Tuned) -> Floats:
    """Return the shift of each row: the lowest of the slices it is in, 0 in none."""
    low = np.full(len(tuned.right), np.inf)
    for name, inside in tuned.member.items():
        low[inside] = np.minimum(low[inside], shifts[name])
    return np.where(np.isinf(low), 0.0, low)


def _best_start(odds: Floats, tuned: Tuned, rows: Mask, units: int, *, alpha: float, delta: float) -> Start | None:
    """Return from where answering `rows` is worth most: units answered times the chance to certify them.

    Errors are those that `odds` themselves expect. None where `tune` holds too little of the slice, or nothing in it
    has a chance to be certified.
    """
    weight = _weight(tuned.unit[rows])
    seen = float(weight.sum())
    able = tuned.confidence[rows] > 0
    if seen < ENOUGH or not able.any():
        return None
    z, weight = odds[rows][able], weight[able]
    order = np.argsort(-z, kind="stable")
    answered, wrong = weight[order].cumsum(), (weight * (1 - logistic(z)))[order].cumsum()
    ends = np.flatnonzero(np.append(np.diff(z[order]) < 0, True))  # equal confidences are answered together
    ends = ends[np.unique(np.linspace(0, len(ends) - 1, min(PLACES, len(ends))).round().astype(np.intp))]
    worth = [
        (n := round(units * answered[i] / seen))
        * power.chance_to_prove_again(round(wrong[i]), max(1, round(answered[i])), alpha, PART * delta, n)
        for i in ends
    ]
    best = ends[int(np.argmax(worth))]
    return Start(float(z[order][best]), float(answered[best]) / seen) if max(worth) > 0 else None


def _weight(unit: NDArray[np.intp]) -> Floats:
    """Return weights that add up to 1 in every unit."""
    return 1.0 / np.bincount(unit)[unit] if len(unit) else np.zeros(0)
