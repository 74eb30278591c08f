"""How sure is a student that its answer is right? The top probability, or a logistic model of being right.

Pure numpy, and every sum runs over the columns of one row: a request gets the same confidence alone or among others.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from overproof.core.types import Confidence

Floats = NDArray[np.float64]

FEATURES = ("top", "margin", "entropy", "novelty", "length")
"""Log-odds of the top probability; log of how many times likelier it is than the second; entropy as a share of the
most there can be; how new the text is, in [0, 1]; log of 1 + its characters."""
SIGN = {"top": 1, "margin": 1, "entropy": -1, "novelty": -1, "length": 0}
"""Which way a feature may move confidence: clearer is never less sure, newer never surer; length may go either way."""
FARTHEST = 4.0
"""Standard deviations beyond which a feature says no more: nothing on `tune` was so long, or so new."""
CERTAIN = 1e-6
"""Probabilities nearer than this to 0 or 1 are taken to be so near: logarithms stay finite."""


def features(chances: ArrayLike, novelty: ArrayLike, lengths: ArrayLike) -> Floats:
    """Return what confidence is read from, shape (n, 5), columns as in `FEATURES`; all finite.

    Args:
        chances: shape (n, labels), rows summing to 1.
        novelty: shape (n,), in [0, 1].
        lengths: characters of each text, shape (n,).

    Raises:
        ValueError: shapes that do not fit, fewer than two labels, or a value that is not a finite number.
    """
    p, new, long = (np.asarray(each, dtype=np.float64) for each in (chances, novelty, lengths))
    if p.ndim != 2 or p.shape[1] < 2 or new.shape != (len(p),) or long.shape != (len(p),):
        raise ValueError("chances are (n, labels) with two labels or more, novelty and lengths (n,)")
    # Row by row in memory, so that what is summed over labels is summed in one order whatever was handed in.
    p = np.maximum(np.ascontiguousarray(p), CERTAIN)
    second, top = np.partition(p, -2, axis=1)[:, -2:].T.copy()
    spread = -(p * np.log(p)).sum(axis=1) / np.log(p.shape[1])
    found = np.stack([log_odds(top), np.log(top / second), spread, new, np.log1p(long)], axis=1)
    if not np.isfinite(found).all():
        raise ValueError("a chance, novelty or length is not a finite number")
    return found


def apply(confidence: Confidence, features: ArrayLike) -> Floats:
    """Return the chance that each answer is right, shape (n,), in [0, 1]; `confidence` is a head.

    Raises:
        ValueError: it is not a head (then the top probability is the confidence), it names a feature that is not
            there or not in a number's place, or the features are not (n, 5).
    """
    x = np.asarray(features, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] != len(FEATURES):
        raise ValueError(f"features are (n, {len(FEATURES)}): {', '.join(FEATURES)}")
    check(confidence)
    score = np.full(len(x), confidence.intercept)
    for name, centre, scale, weight in zip(
        confidence.features, confidence.centre, confidence.scale, confidence.weights, strict=True
    ):
        column = np.ascontiguousarray(x[:, FEATURES.index(name)])
        score += weight * np.clip((column - centre) / scale, -FARTHEST, FARTHEST)
    return logistic(score)


def check(confidence: Confidence) -> None:
    """Raise ValueError unless `confidence` is a head that can be applied."""
    sizes = [len(each) for each in (confidence.features, confidence.centre, confidence.scale, confidence.weights)]
    numbers = (*confidence.centre, *confidence.scale, *confidence.weights, confidence.intercept)
    if confidence.kind != "head" or any(one != other for one, other in pairwise(sizes)):
        raise ValueError("not a head: it needs a centre, a scale and a weight for each of its features")
    if unknown := set(confidence.features) - set(FEATURES):
        raise ValueError(f"a head reads {', '.join(FEATURES)}, not {', '.join(sorted(unknown))}")
    if not np.isfinite(numbers).all() or any(scale <= 0 for scale in confidence.scale):
        raise ValueError("a head's numbers are finite, and its scales above 0")


def log_odds(chance: ArrayLike) -> Floats:
    """Return log(p / (1 - p)), for p at most `CERTAIN` from 0 and 1."""
    p = np.clip(np.asarray(chance, dtype=np.float64), CERTAIN, 1 - CERTAIN)
    found: Floats = np.log(p / (1 - p))
    return found


def logistic(score: ArrayLike) -> Floats:
    """Return 1 / (1 + exp(-score)), without overflow."""
    x = np.asarray(score, dtype=np.float64)
    small = np.exp(-np.abs(x))
    found: Floats = np.where(x >= 0, 1.0, small) / (1.0 + small)
    return found


def shifted(chance: ArrayLike, shift: ArrayLike) -> Floats:
    """Return chances moved by `shift` in log-odds; where that is 0 they stay as they are, and 0 (no answer) stays 0."""
    p, by = np.broadcast_arrays(np.asarray(chance, dtype=np.float64), np.asarray(shift, dtype=np.float64))
    return np.where((by == 0) | (p <= 0), p, logistic(log_odds(p) + by))
