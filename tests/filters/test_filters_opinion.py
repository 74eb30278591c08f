"""What a cross-validated student thinks of the teacher's answers: planted mistakes are found, the rest left alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from overproof.core import tables
from overproof.core.errors import NotEnoughData
from overproof.core.protocols import Workshop
from overproof.core.splits import Train, Tune
from overproof.core.types import Example, PromptId, UnitId
from overproof.filters import opinion as module
from overproof.filters.opinion import LEAST_SEEN, Opinion, chance_wrong, mistakes, opinion
from overproof.students.linear import Linear

LABELS = ("billing", "login", "shipping", "other")
WORDS = {label: [f"{label}{letter}" for letter in "abcdefghij"] for label in LABELS}
COMMON = [f"word{i}" for i in range(30)]


def text_of(label: str, rng: random.Random) -> str:
    return " ".join([*rng.sample(WORDS[label], 3), *rng.sample(COMMON, 4)])


def examples(said: Sequence[tuple[str, str]], copies: int = 1) -> pl.DataFrame:
    """Return examples of (text, answer); each unit holds `copies` of them."""
    rows = [
        Example(prompt_id=PromptId(f"p{i}"), unit=UnitId(f"u{i // copies}"), split="train", input=text, answer=answer)
        for i, (text, answer) in enumerate(said)
    ]
    return tables.frame(rows, Example)


def dealt(table: pl.DataFrame) -> pl.DataFrame:
    return table.select("prompt_id", "unit", "input", "split", "weight", "slices")


@pytest.fixture(scope="module")
def taught() -> tuple[pl.DataFrame, set[str]]:
    """Return 600 examples and the ids of those, one in twelve, whose answer is another label's."""
    rng = random.Random(7)
    said, wrong = [], set()
    for i in range(600):
        label = rng.choice(LABELS)
        if i % 12 == 0:
            wrong.add(f"p{i}")
        answer = rng.choice([other for other in LABELS if other != label]) if i % 12 == 0 else label
        said.append((text_of(label, rng), answer))
    return examples(said), wrong


def test_planted_mistakes_are_found_and_hardly_anything_else(taught: tuple[pl.DataFrame, set[str]]) -> None:
    table, wrong = taught

    thought = opinion(Linear(penalty=1e-5), table, dealt(table), LABELS)
    doubts, _ = thought.of(table["prompt_id"].to_list(), table["answer"].to_list())
    found = {name for name, doubt in zip(table["prompt_id"], doubts, strict=True) if doubt > 0.5}

    assert len(found & wrong) >= 0.5 * len(wrong)
    assert len(found - wrong) <= 0.01 * table.height


def test_the_most_doubted_are_nearly_all_of_the_mistakes(taught: tuple[pl.DataFrame, set[str]]) -> None:
    table, wrong = taught

    thought = opinion(Linear(penalty=1e-5), table, dealt(table), LABELS)
    doubts, _ = thought.of(table["prompt_id"].to_list(), table["answer"].to_list())
    first = {table["prompt_id"][int(row)] for row in np.argsort(-doubts)[: 2 * len(wrong)]}

    assert len(first & wrong) >= 0.9 * len(wrong)


def test_more_mistakes_are_not_feared_than_there_are(taught: tuple[pl.DataFrame, set[str]]) -> None:
    """The chances add up to about the number of mistakes, and err on the careful side."""
    table, wrong = taught

    thought = opinion(Linear(penalty=1e-5), table, dealt(table), LABELS)
    doubts, _ = thought.of(table["prompt_id"].to_list(), table["answer"].to_list())

    assert 0.5 * len(wrong) < doubts.sum() < 1.2 * len(wrong)


def test_a_teacher_without_mistakes_is_not_doubted() -> None:
    rng = random.Random(3)
    table = examples([(text_of(label, rng), label) for label in rng.choices(LABELS, k=400)])

    thought = opinion(Linear(penalty=1e-5), table, dealt(table), LABELS)

    assert thought.of(table["prompt_id"].to_list(), table["answer"].to_list())[0].max() < 0.5


class Watched:
    """A student kind that takes note of what it was shown, and of what it is asked about."""

    name = "watched"

    def __init__(self) -> None:
        self.shown: list[set[str]] = []
        self.asked: list[set[str]] = []

    def fit(
        self, train: Train, tune: Tune, labels: tuple[str, ...], seed: int, workshop: Workshop | None = None
    ) -> WatchedStudent:
        self.shown.append({*train.frame["unit"], *tune.frame["unit"]})
        return WatchedStudent(self)

    def load(self, folder: Path) -> WatchedStudent:
        raise NotImplementedError


class WatchedStudent:
    labels = LABELS
    size_bytes = 0

    def __init__(self, kind: Watched) -> None:
        self._kind = kind

    def probabilities(self, inputs: Sequence[str]) -> NDArray[np.float32]:
        self._kind.asked.append({text.split()[0] for text in inputs})
        return np.full((len(inputs), len(LABELS)), 0.25, dtype=np.float32)

    def novelty(self, inputs: Sequence[str]) -> NDArray[np.float32]:
        return np.zeros(len(inputs), dtype=np.float32)

    def save(self, folder: Path) -> None:
        raise NotImplementedError


def test_no_student_is_asked_about_a_unit_it_has_seen() -> None:
    """Near copies share a unit: one that was learned from would vouch for its own mistake."""
    table = examples([(f"u{i // 3} text {i}", LABELS[i % 4]) for i in range(300)], copies=3)
    kind = Watched()

    opinion(kind, table, dealt(table), LABELS)

    assert set().union(*kind.asked) == set(table["unit"])
    assert all(not shown & asked for shown, asked in zip(kind.shown, kind.asked, strict=True))


def test_a_student_learns_from_enough_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ENOUGH", 100)
    table = examples([(f"u{i} text", LABELS[i % 4]) for i in range(1000)])
    kind = Watched()

    opinion(kind, table, dealt(table), LABELS)

    assert all(80 < len(shown) < 260 for shown in kind.shown)  # with the tenth it is tuned on
    assert set().union(*kind.asked) == set(table["unit"])


def test_with_too_few_examples_there_is_no_opinion() -> None:
    table = examples([("only one", "billing"), ("and another", "billing")])
    with pytest.raises(NotEnoughData):
        Linear().fit(Train(table), Tune(table), LABELS, 0)

    thought = opinion(Linear(), table, dealt(table), LABELS)

    assert thought.of(["p0"], ["billing"])[0].tolist() == [0.0]


def test_an_answer_the_student_hardly_ever_saw_is_not_spoken_against() -> None:
    rng = random.Random(5)
    said = [(text_of(label, rng), label) for label in rng.choices(LABELS[:3], k=300)]
    said += [(text_of("billing", rng), "other") for _ in range(LEAST_SEEN - 1)]
    said += [(text_of("billing", rng), "login") for _ in range(20)]
    table = examples(said)
    rare, common = table.filter(pl.col("answer") == "other"), table.tail(20)

    thought = opinion(Linear(penalty=1e-5), table, dealt(table), LABELS)

    assert thought.of(rare["prompt_id"].to_list(), rare["answer"].to_list())[0].max() == 0
    assert thought.of(common["prompt_id"].to_list(), common["answer"].to_list())[0].min() > 0


def test_nobody_has_no_doubts() -> None:
    assert [each.tolist() for each in Opinion.none().of(["p"], ["a"])] == [[0.0], [0.0]]


rows = st.lists(
    st.tuples(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), st.integers(0, 2)), min_size=2, max_size=30
)


@given(rows)
def test_chances_are_chances_and_fall_as_the_student_agrees_more(drawn: list[tuple[list[float], int]]) -> None:
    believed = np.array([chances for chances, _ in drawn])
    believed /= believed.sum(axis=1, keepdims=True)
    said = np.array([answer for _, answer in drawn])
    at = np.arange(len(drawn))
    rate, least = mistakes(believed, at, said)
    wrong = chance_wrong(believed, at, said, rate)

    assert 0 <= least <= rate <= 1
    assert ((wrong >= 0) & (wrong <= 1)).all()
    assert (chance_wrong(believed, at, said, least) <= wrong + 1e-12).all()
    # for one and the same answer, against rivals in fixed proportions: more belief, less doubt
    ladder = np.array([[q, (1 - q) / 2, (1 - q) / 2] for q in (0.1, 0.4, 0.7, 0.95)])
    doubts = chance_wrong(np.vstack([believed, ladder]), at, said, 0.1)[len(drawn) :, 0]
    assert (np.diff(doubts) <= 1e-12).all()


@given(rows)
def test_where_a_sure_student_never_differs_nothing_is_doubted(drawn: list[tuple[list[float], int]]) -> None:
    believed = np.array([chances for chances, _ in drawn])
    believed /= believed.sum(axis=1, keepdims=True)

    at, said = np.arange(len(drawn)), believed.argmax(axis=1)
    rate, least = mistakes(believed, at, said)

    assert (rate, least) == (0.0, 0.0)
    assert chance_wrong(believed, at, said, rate).max() == 0


def test_few_examples_show_little() -> None:
    """One mistake among few is likely, but not shown; the same rate among many is."""
    believed = np.array([[0.9, 0.1]] * 1000)

    def rates(n: int) -> tuple[float, float]:
        return mistakes(believed[:n], np.arange(n), (np.arange(n) % 10 == 0).astype(np.intp))

    assert rates(50)[0] == rates(1000)[0] == 0.1
    assert rates(50)[1] < 0.01
    assert rates(1000)[1] > 0.05
