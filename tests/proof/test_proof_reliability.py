"""Confidence against what happened, and the temperature that mends it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.proof import reliability

said = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=200)


@given(said, st.integers(1, 20))
def test_every_prediction_is_in_exactly_one_bin(pairs: list[tuple[float, bool]], bins: int) -> None:
    confidence, correct = np.array(pairs, dtype=float).T
    found = reliability.bins(confidence, correct, bins)

    assert len(found) <= bins
    assert sum(b.n for b in found) == len(pairs)
    assert sum(b.n * b.accuracy for b in found) == pytest.approx(correct.sum())
    assert sum(b.n * b.confidence for b in found) == pytest.approx(confidence.sum())
    assert all(one.upper < other.lower for one, other in pairwise(found))


@given(said, st.integers(1, 20), st.randoms(use_true_random=False))
def test_the_order_of_predictions_does_not_matter(pairs: list[tuple[float, bool]], bins: int, chance: object) -> None:
    turned = list(pairs)
    chance.shuffle(turned)  # type: ignore[attr-defined] # hypothesis hands over a random.Random
    found = [reliability.ece([c for c, _ in some], [right for _, right in some], bins) for some in (pairs, turned)]

    assert found[0] == pytest.approx(found[1])


@given(said)
def test_errors_of_calibration_lie_between_none_and_all(pairs: list[tuple[float, bool]]) -> None:
    confidence, correct = np.array(pairs, dtype=float).T

    assert 0 <= reliability.ece(confidence, correct) <= 1
    assert 0 <= reliability.brier(confidence, correct) <= 1


def test_distinct_confidences_fill_bins_equally() -> None:
    confidence = np.random.default_rng(0).random(300)

    assert {b.n for b in reliability.bins(confidence, np.ones(300), 15)} == {20}


def test_confidence_that_means_what_it_says_has_a_small_error() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.random(50_000)
    right = rng.random(50_000) < confidence

    assert reliability.ece(confidence, right) < 0.01
    assert reliability.ece(np.sqrt(confidence), right) > 0.1
    assert reliability.brier(confidence, right) == pytest.approx(1 / 6, abs=0.005)


def test_the_brier_score_is_that_of_sklearn() -> None:
    from sklearn.metrics import brier_score_loss

    rng = np.random.default_rng(1)
    confidence, right = rng.random(100), rng.random(100) < 0.5

    assert reliability.brier(confidence, right) == pytest.approx(brier_score_loss(right, confidence))


def test_nothing_said_is_no_error() -> None:
    assert reliability.bins([], []) == ()
    assert (reliability.ece([], []), reliability.brier([], [])) == (0.0, 0.0)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_labels_is_found_again(temperature: float) -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 3, (20_000, 5))
    labels = (logits / temperature + rng.gumbel(size=logits.shape)).argmax(1)

    assert reliability.fit_temperature(logits, np.eye(5)[labels]) == pytest.approx(temperature, rel=0.05)


@given(st.integers(0, 2**32 - 1))
def test_no_other_temperature_loses_less(seed: int) -> None:
    from scipy.special import log_softmax

    rng = np.random.default_rng(seed)
    logits, targets, weights = rng.normal(0, 2, (40, 4)), rng.dirichlet(np.ones(4), 40), rng.random(40)
    best = reliability.fit_temperature(logits, targets, weights)

    def loss(temperature: float) -> float:
        return float(-(weights @ (targets * log_softmax(logits / temperature, axis=1)).sum(1)))

    assert loss(best) <= min(loss(t) for t in np.geomspace(0.01, 100, 60)) + 1e-9


@given(st.integers(0, 2**32 - 1), st.floats(0.3, 3.0))
def test_logits_that_are_hotter_get_a_temperature_that_is_hotter_by_as_much(seed: int, factor: float) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (200, 3))
    targets = np.eye(3)[(logits + 2 * rng.gumbel(size=logits.shape)).argmax(1)]
    plain = reliability.fit_temperature(logits, targets)
    if 0.1 < plain < 10:
        assert reliability.fit_temperature(factor * logits, targets) == pytest.approx(factor * plain, rel=1e-3)


def test_labels_that_are_separated_perfectly_get_the_coldest_temperature() -> None:
    assert reliability.fit_temperature(np.eye(3), np.eye(3)) == pytest.approx(reliability.COLDEST, rel=1e-3)


def test_what_cannot_be_judged_is_refused() -> None:
    with pytest.raises(ValueError, match="entry"):
        reliability.ece([0.5], [1, 0])
    with pytest.raises(ValueError, match="number"):
        reliability.brier([float("nan")], [1])
    with pytest.raises(ValueError, match="logits"):
        reliability.fit_temperature(np.zeros((2, 3)), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="finite"):
        reliability.fit_temperature([[np.inf, 0.0]], [[1.0, 0.0]])
