"""Confidence as data: the same for one request alone as among others, monotone, finite, and a lossless record."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from numpy.typing import NDArray

from overproof.core.types import Confidence
from overproof.proof.confidence import (
    CERTAIN,
    FEATURES,
    SIGN,
    apply,
    check,
    features,
    log_odds,
    logistic,
    shifted,
)

Floats = NDArray[np.float64]

HEAD = Confidence(
    kind="head",
    features=FEATURES,
    centre=(4.0, 5.0, 0.1, 0.2, 3.5),
    scale=(2.0, 2.5, 0.1, 0.3, 0.5),
    weights=(1.5, 0.7, -0.2, -0.1, 0.3),
    intercept=3.0,
)


@st.composite
def said(draw: st.DrawFn) -> tuple[NDArray[np.float32], Floats, Floats]:
    """Draw chances of labels, sharp and flat, novelty and lengths of some texts."""
    n, labels = draw(st.integers(1, 40)), draw(st.integers(2, 20))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    logits = rng.normal(size=(n, labels)) * draw(st.sampled_from([0.0, 1.0, 20.0]))
    chances = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    return chances.astype(np.float32), rng.random(n), rng.integers(0, 5000, n).astype(float)


@given(said())
def test_a_request_is_as_sure_alone_as_among_others(given_: tuple[NDArray[np.float32], Floats, Floats]) -> None:
    chances, novelty, lengths = given_
    together = apply(HEAD, features(chances, novelty, lengths))
    alone = [
        float(apply(HEAD, features(chances[i : i + 1], novelty[i : i + 1], lengths[i : i + 1]))[0])
        for i in range(len(chances))
    ]

    assert together.tolist() == alone


@given(said())
def test_features_and_confidence_are_finite(given_: tuple[NDArray[np.float32], Floats, Floats]) -> None:
    found = features(*given_)
    sure = apply(HEAD, found)

    assert found.shape == (len(given_[0]), len(FEATURES))
    assert np.isfinite(found).all()
    assert ((sure >= 0) & (sure <= 1)).all()


@given(said(), st.sampled_from([name for name in FEATURES if SIGN[name]]), st.floats(0, 50))
def test_what_is_clearer_is_never_less_sure_and_what_is_newer_never_surer(
    given_: tuple[NDArray[np.float32], Floats, Floats], name: str, more: float
) -> None:
    found = features(*given_)
    moved = found.copy()
    moved[:, FEATURES.index(name)] += SIGN[name] * more

    assert (apply(HEAD, moved) >= apply(HEAD, found)).all()


def test_the_features_are_what_they_are_called() -> None:
    (found,) = features([[0.7, 0.2, 0.1]], [0.25], [9])

    entropy = -(0.7 * np.log(0.7) + 0.2 * np.log(0.2) + 0.1 * np.log(0.1)) / np.log(3)
    assert found.tolist() == pytest.approx([np.log(0.7 / 0.3), np.log(3.5), entropy, 0.25, np.log(10)])


def test_a_text_beyond_all_that_was_seen_is_no_surer_than_a_very_long_one() -> None:
    found = features([[0.9, 0.1]] * 2, [0.0] * 2, [10**4, 10**9])

    assert apply(HEAD, found)[0] == apply(HEAD, found)[1]


@given(st.lists(st.floats(-1e6, 1e6), min_size=5, max_size=5), st.floats(1e-9, 1e9), st.floats(-1e3, 1e3))
def test_a_head_is_the_same_after_it_was_written_down(weights: list[float], scale: float, intercept: float) -> None:
    head = replace(HEAD, weights=tuple(weights), scale=(scale,) * 5, intercept=intercept)

    assert msgspec.json.decode(msgspec.json.encode(head), type=Confidence) == head


@pytest.mark.parametrize(
    "broken",
    [
        Confidence(),
        replace(HEAD, weights=(1.0,)),
        replace(HEAD, features=("top", "margin", "entropy", "novelty", "mood")),
        replace(HEAD, scale=(0.0, 1.0, 1.0, 1.0, 1.0)),
        replace(HEAD, intercept=float("inf")),
    ],
    ids=["top", "too few weights", "unknown feature", "no scale", "not finite"],
)
def test_what_is_no_head_is_refused(broken: Confidence) -> None:
    with pytest.raises(ValueError, match="head"):
        check(broken)


@pytest.mark.parametrize(
    ("chances", "novelty", "lengths"),
    [([[1.0]], [0.0], [1]), ([[0.5, 0.5]], [0.0, 0.0], [1]), ([[0.5, 0.5]], [float("nan")], [1]), ([0.5], [0.0], [1])],
)
def test_what_no_confidence_can_be_read_from_is_refused(
    chances: list[list[float]], novelty: list[float], lengths: list[int]
) -> None:
    with pytest.raises(ValueError, match="chance"):
        features(chances, novelty, lengths)


@given(st.floats(-700, 700), st.floats(0, 50))
def test_more_log_odds_are_never_less_chance(score: float, more: float) -> None:
    assert 0 <= logistic(score) <= logistic(score + more) <= 1


@given(st.floats(2 * CERTAIN, 1 - 2 * CERTAIN))
def test_log_odds_are_undone_by_the_logistic(chance: float) -> None:
    assert float(logistic(log_odds(chance))) == pytest.approx(chance)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20).map(np.array), st.floats(-10, 10))
def test_a_shift_keeps_the_order_and_what_has_no_answer(chances: Floats, shift: float) -> None:
    moved = shifted(chances, shift)
    order = np.argsort(chances, kind="stable")

    assert (np.diff(moved[order]) >= 0).all() or shift == 0
    assert (moved[chances == 0] == 0).all()
    assert ((moved >= 0) & (moved <= 1)).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20).map(np.array))
def test_no_shift_changes_nothing(chances: Floats) -> None:
    assert shifted(chances, 0.0).tolist() == chances.tolist()
