"""What a student answers and how sure it is: one way, for the predictions that are judged and the release that serves.

It needs numpy alone, for a release answers with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from overproof.proof import confidence as sureness

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from overproof.core.protocols import Student
    from overproof.core.types import Confidence


class Answers(NamedTuple):
    """A student's own answers to some texts, before any threshold."""

    best: NDArray[np.intp]
    """Number of the likeliest label of each."""
    sure: NDArray[np.float64]
    """Chance that it is right."""


def answers(student: Student, inputs: Sequence[str], confidence: Confidence) -> Answers:
    """Return what `student` says to `inputs` and how sure `confidence` makes it of that."""
    if not len(inputs):
        return Answers(np.zeros(0, dtype=np.intp), np.zeros(0))
    chances = student.probabilities(inputs)
    best = chances.argmax(axis=1)
    if confidence.kind == "top":
        return Answers(best, chances[np.arange(len(best)), best].astype(np.float64))
    return Answers(best, sureness.apply(confidence, features(student, inputs, chances, confidence.features)))


def features(
    student: Student, inputs: Sequence[str], chances: NDArray[np.floating], needed: Sequence[str] = sureness.FEATURES
) -> NDArray[np.float64]:
    """Return what a head reads of `inputs`; the student is asked how new they are only if that is `needed`."""
    novelty = student.novelty(inputs) if "novelty" in needed else np.zeros(len(inputs))
    return sureness.features(chances, novelty, np.fromiter(map(len, inputs), dtype=np.float64, count=len(inputs)))
