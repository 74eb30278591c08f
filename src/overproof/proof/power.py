"""How much evidence a bet needs: before it is gathered, and when some of it has been seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, gammaln, logsumexp, ndtri

from overproof.proof import binomial
from overproof.proof.betting import FRACTIONS, SHARES, weights
from overproof.proof.binomial import MOST

Floats = NDArray[np.float64]

_SIZES: NDArray[np.int64] = np.unique(np.geomspace(1, MOST, 4000).astype(np.int64))
"""Numbers of units that are tried: every one up to about 250, then in steps of 0.4 %."""


def error_free_units(bar: float, delta: float, counts_like: ArrayLike, n_max: int) -> float:
    """Return the units that the largest conceivable stake (1 / bar) needs when no score is below 1: a floor.

    No bet of any kind does with fewer; `units_needed` says what ours needs. Units sized like `counts_like`, as there.
    """
    return float(np.log(1 / delta) / np.mean(np.log1p(weights(counts_like, n_max) * (1.0 / bar - 1.0))))


def units_needed(
    bar: float, expected: float, delta: float, counts_like: ArrayLike, n_max: int, *, power: float = 0.8
) -> int | None:
    """Return about how many units prove "weighted mean >= `bar`" with chance `power`, if the truth is `expected`.

    Units have sizes like `counts_like` and are each wholly right or wholly wrong, the hardest case for their mean.
    A unit multiplies part j of the money by a random factor; the sum of n logarithms is taken as normal (its mean and
    variance are exact), and the parts rise and fall together, so their quantiles add up to the wealth's. None when
    `expected` <= `bar`, or when more than ten million units would be needed. **Asymptotic**: for planning only.
    """
    if not 0 < bar <= 1 or not 0 <= expected <= 1 or not 0 < power < 1:
        raise ValueError("bar lies in (0, 1], expected in [0, 1] and power in (0, 1)")
    w = weights(counts_like, n_max)
    if expected <= bar or not w.any():
        return None
    sizes, share = np.unique(w, return_counts=True)
    share = share / share.sum()
    won = np.log1p(FRACTIONS[:, None] * sizes * (1.0 / bar - 1.0))
    lost = np.log1p(-FRACTIONS[:, None] * sizes)
    growth = (share * (expected * won + (1 - expected) * lost)).sum(-1)
    spread = np.sqrt((share * (expected * won**2 + (1 - expected) * lost**2)).sum(-1) - growth**2 + 1e-18)
    return _first(np.zeros_like(growth), growth, spread * ndtri(power), delta)


def more_units(scores: ArrayLike, counts: ArrayLike, bar: float, n_max: int, delta: float) -> int | None:
    """Return about how many more units would prove `bar`, if they are like those seen; 0 when it is proven.

    The bet goes on from the wealth it has, each part growing at the mean rate seen so far: an even chance. None when
    the estimate is at or below the bar, nothing was seen, or more than ten million would be needed.
    """
    s, w = np.asarray(scores, dtype=np.float64), weights(counts, n_max)
    if not w.any() or (w * s).sum() <= bar * w.sum():
        return None
    x = w * (s / bar - 1.0)
    paths = np.log1p(FRACTIONS[:, None] * x).cumsum(-1)
    if logsumexp(paths, axis=0, b=SHARES[:, None]).max() >= np.log(1 / delta):
        return 0
    return _first(paths[:, -1], paths[:, -1] / len(s), np.zeros(len(FRACTIONS)), delta)


def suggest_n_max(counts: ArrayLike, bar: float, delta: float, expected: float, units: int | None = None) -> int:
    """Return the largest n_max at which `units` (default: as many as `counts`) are still enough to prove `bar`.

    A larger n_max brings the estimand nearer to plain accuracy by request, and costs units. 1 when none is enough:
    equal weights need the fewest. `counts` are unit sizes of a training sub-window as long as the evaluation window.
    """
    n = np.asarray(counts)
    have = n.size if units is None else units
    tried = [m for m in (1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 120, 200) if m <= max(1, n.max(initial=1))]
    enough = [m for m in tried if (needed := units_needed(bar, expected, delta, n, m)) is not None and needed <= have]
    return max(enough, default=1)


def _first(start: Floats, growth: Floats, wobble: Floats, delta: float) -> int | None:
    """Return the first number of units at which the divided money is worth 1 / delta."""
    paths = start[:, None] + growth[:, None] * _SIZES - wobble[:, None] * np.sqrt(_SIZES)
    enough = logsumexp(paths, axis=0, b=SHARES[:, None]) >= np.log(1 / delta)
    return int(_SIZES[enough.argmax()]) if enough.any() else None


def chance_to_prove_again(errors: int, answered: int, alpha: float, level: float, again: int | None = None) -> float:
    """Return the chance that the exact risk test on `again` fresh answered units (default: as many) proves `alpha`.

    Errors on fresh units follow the beta-binomial law of Jeffreys' posterior after `errors` among `answered`. A guide
    for picking among thresholds that are all certified, not a claim: it knows nothing of the picking itself.
    """
    n = answered if again is None else again
    if n <= 0:
        return 0.0
    k = np.arange(n + 1)
    allowed = k[binomial.tail(k, n, alpha) <= level]
    if not len(allowed):
        return 0.0
    a, b = errors + 0.5, answered - errors + 0.5
    log_pmf = gammaln(n + 1) - gammaln(allowed + 1) - gammaln(n - allowed + 1) + betaln(allowed + a, n - allowed + b)
    return float(min(1.0, np.exp(log_pmf - betaln(a, b)).sum()))
