"""The correctness head: fitted on tune alone, taken only where it is clearly better."""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from overproof.calibrate import head
from overproof.core import tables
from overproof.core.splits import Train, Tune
from overproof.core.types import Confidence, Example, PromptId, UnitId
from overproof.proof.confidence import SIGN, apply, features, logistic

Floats = NDArray[np.float64]
LABELS = ("a", "b", "c")


def world(
    n: int, seed: int, *, flat: float = 1.0, newness: float = 0.0
) -> tuple[Tune, Floats, Floats, NDArray[np.bool_]]:
    """Make `n` examples with a student's chances: right with log-odds `flat` x its own, less `newness` if it is new."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(2.0, 2.0, n)
    top = np.maximum(logistic(odds), 0.4)
    second = (1 - top) * rng.uniform(0.5, 1.0, n)
    chances = np.stack([top, second, 1 - top - second], axis=1)
    novelty = (rng.random(n) < 0.3).astype(float)
    right = rng.random(n) < logistic(flat * np.log(top / (1 - top)) - newness * novelty)
    return examples(right, rng.integers(3, 60, n)), chances, novelty, right


def examples(right: NDArray[np.bool_], lengths: NDArray[np.int64] | None = None, per_unit: int = 1) -> Tune:
    long = np.full(len(right), 5) if lengths is None else lengths
    rows = [
        Example(
            prompt_id=PromptId(f"p{i}"),
            unit=UnitId(f"u{i // per_unit}"),
            split="tune",
            input="x" * int(long[i]),
            answer="a" if good else "b",
        )
        for i, good in enumerate(right)
    ]
    return Tune(tables.frame(rows, Example))


def loss(sure: Floats, right: NDArray[np.bool_]) -> float:
    return float(-np.log(np.clip(np.where(right, sure, 1 - sure), 1e-9, 1)).mean())


def test_confidence_that_is_already_right_stays_the_top_probability() -> None:
    taken = [head.fit(tune, LABELS, p, new).kind for tune, p, new, _ in (world(500, seed) for seed in range(20))]

    assert taken.count("top") >= 15


def test_a_student_that_overlooks_what_is_new_gets_a_head_that_does_not() -> None:
    tune, chances, novelty, _ = world(800, 1, newness=3.0)
    found = head.fit(tune, LABELS, chances, novelty)
    _, fresh, new, right = world(4000, 2, newness=3.0)

    assert found.kind == "head"
    assert "novelty" in found.features
    assert loss(apply(found, features(fresh, new, np.full(4000, 20))), right) < loss(fresh.max(axis=1), right) - 0.05


def test_what_costs_more_to_know_is_left_out_where_it_tells_nothing() -> None:
    """Its sureness is twice too bold: a head mends that, and how new a text is has no part in it."""
    tune, chances, novelty, _ = world(800, 3, flat=0.5)
    found = head.fit(tune, LABELS, chances, novelty)

    assert found.kind == "head"
    assert "novelty" not in found.features


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.floats(0.1, 2), st.floats(-2, 2))
def test_signs_hold_whatever_was_seen(seed: int, flat: float, newness: float) -> None:
    tune, chances, novelty, _ = world(200, seed, flat=flat, newness=newness)
    found = head.fit(tune, LABELS, chances, novelty)

    assert all(SIGN[name] * weight >= 0 for name, weight in zip(found.features, found.weights, strict=True))
    assert msgspec.json.decode(msgspec.json.encode(found), type=Confidence) == found


@pytest.mark.parametrize("n", [0, 1, 30])
def test_a_small_tune_set_without_a_mistake_teaches_nothing(n: int) -> None:
    chances = np.tile([0.8, 0.15, 0.05], (n, 1))

    assert head.fit(examples(np.ones(n, dtype=bool)), LABELS, chances, np.zeros(n)) == Confidence()


def test_examples_that_are_all_alike_give_a_head_that_can_be_applied() -> None:
    right = np.arange(400) % 2 == 0
    found = head.fit(examples(right), LABELS, np.tile([0.9, 0.06, 0.04], (400, 1)), np.zeros(400))
    sure = apply(found, features([[0.9, 0.06, 0.04], [0.4, 0.35, 0.25]], [0, 1], [5, 100]))

    assert sure[0] == pytest.approx(0.5, abs=0.05)
    assert np.isfinite(sure).all()


def test_one_unit_that_is_asked_often_says_it_once() -> None:
    """A wrong answer repeated a hundred times is one mistake: the loss of a unit is the mean of its own."""
    tune, chances, novelty, right = world(300, 5)
    lesson = head.Lesson.of(
        tune.frame.with_columns(unit=pl.lit("u") + pl.Series([str(i // 3) for i in range(300)])),
        features(chances, novelty, np.full(300, 5)),
        right,
    )

    assert lesson.weight.reshape(100, 3).sum(axis=1) == pytest.approx(np.ones(100))
    assert len(lesson.loss(chances.max(axis=1))) == 100
    assert all(len(np.unique(lesson.fold[lesson.unit == unit])) == 1 for unit in range(100))


def test_the_order_of_examples_changes_a_head_by_rounding_at_most() -> None:
    tune, chances, novelty, _ = world(400, 6, flat=0.5)
    turned = np.random.default_rng(0).permutation(400)
    one = head.fit(tune, LABELS, chances, novelty)
    other = head.fit(Tune(tune.frame[turned]), LABELS, chances[turned], novelty[turned])
    shown = features(chances, novelty, np.full(400, 20))

    assert apply(one, shown) == pytest.approx(apply(other, shown), abs=1e-4)


def test_it_cannot_be_handed_train() -> None:
    tune, chances, novelty, _ = world(50, 7)

    with pytest.raises(TypeError, match="tune only"):
        head.fit(Train(tune.frame), LABELS, chances, novelty)  # type: ignore[arg-type]  # the very mistake
