"""Learn-then-Test: at which confidence may a student answer, so that its errors stay below alpha?

Evidence is one pre-drawn request per unit, so errors among the answered are binomial given how many were answered and
tails are **exact**. A request is answered when its confidence is at or above the threshold: ties are answered.
Angelopoulos, Bates, Candès, Jordan & Lei (2021), "Learn then Test", with two of its sequential procedures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from overproof.core.types import Record
from overproof.proof.binomial import least_units, tail, units_needed_at_most

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

SPREAD = 12
"""Thresholds of the grid that the Bonferroni procedure tests; fixed, like the grid."""


class Counts(Record):
    """What each threshold answers in each slice: arrays of shape (slices, thresholds)."""

    answered: NDArray[np.int64]
    errors: NDArray[np.int64]


def count(confidence: ArrayLike, correct: ArrayLike, slices: ArrayLike, grid: ArrayLike) -> Counts:
    """Count answered requests and errors among them, for every slice and threshold in one pass.

    Args:
        confidence: shape (n,), finite.
        correct: shape (n,), 0 or 1.
        slices: codes from 0, shape (n,); or membership, shape (n, k), boolean, where slices may overlap.
        grid: thresholds, shape (g,), ascending.

    Raises:
        ValueError: shapes that do not fit, a confidence that is not a number, a grid that is not ascending.
    """
    c, wrong, thresholds = np.asarray(confidence), ~np.asarray(correct, dtype=bool), np.asarray(grid, dtype=np.float64)
    if c.ndim != 1 or c.shape != wrong.shape or len(c) != len(np.asarray(slices)):
        raise ValueError("confidence, correct and slices must have one row for each request")
    if np.isnan(c).any():
        raise ValueError("a confidence is not a number; it would count as answered by every threshold")
    if thresholds.ndim != 1 or not np.all(np.diff(thresholds) >= 0):
        raise ValueError("the grid must be ascending")
    # Bin j holds what reaches threshold j-1 but not j; bin 0 what reaches none.
    place, width = np.searchsorted(thresholds, c, side="right"), len(thresholds) + 1
    rows, codes, k = _members(np.asarray(slices))
    if rows is not None:
        place, wrong = place[rows], wrong[rows]
    cell = codes * width + place
    return Counts(answered=_from_the_top(cell, k, width), errors=_from_the_top(cell[wrong], k, width))


def _members(slices: NDArray[np.generic]) -> tuple[NDArray[np.intp] | None, NDArray[np.intp], int]:
    """Return (row, code) of every membership and the number of slices; rows is None for one slice per row."""
    if slices.ndim == 2:
        rows, codes = np.nonzero(slices)
        return rows, codes, slices.shape[1]
    if slices.ndim != 1 or slices.dtype.kind not in "iu":
        raise ValueError("slices are whole numbers from 0, or a boolean matrix (requests, slices)")
    codes = slices.astype(np.intp)
    if codes.min(initial=0) < 0:
        raise ValueError("slices are numbered from 0")
    return None, codes, int(codes.max(initial=-1)) + 1


def _from_the_top(cell: NDArray[np.intp], k: int, width: int) -> NDArray[np.int64]:
    counts = np.bincount(cell, minlength=k * width).reshape(k, width)
    return counts[:, :0:-1].cumsum(axis=1)[:, ::-1]


def table(confidence: ArrayLike, correct: ArrayLike, slices: ArrayLike, grid: ArrayLike, alpha: float) -> Floats:
    """Return exact p-values of "the error rate among the answered is `alpha` or more", shape (slices, thresholds).

    P(Bin(answered, alpha) <= errors); 1 where nothing is answered. Arguments and errors as for `count`.
    """
    counts = count(confidence, correct, slices, grid)
    return tail(counts.errors, counts.answered, alpha)


def grid_from_tune(
    tune_confidence: ArrayLike, n_calibrate_units: int, start_units: int = 200, points: int = 50, least: int = 72
) -> Floats:
    """Return thresholds, ascending and distinct, at evenly spaced coverages, read from `tune` alone.

    The strictest is where about `start_units` of `n_calibrate_units` would be answered. With fewer than twice as many
    units it is where half would be, but not fewer than `least` (`binomial.least_units` of alpha and its level: fewer
    cannot certify anything). The most lenient is the lowest confidence of `tune` above 0, for confidence 0 says that
    there is no answer. Empty when there is none above 0.
    """
    c = np.sort(np.asarray(tune_confidence, dtype=np.float64))[::-1]
    if np.isnan(c).any():
        raise ValueError("a confidence is not a number")
    most = int((c > 0).sum())
    if not most:
        return np.zeros(0)
    start = min(start_units, max(least, n_calibrate_units / 2)) / max(n_calibrate_units, 1)
    answered = np.linspace(min(start * len(c), most), most, points)
    return np.unique(c[np.ceil(answered - 1e-9).astype(np.intp) - 1])


def certified(
    p: ArrayLike, level: float, expected: ArrayLike | None = None, start: float = 0.0, least: float = 0.0
) -> Mask:
    """Return which thresholds of an ascending grid are certified, all at once with error probability <= `level`.

    Half of the level goes to a fixed sequence from strict to lenient, until the first that is not proven; the other
    half is divided over at most 12 thresholds spread over the grid, which an unlucky start cannot stop. Any certified
    threshold may then be picked, by any rule.

    Args:
        p: exact p-values, shape (g,): of "the error rate among the answered is alpha or more" (`table`).
        level: shared by both procedures.
        expected: answered units expected at each threshold, known without the scores, so that both lists are fixed
            beforehand; None: as many as can be wished for.
        start: the sequence begins at the strictest threshold at which so many are expected, at the most lenient of
            all where there is none.
        least: only thresholds at which so many are expected can be certified by the spread; where there is none,
            nothing is.

    Raises:
        ValueError: `level` outside (0, 1].
    """
    if not 0 < level <= 1:
        raise ValueError(f"a level lies between 0 and 1, not {level!r}")
    values = np.asarray(p, dtype=np.float64)
    units = np.full(len(values), np.inf) if expected is None else np.asarray(expected, dtype=np.float64)
    found = np.zeros(len(values), dtype=bool)
    able = np.flatnonzero(units >= least)
    if not len(able):
        return found
    begins = np.flatnonzero(units >= start)[-1] if (units >= start).any() else 0
    failed = np.flatnonzero(values[: begins + 1] > level / 2)
    found[(failed[-1] + 1 if len(failed) else 0) : begins + 1] = True
    spread = np.unique(able[np.linspace(0, len(able) - 1, min(SPREAD, len(able))).round().astype(np.intp)])
    found[spread[values[spread] <= level / 2 / len(spread)]] = True
    return found


def units_to_certify(answered: int, errors: int, units: int, alpha: float, delta: float) -> int | None:
    """Return about how many more units would certify, at the error rate and coverage seen; 0 when enough were seen.

    `answered` of `units` were answered at the threshold in question, `errors` of them wrongly; the level is delta / 2,
    that of each half of `certified`. With nothing answered: as if every unit were, without an error. None when the rate
    seen is at or above `alpha`.
    """
    if not 0 <= errors <= answered <= units:
        raise ValueError("counts must satisfy 0 <= errors <= answered <= units")
    if not answered:
        return least_units(alpha, delta / 2)
    if float(tail(errors, answered, alpha)) <= delta / 2:
        return 0
    needed = units_needed_at_most(errors / answered, alpha, delta / 2)
    return None if needed is None else max(1, int(np.ceil((needed - answered) * units / answered)))
