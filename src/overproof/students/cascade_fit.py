"""Make a cascade of two fitted students: how sure the first must be is chosen on tune."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from overproof.core.errors import NotEnoughData, UserError
from overproof.core.protocols import Student
from overproof.core.splits import Tune, only
from overproof.students.cascade_student import CascadeStudent, Floats, kind
from overproof.students.fitting import Half, half
from overproof.students.targets import soft_labels

COST = 0.05
"""Share of the second's log-loss on tune that letting the first answer may cost. On Banking77 it lets the first answer
seven in ten; more would still be right as often, but less surely, and what is less sure is left to the teacher."""
NEVER = 2.0


def combine(students: Sequence[Student], kinds: Sequence[str], tune: Tune) -> CascadeStudent:
    """Return the cascade of two students; `Cascade.combine` says what is raised."""
    first, then = students
    for name in kinds:
        kind(name)
    if first.labels != then.labels:
        raise UserError("a cascade is made of two students that know the same labels")
    judged = only(Tune, tune).frame
    if not judged.height:
        raise NotEnoughData("tune holds no example to choose a cascade's threshold on: bring more logs")
    exam = half(judged, soft_labels(judged, first.labels))
    chances = first.probabilities(exam.texts), then.probabilities(exam.texts)
    threshold, answered = settle(*chances, exam)
    return CascadeStudent(first, then, (kinds[0], kinds[1]), threshold, answered)


def settle(first: Floats, then: Floats, exam: Half) -> tuple[float, float]:
    """Return how sure the first must be to answer, and the share of requests that it then does.

    It is the lowest threshold at which the two together are right as often on `exam` as the second alone, and at most
    `COST` more surprised; `first` and `then` are their chances, shape (texts, labels).
    """
    sure = first.max(axis=1)
    order = np.argsort(-sure, kind="stable")
    share = exam.share.astype(np.float64)
    cost = np.cumsum((share * (_doubt(first, exam.targets) - _doubt(then, exam.targets)))[order])
    lost = np.cumsum((share * (_right(then, exam.targets) - _right(first, exam.targets)))[order])
    allowed = COST * float((share * _doubt(then, exam.targets)).sum())
    last_of_equals = np.append(np.diff(sure[order]) < 0, True)
    good = np.flatnonzero(last_of_equals & (cost <= allowed) & (lost <= 1e-9))
    if not len(good):
        return NEVER, 0.0
    return float(sure[order[good[-1]]]), min(1.0, float(np.cumsum(share[order])[good[-1]]))


def _doubt(chances: Floats, targets: Floats) -> NDArray[np.float64]:
    likely: NDArray[np.float64] = (targets * np.log(chances.astype(np.float64))).sum(axis=1)
    return -likely


def _right(chances: Floats, targets: Floats) -> NDArray[np.float64]:
    right: NDArray[np.float64] = targets[np.arange(len(targets)), chances.argmax(axis=1)].astype(np.float64)
    return right
