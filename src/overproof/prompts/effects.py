"""How large a difference is: shares on two sides with an interval that counts units, and the usual effect sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Z95 = 1.96
HALF = 0.5
"""Requests lent to every value before logarithms are taken: one side may not have it at all."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Side:
    """One side of a comparison, counted by unit; a unit may stand on both sides."""

    counts: csr_array
    """Requests with each value, shape (units, values)."""
    sizes: Numbers
    """Requests that could have it, shape (units,)."""

    @property
    def totals(self) -> Numbers:
        """Requests with each value, shape (values,)."""
        return np.asarray(self.counts.sum(axis=0), np.float64)

    @property
    def shares(self) -> Numbers:
        """Share of the requests with each value, shape (values,)."""
        return self.totals / max(float(self.sizes.sum()), 1.0)


def interval(before: Side, after: Side) -> tuple[Numbers, Numbers]:
    """Return the 95 % interval of each difference of shares (after - before), shapes (values,). Asymptotic in units.

    Agresti and Caffo's (2000) interval, carried over to units: each side is lent two units of typical size, one with
    the value and one without, and the variance is that of ratio estimators over units. What a unit has on both sides
    counts as the covariance it is. With one request in every unit it is their interval.
    """
    one, other = _lent(before), _lent(after)
    both = after.counts.multiply(before.counts).sum(axis=0)
    crossed = np.asarray(both, np.float64) - other.share * (before.counts.T @ after.sizes)
    crossed += -one.share * (after.counts.T @ before.sizes) + one.share * other.share * (before.sizes @ after.sizes)
    variance = one.variance + other.variance - 2 * crossed / (one.size * other.size)
    difference, error = other.share - one.share, Z95 * np.sqrt(np.maximum(variance, 0.0))
    seen = after.shares - before.shares
    lower = np.minimum(np.maximum(difference - error, -1.0), seen)  # the lending never excludes what was seen
    upper = np.maximum(np.minimum(difference + error, 1.0), seen)
    return lower, upper


@dataclass(frozen=True)
class _Lent:
    size: float
    share: Numbers
    variance: Numbers


def _lent(side: Side) -> _Lent:
    """Return a side with two more units of typical size: shares, and their variance over units."""
    n, squares = float(side.sizes.sum()), float(side.sizes @ side.sizes)
    typical = squares / n if n else 1.0
    size = n + 2 * typical
    share = (side.totals + typical) / size
    own = np.asarray(side.counts.multiply(side.counts).sum(axis=0), np.float64)
    spread = own - 2 * share * (side.counts.T @ side.sizes) + share**2 * squares
    spread += typical**2 * ((1 - share) ** 2 + share**2)
    return _Lent(size, share, spread / size**2)


def cohen_h(before: Numbers, after: Numbers) -> Numbers:
    """Return Cohen's h of each pair of shares: 0.2 is called small, 0.5 medium, 0.8 large."""
    h: Numbers = 2 * (np.arcsin(np.sqrt(after)) - np.arcsin(np.sqrt(before)))
    return h


def stability_index(before: Numbers, after: Numbers) -> float:
    """Return the population stability index of two sets of counts over the same values, half a request lent to each.

    Below 0.1 is usually called stable, above 0.25 shifted.
    """
    one, other = before + HALF, after + HALF
    one, other = one / one.sum(), other / other.sum()
    return float(np.sum((other - one) * np.log(other / one)))
