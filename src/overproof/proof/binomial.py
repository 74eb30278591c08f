"""Exact binomial bounds and tails, for evidence that is one pre-drawn request per unit."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, betainc, betaincinv

Floats = NDArray[np.float64]

MOST = 10_000_000
"""Units beyond which "about so many more" stops being an answer."""


def lower(successes: ArrayLike, n: ArrayLike, delta: float) -> Floats:
    """Return the one-sided lower bound of a rate; 0 where n = 0. Arrays broadcast.

    **Exact**: above the truth with probability <= `delta`. Clopper & Pearson (1934), as a beta quantile.

    Raises:
        ValueError: counts that are not 0 <= successes <= n, or `delta` outside (0, 1).
    """
    k, m = _counts(successes, n)
    _level(delta)
    return np.where(k > 0, betaincinv(np.maximum(k, 1), m - k + 1, delta), 0.0)


def upper(successes: ArrayLike, n: ArrayLike, delta: float) -> Floats:
    """Return the one-sided upper bound of a rate; 1 where n = 0. The mirror of `lower`, same errors."""
    k, m = _counts(successes, n)
    return 1.0 - lower(m - k, m, delta)


def tail(errors: ArrayLike, n: ArrayLike, rate: float) -> Floats:
    """Return P(Bin(n, rate) <= errors): the exact p-value of "the error rate is `rate` or more".

    1 where n = 0 and 0 where errors < 0. Arrays broadcast.
    """
    k, m = np.broadcast_arrays(np.asarray(errors, dtype=np.float64), np.asarray(n, dtype=np.int64))
    p = bdtr(np.clip(k, 0, m), np.maximum(m, 1), rate)
    return np.where(k < 0, 0.0, np.where(m > 0, p, 1.0))


def least_units(alpha: float, delta: float) -> int:
    """Return the units without any error that prove an error rate below `alpha`: 72 at 5 % and 2.5 %."""
    _level(alpha)
    _level(delta)
    return int(np.ceil(np.log(delta) / np.log1p(-alpha)))


def units_needed(expected: float, bar: float, delta: float) -> int | None:
    """Return about how many units prove "rate >= `bar`" if the true rate is `expected`; None when none would.

    The smallest n at which exactly the expected number of successes is enough, so an even chance. The tail is
    interpolated between whole errors (an incomplete beta function), which removes the sawtooth.
    """
    return units_needed_at_most(1.0 - expected, 1.0 - bar, delta)


def units_needed_at_most(expected: float, bar: float, delta: float) -> int | None:
    """Return about how many units prove "error rate <= `bar`" if the true rate is `expected`; None when none would."""
    _level(delta)
    if not 0 <= expected < bar:
        return None
    if bar >= 1:
        return 1
    low, high = 1, 1
    while not _proves(high, expected, bar, delta):
        low, high = high, high * 2
        if high > MOST:
            return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _proves(middle, expected, bar, delta) else (middle + 1, high)
    return low


def _proves(n: int, expected: float, bar: float, delta: float) -> bool:
    errors = expected * n
    return float(betainc(n - errors, errors + 1, 1.0 - bar)) <= delta


def _counts(successes: ArrayLike, n: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    k, m = np.broadcast_arrays(np.asarray(successes, dtype=np.int64), np.asarray(n, dtype=np.int64))
    if np.any(k < 0) or np.any(k > m):
        raise ValueError("counts must satisfy 0 <= successes <= n")
    return k, m


def _level(delta: float) -> None:
    if not 0 < delta < 1:
        raise ValueError(f"a level lies strictly between 0 and 1, not {delta!r}")
