"""Whether confidence means what it says: reliability bins, ECE, Brier score, and the temperature that mends it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax

from overproof.core.types import ReliabilityBin

Floats = NDArray[np.float64]

COLDEST, HOTTEST = 0.01, 100.0
"""Range of the temperature; logits that separate `tune` perfectly have no finite best one."""


def bins(confidence: ArrayLike, correct: ArrayLike, bins: int = 15) -> tuple[ReliabilityBin, ...]:
    """Return at most `bins` bins of about equal mass, in order of confidence; equal confidences share one.

    Raises:
        ValueError: different lengths, or a confidence that is not a number.
    """
    c, right = _pair(confidence, correct)
    if not c.size:
        return ()
    edges = np.unique(np.quantile(c, np.linspace(0, 1, bins + 1)[1:-1]))
    place = np.searchsorted(edges, c, side="right")
    n = np.bincount(place)
    kept = np.flatnonzero(n)
    means, rates = np.bincount(place, c)[kept] / n[kept], np.bincount(place, right)[kept] / n[kept]
    return tuple(
        ReliabilityBin(
            lower=float(c[place == b].min()),
            upper=float(c[place == b].max()),
            confidence=float(mean),
            accuracy=float(rate),
            n=int(n[b]),
        )
        for b, mean, rate in zip(kept, means, rates, strict=True)
    )


def ece(confidence: ArrayLike, correct: ArrayLike, bins: int = 15) -> float:
    """Return the expected calibration error over bins of equal mass: mean |confidence - accuracy|; 0 without data.

    It is biased upwards by about the noise of a bin's accuracy; it describes, and decides nothing.
    """
    found = _bins(confidence, correct, bins)
    total = sum(b.n for b in found)
    return sum(b.n * abs(b.confidence - b.accuracy) for b in found) / total if total else 0.0


_bins = bins  # `ece` has a parameter of that name


def brier(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Return the mean squared distance of confidence from being right (Brier 1950); 0 without data."""
    c, right = _pair(confidence, correct)
    return float(np.mean((c - right) ** 2)) if c.size else 0.0


def fit_temperature(logits: ArrayLike, soft_targets: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Return the T at which softmax(logits / T) has the least weighted log-loss against `soft_targets`.

    Guo, Pleiss, Sun & Weinberger (2017). The loss is convex in 1/T, so its slope is bisected (on a log scale) and the
    minimum found is the only one; at the ends of [0.01, 100] the end is returned. For `tune` only.

    Args:
        logits: shape (n, labels).
        soft_targets: shape (n, labels), rows summing to 1.
        weights: shape (n,), not negative; all equal when left out.

    Raises:
        ValueError: shapes that do not fit, no rows, or a logit that is not finite.
    """
    z, y = np.asarray(logits, dtype=np.float64), np.asarray(soft_targets, dtype=np.float64)
    w = np.ones(len(z)) if weights is None else np.asarray(weights, dtype=np.float64)
    if z.ndim != 2 or z.shape != y.shape or w.shape != (len(z),) or not len(z):
        raise ValueError("logits and soft targets are both (n, labels) with n > 0, weights are (n,)")
    if not np.isfinite(z).all():
        raise ValueError("a logit is not finite")
    wanted = float(w @ (y * z).sum(axis=1))
    low, high = np.log(1 / HOTTEST), np.log(1 / COLDEST)
    for _ in range(40):
        middle = (low + high) / 2
        given = float(w @ (np.exp(log_softmax(np.exp(middle) * z, axis=1)) * z).sum(axis=1))
        low, high = (low, middle) if given > wanted else (middle, high)
    return float(np.exp(-(low + high) / 2))


def _pair(confidence: ArrayLike, correct: ArrayLike) -> tuple[Floats, Floats]:
    c, right = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if c.shape != right.shape or c.ndim != 1:
        raise ValueError("confidence and correct must have one entry for each prediction")
    if np.isnan(c).any():
        raise ValueError("a confidence is not a number")
    return c, right
