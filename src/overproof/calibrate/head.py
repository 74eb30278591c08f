"""Fit on `tune` how probabilities become the chance of being right, and keep it only where it is clearly better.

A head starts as the plain top probability: the ridge pulls towards that, not towards nothing, so with few examples it
stays near. What right means here is the accepted answer of `tune`; gold is never read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from overproof.core import chance
from overproof.core.splits import Tune, only
from overproof.core.types import Confidence
from overproof.proof import confidence as sureness

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

FOLDS = 10
RIDGE = 1.0
"""Pull towards the plain top probability, in units of examples, for each feature of unit variance."""
CLEARLY = 1.0
"""Standard errors by which a head's cross-fitted log-loss must be lower. One time in six it will be so by luck: that
costs next to nothing, for a head that has little to say says nearly what the top probability does."""
FEWEST = 10
"""Examples answered wrongly, and rightly, below which being right cannot be learned."""
STEPS = (("top", "margin", "entropy", "length"), sureness.FEATURES)
"""Features of the heads tried, each against the best so far: how new a text is can cost a student as much time as the
answer, so it must be worth something by itself."""


def fit(tune: Tune, labels: Sequence[str], chances: ArrayLike, novelty: ArrayLike) -> Confidence:
    """Return the head of a student, or the plain top probability where no head is clearly better.

    Heads are compared with what is best so far by log-loss of being right, each unit of `tune` judged by what was
    fitted on others; every unit weighs the same. A head is taken when its mean is lower by more than a standard error.

    Args:
        tune: the examples, in the order of the rows of what follows.
        labels: the student's, in the order of its columns.
        chances: of each label, shape (n, labels).
        novelty: shape (n,), in [0, 1].
    """
    frame, p = only(Tune, tune).frame, np.asarray(chances, dtype=np.float64)
    right = (np.array(labels, dtype=object)[p.argmax(axis=1)] == frame["answer"].to_numpy()) if len(p) else np.zeros(0)
    best = Confidence()
    if min(int(right.sum()), len(right) - int(right.sum())) < FEWEST or len(labels) < 2:
        return best
    lengths = frame["input"].str.len_chars().to_numpy()
    lesson = Lesson.of(frame, sureness.features(p, novelty, lengths), right.astype(bool))
    loss = lesson.loss(p.max(axis=1))
    for names in STEPS:
        tried = lesson.loss(_cross_fitted(lesson, names))
        if lesson.clearly_lower(tried, loss):
            best, loss = _fitted(lesson, names), tried
    return best


@dataclass(frozen=True)
class Lesson:
    """What a head learns from."""

    features: Floats
    """Shape (n, 5)."""
    right: Mask
    weight: Floats
    """Each unit's add up to 1."""
    unit: NDArray[np.intp]
    fold: NDArray[np.intp]
    """A unit is in one fold."""

    @classmethod
    def of(cls, frame: pl.DataFrame, features: Floats, right: Mask) -> Lesson:
        """Deal units into folds, by a hash of their names."""
        names, unit = np.unique(frame["unit"].to_numpy().astype(str), return_inverse=True)
        seen = frame["weight"].to_numpy()
        fold = (np.array(chance.draws("overproof/head", names.tolist())) * FOLDS).astype(np.intp)
        return cls(features, right, seen / np.bincount(unit, seen)[unit], unit, fold[unit])

    def only(self, rows: Mask) -> Lesson:
        """Return the lesson of some rows."""
        return Lesson(self.features[rows], self.right[rows], self.weight[rows], self.unit[rows], self.fold[rows])

    def loss(self, sure: Floats) -> Floats:
        """Return each unit's log-loss."""
        p = np.clip(sure, sureness.CERTAIN, 1 - sureness.CERTAIN)
        surprise = self.weight * -np.log(np.where(self.right, p, 1 - p))
        return np.bincount(self.unit, surprise).astype(np.float64)

    def clearly_lower(self, one: Floats, other: Floats) -> bool:
        """Return whether a mean loss is lower than another by more than a standard error of the difference."""
        gain = other - one
        return bool(gain.mean() > CLEARLY * gain.std() / np.sqrt(len(gain)))


def _cross_fitted(lesson: Lesson, names: Sequence[str]) -> Floats:
    """Return the chance of being right of every example, by a head that was fitted without its fold."""
    sure = np.zeros(len(lesson.right))
    for fold in np.unique(lesson.fold):
        out = lesson.fold == fold
        sure[out] = sureness.apply(_fitted(lesson.only(~out), names), lesson.features[out])
    return sure


def _fitted(lesson: Lesson, names: Sequence[str]) -> Confidence:
    """Return the head over `names`: logistic regression with signs held (`confidence.SIGN`) and a small ridge."""
    from scipy.optimize import minimize  # half of what importing scipy costs, and only fitting needs it

    x = lesson.features[:, [sureness.FEATURES.index(name) for name in names]]
    centre, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)  # a feature that never varies tells nothing; its weight stays 0
    z = np.append(np.clip((x - centre) / scale, -sureness.FARTHEST, sureness.FARTHEST), np.ones((len(x), 1)), axis=1)
    plain = np.append(np.where(np.array(names) == "top", scale, 0.0), centre[names.index("top")])
    target = _softened(lesson)

    def value_and_slope(w: Floats) -> tuple[float, Floats]:
        score = (z * w).sum(axis=1)  # no BLAS: its sums depend on the number of threads
        value = (lesson.weight * (np.logaddexp(0.0, score) - target * score)).sum()
        blame = lesson.weight * (sureness.logistic(score) - target)
        return value + RIDGE / 2 * ((w - plain) ** 2).sum(), (z * blame[:, None]).sum(axis=0) + RIDGE * (w - plain)

    bounds = [(0 if sureness.SIGN[name] > 0 else None, 0 if sureness.SIGN[name] < 0 else None) for name in names]
    w = minimize(value_and_slope, plain, jac=True, method="L-BFGS-B", bounds=[*bounds, (None, None)]).x
    kept = np.flatnonzero(w[:-1]).tolist()
    return Confidence(
        kind="head",
        features=tuple(names[i] for i in kept),
        centre=tuple(centre[kept].tolist()),
        scale=tuple(scale[kept].tolist()),
        weights=tuple(w[kept].tolist()),
        intercept=float(w[-1]),
    )


def _softened(lesson: Lesson) -> Floats:
    """Return the targets with Platt's correction (1999): never wrong on `tune` is no proof of never."""
    right = float(lesson.weight[lesson.right].sum())
    wrong = float(lesson.weight.sum()) - right
    return np.where(lesson.right, (right + 1) / (right + 2), 1 / (wrong + 2))
