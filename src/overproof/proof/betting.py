"""Bets on weighted units: tests and bounds for means, valid at every sample size and at every look.

A unit i was seen n_i times with mean score s_i, and weighs w_i = min(n_i, n_max) / n_max. "The weighted mean is at
least b" is tested by betting against its opposite: wealth starts at 1 and is multiplied by 1 + λ z_i with
z_i = w_i (s_i - b) and a stake λ in [0, 1/b) chosen from past units. If the claim is false no strategy gains on
average, so wealth passes 1/δ with probability <= δ, ever (Ville 1939; Waudby-Smith & Ramdas 2024).

The stake is the universal portfolio (Cover 1991): money is divided beforehand over constant fractions of the largest
stake, so the stake in force is their mean weighted by what each has earned. Three things follow that a plug-in stake
(aGRAPA) does not have: one early error cannot ruin it, evidence is monotone in b so that "proven" and "the lower bound
clears the bar" are one statement, and its final wealth does not depend on the order of the units.

Arrays have units on the last axis; leading axes are independent data sets.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from overproof.core import chance
from overproof.core.types import Estimate, Record

Floats = NDArray[np.float64]

FRACTIONS: Floats = np.concatenate([[0.01, 0.03], np.arange(0.05, 1.0, 0.1), [0.9, 0.99]])
"""Shares of the largest stake that money is divided over; all below 1, so no unit can take everything."""
SHARES: Floats = np.concatenate([np.full(12, 1 / 24), [0.25, 0.25]])
"""The division: half spread evenly, half on the two bold ones, which is what few units without errors need."""

_DEPTH = 20
"""Halvings in a search: bounds are exact to 2**-20, and rounded to the safe side."""
_SLACK = 1e-9
"""How far a mean may leave its range through rounding."""
_HUGE = 1e300


class Test(Record):
    """A promise about a weighted mean, held against its opposite by betting. Kind: **anytime**."""

    __test__ = False  # not a test case, whatever its name suggests to pytest

    value: float | None
    """The weighted mean seen; None when no unit carries weight."""
    bar: float
    p_value: float
    """1 / largest wealth reached, at most 1."""
    rejected: bool
    """The opposite of the promise was rejected: the promise is proven."""
    level: float
    units: int


# --- units and their weights -----------------------------------------------------------------------------------------


def order(unit_ids: Sequence[str], seed: str) -> NDArray[np.intp]:
    """Return the order in which units are bet on: fixed by seed and ids alone, whatever order they come in.

    Raises:
        ValueError: an id occurs twice.
    """
    if len(set(unit_ids)) != len(unit_ids):
        raise ValueError("a unit stands in the list twice; each is one piece of evidence")
    return np.argsort(np.array(chance.draws(seed, unit_ids)), kind="stable")


def weights(counts: ArrayLike, n_max: int) -> Floats:
    """Return min(n_i, n_max) / n_max for units seen n_i times; a unit seen 0 times carries no weight."""
    n = np.asarray(counts, dtype=np.float64)
    if n_max < 1:
        raise ValueError(f"n_max is at least 1, not {n_max!r}")
    if not np.all(n >= 0):
        raise ValueError("counts are 0 or more")
    return np.minimum(n, n_max) / n_max


def effective(counts: ArrayLike, n_max: int) -> float:
    """Return Kish's effective number of units, (Σw)² / Σw²; 0 when nothing carries weight."""
    w = weights(counts, n_max)
    squares = float((w * w).sum())
    return float(w.sum()) ** 2 / squares if squares else 0.0


def capped_share(counts: ArrayLike, n_max: int) -> float:
    """Return the share of requests beyond `n_max` in their unit, which carry no weight."""
    n = np.asarray(counts, dtype=np.float64)
    total = float(n.sum())
    return float(np.maximum(n - n_max, 0).sum()) / total if total else 0.0


def estimate(scores: ArrayLike, counts: ArrayLike, n_max: int) -> Floats:
    """Return the mean of `scores` weighted by min(n_i, n_max), over the last axis; NaN where nothing carries weight."""
    w = np.broadcast_to(weights(counts, n_max), np.shape(scores))
    total = w.sum(-1)
    return np.where(total > 0, (w * np.asarray(scores)).sum(-1) / np.where(total > 0, total, 1.0), np.nan)


# --- the bet ---------------------------------------------------------------------------------------------------------


def wealth(z: ArrayLike, floor: ArrayLike) -> Floats:
    """Return the log-wealth after each unit, betting against "mean of z <= 0"; same shape as `z`.

    `floor` is the most that z can lie below zero (z >= -floor), known before the data: a number, or one for each
    leading axis with a trailing axis of length 1. The largest stake is 1 / floor.

    Raises:
        ValueError: z below -floor or not a number, or a floor that is not positive.
    """
    return np.log(np.clip(_wealth(_relative(z, floor)), 1 / _HUGE, _HUGE))


def p_value(z: ArrayLike, floor: ArrayLike) -> Floats:
    """Return 1 / largest wealth, at most 1, for "mean of z <= 0"; over the last axis. Arguments as for `wealth`."""
    return _p(_relative(z, floor))


def _relative(z: ArrayLike, floor: ArrayLike) -> Floats:
    values, least = np.asarray(z, dtype=np.float64), np.asarray(floor, dtype=np.float64)
    if not np.all(least > 0):
        raise ValueError("the floor of a bet is positive")
    x = values / least
    if not np.all(x >= -1 - _SLACK):
        raise ValueError("a payoff lies below its floor, or is not a number")
    return np.maximum(x, -1.0)


def _wealth(x: Floats) -> Floats:
    """Return wealth for payoffs in units of the floor: the divided money, each part betting its constant fraction."""
    total = np.zeros_like(x)
    with np.errstate(over="ignore", under="ignore"):  # both ends mean what they say: beyond doubt, or nothing left
        for fraction, share in zip(FRACTIONS, SHARES, strict=True):
            total += share * np.cumprod(1.0 + fraction * x, axis=-1)
    return total


def _p(x: Floats) -> Floats:
    return np.asarray(1.0 / np.minimum(_wealth(x).max(axis=-1, initial=1.0), _HUGE))


# --- rates: scores in [0, 1] -----------------------------------------------------------------------------------------


def test_at_least(scores: ArrayLike, counts: ArrayLike, bar: float, n_max: int, delta: float) -> Test:
    """Test "the weighted mean score is at least `bar`" on units, shape (units,), in their fixed order.

    Rejects falsely with probability <= `delta`, however often it is looked at while units are added. Units are
    taken as independent draws from one population; requests within a unit may depend on each other in any way.

    Raises:
        ValueError: scores outside [0, 1], negative counts, `bar` outside (0, 1], `delta` outside (0, 1).
    """
    s, w = _units(scores, counts, n_max, delta)
    if not 0 < bar <= 1:
        raise ValueError(f"a bar lies in (0, 1], not {bar!r}")
    return _settle(w * (s - bar), bar, value=_value(s, w), bar=bar, delta=delta)


def lower(scores: ArrayLike, counts: ArrayLike, n_max: int, delta: float) -> Floats:
    """Return the largest bar that `test_at_least` proves, shape of the leading axes; 0 where none is.

    Evidence is monotone in the bar, so every smaller bar is proven too. **Anytime**: above the truth with probability
    <= `delta` at every look at once. Rounded down by at most 2**-20.
    """
    s, w = _units(scores, counts, n_max, delta)
    proven = np.zeros(s.shape[:-1])
    step = 0.5
    for _ in range(_DEPTH):
        bar = (proven + step)[..., None]
        proven = np.where(_p(w * (s / bar - 1.0)) <= delta, bar[..., 0], proven)
        step /= 2
    return proven


def upper(scores: ArrayLike, counts: ArrayLike, n_max: int, delta: float) -> Floats:
    """Return the upper bound of the weighted mean score: 1 - `lower` of the mirrored scores."""
    return 1.0 - lower(1.0 - np.asarray(scores, dtype=np.float64), counts, n_max, delta)


def interval(scores: ArrayLike, counts: ArrayLike, n_max: int, delta: float) -> Estimate | None:
    """Return the weighted mean with both bounds, each missing with probability <= `delta`; None without weight.

    Bounds remember the best evidence on the way. Should what followed contradict it, so that the mean lies outside
    them, they are widened to the mean: that costs no validity.
    """
    s, w = _units(scores, counts, n_max, delta)
    value = _value(s, w)
    if value is None:
        return None
    return Estimate(
        value=value,
        lower=min(float(lower(s, counts, n_max, delta)), value),
        upper=max(float(upper(s, counts, n_max, delta)), value),
        kind="anytime",
        level=delta,
        requests=int(np.asarray(counts).sum()),
        units=s.shape[-1],
        effective=effective(counts, n_max),
    )


# --- paired: student and teacher on the same units -------------------------------------------------------------------


def test_difference(
    student: ArrayLike, teacher: ArrayLike, counts: ArrayLike, *, margin: float, n_max: int, delta: float
) -> Test:
    """Test "the student's weighted mean is at most `margin` below the teacher's", unit by unit.

    The bet is `test_at_least` on (student - teacher + 1) / 2 against (1 - margin) / 2: same level, same errors.
    """
    if not 0 <= margin < 1:
        raise ValueError(f"a margin lies in [0, 1), not {margin!r}")
    s, w = _units(_paired(student, teacher), counts, n_max, delta)
    bar, value = (1.0 - margin) / 2, _value(s, w)
    return _settle(w * (s - bar), bar, value=None if value is None else 2 * value - 1, bar=-margin, delta=delta)


def lower_difference(student: ArrayLike, teacher: ArrayLike, counts: ArrayLike, n_max: int, delta: float) -> Floats:
    """Return the lower bound of the weighted mean of student - teacher, in [-1, 1]."""
    return 2.0 * lower(_paired(student, teacher), counts, n_max, delta) - 1.0


def upper_difference(student: ArrayLike, teacher: ArrayLike, counts: ArrayLike, n_max: int, delta: float) -> Floats:
    """Return the upper bound of the weighted mean of student - teacher, in [-1, 1]."""
    return 2.0 * upper(_paired(student, teacher), counts, n_max, delta) - 1.0


def _paired(student: ArrayLike, teacher: ArrayLike) -> Floats:
    ours, theirs = np.asarray(student, dtype=np.float64), np.asarray(teacher, dtype=np.float64)
    if ours.shape != theirs.shape:
        raise ValueError("student and teacher must be scored on the same units")
    return (ours - theirs + 1.0) / 2.0


# --- amounts: cost for each request, in [0, cap] ---------------------------------------------------------------------


def test_mean_at_most(
    values: ArrayLike, counts: ArrayLike, *, bar: float, cap: float, n_max: int, delta: float
) -> Test:
    """Test "the weighted mean amount is at most `bar`" for amounts in [0, `cap`] (same unit of money for all three).

    The bet is `test_at_least` on 1 - values / cap. A bar at or above the cap holds by definition (p-value 0).
    """
    s, w = _units(_below(values, cap), counts, n_max, delta)
    level, value = 1.0 - bar / cap, _value(s, w)
    mean = None if value is None else cap * (1.0 - value)
    if level <= 0:
        return Test(value=mean, bar=bar, p_value=0.0, rejected=True, level=delta, units=s.shape[-1])
    return _settle(w * (s - level), level, value=mean, bar=bar, delta=delta)


def lower_mean(values: ArrayLike, counts: ArrayLike, cap: float, n_max: int, delta: float) -> Floats:
    """Return the lower bound of the weighted mean of amounts in [0, `cap`]."""
    return cap * (1.0 - upper(_below(values, cap), counts, n_max, delta))


def upper_mean(values: ArrayLike, counts: ArrayLike, cap: float, n_max: int, delta: float) -> Floats:
    """Return the upper bound of the weighted mean of amounts in [0, `cap`]."""
    return cap * (1.0 - lower(_below(values, cap), counts, n_max, delta))


def _below(values: ArrayLike, cap: float) -> Floats:
    if not cap > 0:
        raise ValueError(f"a cap is positive, not {cap!r}")
    return 1.0 - np.asarray(values, dtype=np.float64) / cap


# --- what all tests share --------------------------------------------------------------------------------------------


def _units(scores: ArrayLike, counts: ArrayLike, n_max: int, delta: float) -> tuple[Floats, Floats]:
    s = np.asarray(scores, dtype=np.float64)
    if not 0 < delta < 1:
        raise ValueError(f"a level lies strictly between 0 and 1, not {delta!r}")
    if not np.all((s >= -_SLACK) & (s <= 1 + _SLACK)):
        raise ValueError("scores lie in [0, 1] (amounts in [0, cap], differences in [-1, 1]); one does not")
    return np.clip(s, 0.0, 1.0), np.broadcast_to(weights(counts, n_max), s.shape)


def _value(s: Floats, w: Floats) -> float | None:
    total = float(w.sum())
    return float((w * s).sum()) / total if total else None


def _settle(z: Floats, floor: float, *, value: float | None, bar: float, delta: float) -> Test:
    p = float(p_value(z, floor))
    return Test(value=value, bar=bar, p_value=p, rejected=p <= delta, level=delta, units=z.shape[-1])
