"""The bet that a system saves: unit sums of (1 - saving) x teacher's cost - system's cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from overproof.core.types import Estimate
from overproof.proof.betting import Test, effective, p_value, weights

Floats = NDArray[np.float64]

_SHARES: Floats = np.arange(-99, 100) / 100
"""Grid of the saved share: whole percents."""


def test_saving(
    teacher_cost: ArrayLike,
    system_cost: ArrayLike,
    counts: ArrayLike,
    *,
    min_saving: float,
    cap: float,
    n_max: int,
    delta: float,
    extra: float | None = None,  # noqa: PT028 -- a test of a claim, not of this code
) -> Test:
    """Test "the system costs at most (1 - `min_saving`) of what the teacher does" on the same units.

    Costs are means per request of each unit, shape (units,), in the order fixed for the bet; weights are
    min(n_i, n_max) / n_max. `cap` bounds the cost of one request for both (price x `max_tokens`). Where the system can
    cost at most `extra` more than the teacher on any request (it asks the same teacher or answers itself), saying so
    allows larger stakes: the payoff is then at least -(min_saving x cap + extra) instead of -cap.

    **Anytime**, level `delta`: betting on (1 - min_saving) t_i - c_i, as `betting.test_at_least`. `value` is the saved
    share seen. Raises ValueError when a cost leaves its bounds.
    """
    if not 0 <= min_saving < 1:
        raise ValueError(f"a saving lies in [0, 1), not {min_saving!r}")
    teacher, system, w = _costs(teacher_cost, system_cost, counts, cap=cap, n_max=n_max, extra=extra)
    if not 0 < delta < 1:
        raise ValueError(f"a level lies strictly between 0 and 1, not {delta!r}")
    p = float(_p_saves(teacher, system, w, min_saving, cap=cap, extra=extra))
    value = _share(teacher, system, w)
    return Test(value=value, bar=min_saving, p_value=p, rejected=p <= delta, level=delta, units=len(w))


def saved(
    teacher_cost: ArrayLike,
    system_cost: ArrayLike,
    counts: ArrayLike,
    *,
    cap: float,
    n_max: int,
    delta: float,
    extra: float | None = None,
) -> Estimate | None:
    """Return the saved share, 1 - system / teacher, with bounds that each miss with probability <= `delta`.

    Bounds lie on a grid of whole percents: the lower one is the largest share below which every share is proven, -1
    standing for "nothing is"; the upper one mirrors it. None where the teacher's units carry no cost.
    """
    teacher, system, w = _costs(teacher_cost, system_cost, counts, cap=cap, n_max=n_max, extra=extra)
    value = _share(teacher, system, w)
    if value is None:
        return None
    return Estimate(
        value=value,
        lower=_lowest(teacher, system, w, cap=cap, extra=extra, delta=delta),
        upper=_highest(teacher, system, w, cap=cap, delta=delta),
        kind="anytime",
        level=delta,
        requests=int(np.asarray(counts).sum()),
        units=len(w),
        effective=effective(counts, n_max),
    )


def _lowest(teacher: Floats, system: Floats, w: Floats, *, cap: float, extra: float | None, delta: float) -> float:
    """Stop before the first share that is not proven: evidence need not be monotone where stakes depend on it."""
    proven = _p_saves(teacher, system, w, _SHARES[:, None], cap=cap, extra=extra) <= delta
    # argmin is the first that is not proven; 0 when all are, and -1 is then the last
    return float(_SHARES[proven.argmin() - 1]) if proven[0] else -1.0


def _highest(teacher: Floats, system: Floats, w: Floats, *, cap: float, delta: float) -> float:
    """The mirror: evidence that less than a share is saved grows with the share."""
    kept = 1.0 - _SHARES[::-1, None]
    refuted = p_value(w * (system - kept * teacher), kept * cap) <= delta
    return float(_SHARES[::-1][refuted.argmin() - 1]) if refuted[0] else 1.0


def _p_saves(
    teacher: Floats, system: Floats, w: Floats, share: ArrayLike, *, cap: float, extra: float | None
) -> Floats:
    r = np.asarray(share, dtype=np.float64)
    floor = np.full(r.shape, cap) if extra is None else np.maximum(r, 0.0) * cap + extra
    return p_value(w * ((1.0 - r) * teacher - system), np.maximum(floor, 1e-3 * cap))


def _costs(
    teacher_cost: ArrayLike, system_cost: ArrayLike, counts: ArrayLike, *, cap: float, n_max: int, extra: float | None
) -> tuple[Floats, Floats, Floats]:
    teacher, system = np.asarray(teacher_cost, dtype=np.float64), np.asarray(system_cost, dtype=np.float64)
    if not (cap > 0 and (extra is None or extra >= 0)):
        raise ValueError("a cap is positive, and what may come on top of the teacher's cost is not negative")
    slack = 1e-9 * cap
    most = cap if extra is None else teacher + extra
    if not (np.all((teacher >= 0) & (teacher <= cap + slack)) and np.all((system >= 0) & (system <= most + slack))):
        raise ValueError("a cost lies outside what the caps allow, or is not a number")
    return teacher, system, np.broadcast_to(weights(counts, n_max), teacher.shape)


def _share(teacher: Floats, system: Floats, w: Floats) -> float | None:
    total = float((w * teacher).sum())
    return 1.0 - float((w * system).sum()) / total if total else None
