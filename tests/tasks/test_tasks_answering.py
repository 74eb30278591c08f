from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from overproof.core.types import Confidence
from overproof.tasks.answering import answers, features

HEAD = Confidence(kind="head", features=("top", "novelty"), centre=(0.0, 0.0), scale=(1.0, 1.0), weights=(1.0, -2.0))


class Watched:
    """A student that says how often it was asked how new a text is."""

    labels = ("a", "b")
    size_bytes = 0

    def __init__(self) -> None:
        self.asked = 0

    def probabilities(self, inputs: Sequence[str]) -> NDArray[np.float32]:
        return np.tile(np.array([0.2, 0.8], dtype=np.float32), (len(inputs), 1))

    def novelty(self, inputs: Sequence[str]) -> NDArray[np.float32]:
        self.asked += 1
        return np.array([float("new" in text) for text in inputs], dtype=np.float32)

    def save(self, folder: Path) -> None:
        """Have nothing to keep."""


def test_without_a_head_it_is_as_sure_as_its_top_probability() -> None:
    found = answers(Watched(), ["old", "new"], Confidence())

    assert found.best.tolist() == [1, 1]
    assert found.sure.tolist() == [float(np.float32(0.8))] * 2


def test_a_head_makes_it_doubt_what_is_new() -> None:
    old, new = answers(Watched(), ["old", "new"], HEAD).sure

    assert abs(old - 0.8) < 1e-6
    assert new < 0.4


def test_it_is_asked_how_new_a_text_is_only_if_that_is_needed() -> None:
    student = Watched()
    answers(student, ["x"], Confidence())
    answers(student, ["x"], Confidence(kind="head", features=("top",), centre=(0.0,), scale=(1.0,), weights=(1.0,)))

    assert student.asked == 0

    answers(student, ["x"], HEAD)

    assert student.asked == 1


def test_nothing_asked_is_nothing_answered() -> None:
    found = answers(Watched(), [], HEAD)

    assert (len(found.best), len(found.sure)) == (0, 0)


def test_features_are_those_of_each_text() -> None:
    found = features(Watched(), ["new", "x"], Watched().probabilities(["", ""]))

    assert found[:, 3].tolist() == [1.0, 0.0]
    assert np.allclose(found[:, 4], [np.log(4), np.log(2)])
