"""Two rungs as one: who answers, how that is chosen, and what may be loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lessons import LABELS, TAUGHT, train, tune
from overproof.core import plugins
from overproof.core.errors import NotEnoughData, ReleaseCorrupt, UserError
from overproof.core.protocols import Student
from overproof.students.cascade import Cascade
from overproof.students.cascade_fit import COST, NEVER, settle
from overproof.students.cascade_student import RECORD, CascadeStudent, Saved
from overproof.students.fitting import Half
from overproof.students.linear import Linear
from overproof.students.sealed import seal

OF = Cascade(of=("first", "second"))


class Sayer:
    """A student that says one thing, surely or not, and counts what it is asked."""

    labels = LABELS
    size_bytes = 1

    def __init__(self, answer: int, chance: float, novelty: float = 0.0) -> None:
        self.answer, self.chance, self.new = answer, chance, novelty
        self.asked: list[str] = []

    def probabilities(self, inputs: Sequence[str]) -> NDArray[np.float32]:
        self.asked += inputs
        sure = np.array([self.chance if "?" not in text else 0.4 for text in inputs], dtype=np.float32)
        found = np.repeat((1 - sure[:, None]) / 2, 3, axis=1).astype(np.float32)
        found[:, self.answer] = sure
        return found

    def novelty(self, inputs: Sequence[str]) -> NDArray[np.float32]:
        return np.full(len(inputs), self.new, dtype=np.float32)

    def save(self, folder: Path) -> None:
        raise NotImplementedError


def test_the_first_answers_what_it_is_sure_of_and_the_second_the_rest() -> None:
    first, then = Sayer(0, 0.9, novelty=0.1), Sayer(1, 0.8, novelty=0.7)
    cascade = CascadeStudent(first, then, ("linear", "linear"), 0.6, 0.5)

    chances = cascade.probabilities(["plain", "odd?", "plain again"])

    assert chances.argmax(axis=1).tolist() == [0, 1, 0]
    assert chances[1].max() == pytest.approx(0.4)
    assert then.asked == ["odd?"]
    assert cascade.novelty(["plain", "odd?"]) == pytest.approx([0.1, 0.7])


def test_a_first_that_is_never_sure_is_never_heard() -> None:
    cascade = CascadeStudent(Sayer(0, 1.0), Sayer(1, 0.5), ("linear", "linear"), NEVER, 0.0)

    assert cascade.predict_one("plain") == ("login", 0.5)


chances = st.lists(st.floats(0.01, 1), min_size=3, max_size=3).map(
    lambda found: np.array(found, dtype=np.float32) / np.float32(sum(found))
)
rows = st.lists(st.tuples(chances, chances, st.integers(0, 2), st.floats(0.5, 4)), min_size=1, max_size=30)


@given(rows)
def test_together_they_are_right_as_often_as_the_second_and_hardly_more_surprised(
    found: list[tuple[NDArray[np.float32], NDArray[np.float32], int, float]],
) -> None:
    first, then = (np.array([row[at] for row in found], dtype=np.float32) for at in (0, 1))
    answers = np.array([row[2] for row in found])
    share = np.array([row[3] for row in found])
    share = (share / share.sum()).astype(np.float32)

    threshold, answered = settle(first, then, Half([], np.eye(3, dtype=np.float32)[answers], share))

    own = first.max(axis=1) >= threshold
    both = np.where(own[:, None], first, then)
    at = np.arange(len(found))
    assert answered == pytest.approx(share[own].sum(), abs=1e-5)
    assert share @ (both.argmax(axis=1) == answers) >= share @ (then.argmax(axis=1) == answers) - 1e-5
    assert -share @ np.log(both[at, answers]) <= -share @ np.log(then[at, answers]) * (1 + COST) + 1e-5


def test_two_that_say_the_same_need_no_second() -> None:
    said = Sayer(0, 0.7).probabilities(["a", "b?", "c"])
    half = Half([], np.eye(3, dtype=np.float32)[[0, 1, 2]], np.full(3, 1 / 3, np.float32))

    threshold, answered = settle(said, said, half)

    assert threshold == pytest.approx(0.4)
    assert answered == pytest.approx(1)


def test_a_first_that_is_only_wrong_never_answers() -> None:
    half = Half([], np.eye(3, dtype=np.float32)[[1, 1]], np.full(2, 0.5, np.float32))

    assert settle(Sayer(0, 0.9).probabilities(["a", "b"]), Sayer(1, 0.9).probabilities(["a", "b"]), half) == (NEVER, 0)


@pytest.fixture(scope="module")
def parts() -> tuple[Student, Student]:
    return tuple(kind.fit(train(), tune(), LABELS, 0) for kind in (Linear(), Linear(characters=(2, 4))))  # type: ignore[return-value]  # two


def test_it_is_made_of_two_rungs_that_are_fitted_already(parts: tuple[Student, Student]) -> None:
    cascade = OF.combine(parts, ["linear", "linear"], tune())

    best = cascade.probabilities([text for text, _ in TAUGHT]).argmax(axis=1)

    assert [LABELS[at] for at in best] == [answer for _, answer in TAUGHT]


def test_it_learns_nothing_of_its_own() -> None:
    with pytest.raises(UserError, match="made of 'first' and 'second': fit those"):
        OF.fit(train(), tune(), LABELS, 0)


def test_it_cannot_be_made_of_what_no_release_could_load(parts: tuple[Student, Student]) -> None:
    with pytest.raises(UserError, match="'my_package:Mine' is none here"):
        OF.combine(parts, ["linear", "my_package:Mine"], tune())


def test_it_cannot_be_made_of_students_that_know_other_labels(parts: tuple[Student, Student]) -> None:
    other = Linear().fit(train(), tune(), (*LABELS, "weather"), 0)

    with pytest.raises(UserError, match="the same labels"):
        OF.combine([parts[0], other], ["linear", "linear"], tune())


def test_nothing_to_choose_on_is_an_error(parts: tuple[Student, Student]) -> None:
    with pytest.raises(NotEnoughData, match="tune holds no example"):
        OF.combine(parts, ["linear", "linear"], tune([]))


@pytest.mark.parametrize("name", ["lessons:train", "nothing"])
def test_a_saved_one_cannot_name_code_to_import(
    parts: tuple[Student, Student], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    OF.combine(parts, ["linear", "linear"], tune()).save(tmp_path)
    forged = Saved(kinds=(name, "linear"), threshold=0.5, answered=0.5)
    names = sorted(
        each.relative_to(tmp_path).as_posix() for part in ("first", "then") for each in (tmp_path / part).iterdir()
    )
    (tmp_path / RECORD).write_bytes(seal(forged, [(tmp_path / each).read_bytes() for each in names]))
    monkeypatch.setattr(plugins, "find", lambda *_: pytest.fail("it was looked up"))

    with pytest.raises(UserError, match="is none here"):
        OF.load(tmp_path)


def test_an_exchanged_part_is_noticed(parts: tuple[Student, Student], tmp_path: Path) -> None:
    OF.combine(parts, ["linear", "linear"], tune()).save(tmp_path)
    other = Linear(penalty=1e-3).fit(train(), tune(), LABELS, 0)
    other.save(tmp_path / "then")

    with pytest.raises(ReleaseCorrupt, match="not the ones that were saved together"):
        OF.load(tmp_path)


def test_it_survives_being_written_down() -> None:
    assert msgspec.json.decode(msgspec.json.encode(OF), type=Cascade) == OF


def test_the_plug_in_is_installed() -> None:
    assert cast("type", plugins.find("students", "cascade")) is Cascade
