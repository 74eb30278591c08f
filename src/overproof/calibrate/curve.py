"""What each threshold of the grid would do on `calibrate`: coverage, risk, cost and speed, in one pass."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overproof.core.types import CurvePoint
from overproof.proof import binomial

Floats = NDArray[np.float64]


def curve(
    scored: pl.DataFrame, drawn: NDArray[np.intp], grid: Floats, always_teacher: Collection[str], delta: float
) -> tuple[CurvePoint, ...]:
    """Return one point for each threshold of `grid`, strict to lenient.

    `scored` is what `tasks.scoring.score` returns, `drawn` the one request per unit that risk is counted on. Coverage,
    cost and latency are over all requests; `risk_upper` is the exact bound at `delta` for that point alone. Latency
    counts the candidate's own time on every request, and the teacher's where it answers; None where any is unknown.
    """
    closed = scored["slices"].list.eval(pl.element().is_in(list(always_teacher))).list.any().to_numpy()
    confidence = np.where(closed, -1.0, scored["confidence"].to_numpy())
    place = np.searchsorted(grid, confidence, side="right")
    teacher_cost = scored["teacher_cost"].to_numpy()
    kept = _from_the_top(place, np.ones(len(place)), len(grid))
    saved = _from_the_top(place, teacher_cost, len(grid))
    cost = scored["own_cost"].to_numpy().sum() + teacher_cost.sum() - saved
    latency = _latency(scored, place, len(grid))
    wrong = scored["student"].to_numpy()[drawn] < 1.0
    answered = _from_the_top(place[drawn], np.ones(len(drawn)), len(grid)).round().astype(np.int64)
    errors = _from_the_top(place[drawn], wrong.astype(np.float64), len(grid)).round().astype(np.int64)
    upper = binomial.upper(errors, answered, delta)
    n = max(len(place), 1)
    return tuple(
        CurvePoint(
            threshold=float(grid[t]),
            coverage=float(kept[t] / n),
            risk=float(errors[t] / answered[t]) if answered[t] else 0.0,
            risk_upper=float(upper[t]),
            teacher_share=float(1.0 - kept[t] / n),
            cost_per_1k=float(1000.0 * cost[t] / n),
            latency_mean_ms=None if latency is None else float(latency[t]),
        )
        for t in reversed(range(len(grid)))
    )


def _latency(scored: pl.DataFrame, place: NDArray[np.intp], points: int) -> Floats | None:
    own, teacher = scored["own_latency_ms"], scored["teacher_latency_ms"]
    if own.null_count() or teacher.null_count() or not len(own):
        return None
    theirs = teacher.to_numpy()
    total = own.to_numpy().sum() + theirs.sum() - _from_the_top(place, theirs, points)
    return np.asarray(total / len(own))


def _from_the_top(place: NDArray[np.intp], values: Floats, points: int) -> Floats:
    """Sum `values` over all rows that reach each threshold; row i reaches the first `place[i]` of the grid."""
    sums = np.bincount(place, values, minlength=points + 1)
    return sums[:0:-1].cumsum()[::-1]
