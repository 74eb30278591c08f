"""What the fitting of every student has in common: targets, and penalty and temperature chosen on tune."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import log_softmax

from overproof.core.errors import NotEnoughData
from overproof.core.splits import Train, Tune, only
from overproof.proof.reliability import fit_temperature
from overproof.students.softmax import Features, Floats, loss, minimise
from overproof.students.targets import soft_labels

WEAKEST, STRONGEST = 1e-7, 1e-2
STEP = 5.0
WORTH = 2e-3
"""Log-losses on tune closer than this share are equal; of equals, the weaker penalty is right more often."""


class Lesson(NamedTuple):
    """One split, ready to be learned from or judged on."""

    features: Features
    targets: Floats
    """Shape (texts, labels seen in train), rows summing to 1."""
    share: Floats
    """Shape (texts,): what each text counts for, summing to 1."""


@dataclass(frozen=True)
class Half:
    """One split before its texts are features."""

    texts: list[str]
    targets: Floats
    share: Floats

    def lesson(self, features: Features) -> Lesson:
        """Return it with its texts read as `features`."""
        return Lesson(features, self.targets, self.share)


@dataclass(frozen=True)
class Matter:
    """What there is to learn, and to judge by."""

    labels: tuple[str, ...]
    present: NDArray[np.intp]
    """Places in `labels` of those seen in train."""
    train: Half
    tune: Half
    """Only examples of labels that train knows: others say nothing about penalty or temperature."""

    def widened(self, found: Floats, elsewhere: float) -> Floats:
        """Return `found` with a column for every label; those train never saw hold `elsewhere`."""
        wide = np.full((len(found), len(self.labels)), elsewhere, dtype=np.float32)
        wide[:, self.present] = found
        return wide


def matter(train: Train, tune: Tune, labels: tuple[str, ...]) -> Matter:
    """Return the texts, targets and shares of both splits.

    Raises:
        NotEnoughData: `train` holds fewer than two answers, or `tune` holds no example of one of them.
        UserError: an example's answer is not one of `labels`.
        TypeError: another split than the two.
    """
    learned, judged = only(Train, train).frame, only(Tune, tune).frame
    taught, wanted = soft_labels(learned, labels), soft_labels(judged, labels)
    present = np.flatnonzero(taught.sum(axis=0))
    known = wanted[:, present].sum(axis=1) > 0
    _check(labels, present, int(known.sum()))
    return Matter(
        labels, present, half(learned, taught[:, present]), half(judged.filter(known), wanted[known][:, present])
    )


def _check(labels: tuple[str, ...], present: NDArray[np.intp], tuned_on: int) -> None:
    if len(present) < 2:
        seen = f"is {labels[present[0]]!r} in every one" if len(present) else "is missing: there is no training example"
        raise NotEnoughData(
            f"a student needs training examples of at least two labels, and the answer {seen}: "
            f"bring more logs, or let fewer filters reject"
        )
    if not tuned_on:
        raise NotEnoughData(
            "tune holds no example of a label that train knows, to fit a temperature on: bring more logs"
        )


def half(frame: pl.DataFrame, targets: Floats) -> Half:
    """Return the examples of `frame`, whose answers `targets` says."""
    # A request seen a hundred times was answered once: it matters more than one seen once, not a hundred times more.
    share = np.sqrt(frame["weight"].to_numpy())
    return Half(
        frame["input"].to_list(),
        (targets / targets.sum(axis=1, keepdims=True)).astype(np.float32),
        (share / share.sum()).astype(np.float32),
    )


class Tempered(NamedTuple):
    """How surely a student should say what it says about tune."""

    temperature: float
    doubt: float
    """Log-loss at that temperature."""


def temper(logits: Floats, targets: Floats, share: Floats) -> Tempered:
    """Return the temperature at which `logits` of tune have the least log-loss."""
    # Platt's correction (1999): a tune set answered without a mistake is no proof that there are none.
    n, labels = targets.shape
    softened = (targets * (n + 1) + 1 / labels) / (n + 2)
    temperature = fit_temperature(logits, softened, share)
    surprise = -(softened * log_softmax(logits.astype(np.float64) / temperature, axis=1)).sum(axis=1)
    return Tempered(temperature, float(share @ surprise))


@dataclass(frozen=True)
class Fitted:
    """What one penalty led to."""

    penalty: float
    weights: Floats
    """Shape (features + 1, labels seen in train)."""
    temperature: float
    doubt: float
    """Log-loss on tune at that temperature."""


def best(penalty: float | None, first: float, margin: float, lesson: Lesson, exam: Lesson) -> Fitted:
    """Return the fit at `penalty`, or else at the one that does best on tune.

    From `first` on: weaker while that does no harm; where it does no good either, stronger while that does some, and
    half a step in the end, for where answers are noisy the optimum is at stronger penalties, and narrow. `margin` is
    the head start of wrong labels (`softmax.loss`).
    """
    start = np.zeros((lesson.features.width + 1, lesson.targets.shape[1]), dtype=np.float32)
    if penalty is not None:
        return _fitted(penalty, margin, start, lesson, exam)

    def along(found: Fitted, factor: float, enough: float, steps: int = 99) -> Fitted:
        for _ in range(steps):
            if not WEAKEST < found.penalty * factor < STRONGEST:
                break
            tried = _fitted(found.penalty * factor, margin, found.weights, lesson, exam)
            if tried.doubt > found.doubt * enough:
                break
            found = tried
        return found

    began = _fitted(first, margin, start, lesson, exam)
    weaker = along(began, 1 / STEP, 1 + WORTH)
    if weaker.doubt <= began.doubt * (1 - WORTH):
        return weaker
    stronger = along(began, STEP, 1 - WORTH)
    return weaker if stronger is began else along(stronger, STEP**0.5, 1 - WORTH, steps=1)


def _fitted(penalty: float, margin: float, start: Floats, lesson: Lesson, exam: Lesson) -> Fitted:
    weights = minimise(loss(lesson.features, lesson.targets, lesson.share, penalty, margin), start)
    temperature, doubt = temper(exam.features.logits(weights), exam.targets, exam.share)
    return Fitted(penalty, weights, temperature, doubt)
