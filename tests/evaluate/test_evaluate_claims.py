from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overproof.evaluate.claims import AtLeast, Claim, MeanAtMost, P95AtMost, RateAtMost, Saves, Within
from overproof.proof import binomial

LEVEL = 0.05
ONES = np.ones(400)
RNG = np.random.default_rng(0)
MOSTLY = (RNG.random(400) < 0.97).astype(float)
COSTS = RNG.uniform(0.5, 1.5, 400)
ANSWERED = RNG.random(400) < 0.6

CLAIMS: dict[str, tuple[Claim, Claim, Claim]] = {
    "at least": tuple(AtLeast(MOSTLY, ONES, 1, bar) for bar in (0.9, 0.97, 0.999)),  # type: ignore[dict-item]  # three
    "within": tuple(Within(MOSTLY - 1, ONES, 1, within) for within in (0.15, 0.03, 0.001)),  # type: ignore[dict-item]  # three
    "saves": tuple(
        Saves(COSTS, np.where(ANSWERED, 0.0, COSTS) + 0.01, ONES, 1, bar, 2.0, 0.02) for bar in (0.2, 0.57, 0.8)
    ),  # type: ignore[dict-item]  # three
    "mean at most": tuple(MeanAtMost(COSTS, ONES, 1, bar, 2.0) for bar in (1.3, 1.01, 0.7)),  # type: ignore[dict-item]  # three
    "rate at most": tuple(RateAtMost(12, 400, 400, bar) for bar in (0.06, 0.031, 0.01)),  # type: ignore[dict-item]  # three
    "p95": tuple(P95AtMost(np.linspace(0, 100, 400), 400, bar) for bar in (99.0, 95.2, 50.0)),  # type: ignore[dict-item]  # three
}
"""Of each kind: a promise well below the truth, one at it, one well above it."""


@pytest.mark.parametrize("kind", CLAIMS)
def test_well_within_is_proven_well_beyond_is_failed_and_at_the_truth_is_neither(kind: str) -> None:
    easy, even, hard = CLAIMS[kind]

    assert (easy.proven(LEVEL), easy.failed(LEVEL)) == (True, False)
    assert (even.proven(LEVEL), even.failed(LEVEL)) == (False, False)
    assert (hard.proven(LEVEL), hard.failed(LEVEL)) == (False, True)


@pytest.mark.parametrize("kind", CLAIMS)
def test_margins_fall_as_promises_grow(kind: str) -> None:
    margins = [claim.margin() for claim in CLAIMS[kind]]

    assert margins == sorted(margins, reverse=True)
    assert margins[0] > 0 > margins[2]


@pytest.mark.parametrize("kind", CLAIMS)
def test_the_estimate_lies_between_its_bounds(kind: str) -> None:
    for claim in CLAIMS[kind]:
        estimate = claim.estimate(LEVEL)

        assert estimate is not None
        assert estimate.lower <= estimate.value <= estimate.upper
        assert estimate.level == LEVEL


@pytest.mark.parametrize("kind", CLAIMS)
def test_what_cannot_be_proven_by_more_of_the_same_says_so(kind: str) -> None:
    assert CLAIMS[kind][2].more_units(LEVEL) is None


NOTHING = np.array([])


@pytest.mark.parametrize(
    "claim",
    [
        AtLeast(NOTHING, NOTHING, 1, 0.9),
        Within(NOTHING, NOTHING, 1, 0.02),
        Saves(NOTHING, NOTHING, NOTHING, 1, 0.1, 1.0, 0.0),
        MeanAtMost(NOTHING, NOTHING, 1, 0.5, 1.0),
        RateAtMost(0, 0, 0, 0.05),
        P95AtMost(NOTHING, 0, 50.0),
    ],
    ids=lambda claim: type(claim).__name__,
)
def test_without_evidence_nothing_is_proven_failed_or_estimated(claim: Claim) -> None:
    assert (claim.proven(LEVEL), claim.failed(LEVEL)) == (False, False)
    assert claim.estimate(LEVEL) is None
    assert claim.more_units(LEVEL) is None
    assert claim.margin() == -np.inf


@settings(max_examples=40, deadline=None)  # a bound is twenty bets
@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.floats(0.05, 0.95))
def test_a_bar_is_proven_exactly_where_the_lower_bound_clears_it(scores: list[float], bar: float) -> None:
    claim = AtLeast(np.array(scores), np.ones(len(scores)), 1, bar)
    estimate = claim.estimate(LEVEL)

    assert estimate is not None
    if abs(estimate.lower - bar) > 1e-5:
        assert claim.proven(LEVEL) == (estimate.lower >= bar)


@settings(deadline=None)  # up to 300 order statistics
@given(st.lists(st.floats(0, 100), min_size=59, max_size=300), st.floats(0, 100))
def test_a_latency_is_proven_exactly_where_its_upper_bound_is_within(latency: list[float], bar: float) -> None:
    claim = P95AtMost(np.array(latency), len(latency), bar)
    estimate = claim.estimate(LEVEL)

    assert estimate is not None
    assert claim.proven(LEVEL) == (estimate.upper <= bar)
    assert claim.failed(LEVEL) == (estimate.lower > bar)


def test_a_latency_that_was_not_measured_counts_as_too_slow() -> None:
    fast = np.full(200, 1.0)
    unknown = np.where(np.arange(200) < 30, np.inf, 1.0)

    assert P95AtMost(fast, 200, 50.0).proven(LEVEL)
    assert not P95AtMost(unknown, 200, 50.0).proven(LEVEL)
    assert P95AtMost(unknown, 200, 50.0).estimate(LEVEL) is None


def test_fewer_than_59_answers_bound_no_latency() -> None:
    assert P95AtMost(np.ones(58), 58, 50.0).estimate(LEVEL) is None
    assert P95AtMost(np.ones(59), 59, 50.0).proven(LEVEL)


def test_a_cost_beyond_its_cap_proves_nothing_although_everything_else_saves() -> None:
    teacher = np.ones(400)
    fine = Saves(teacher, np.zeros(400), ONES, 1, 0.1, 1.0, 0.0)
    one_off = Saves(np.where(np.arange(400) == 0, 1.5, teacher), np.zeros(400), ONES, 1, 0.1, 1.0, 0.0)

    assert fine.proven(LEVEL)
    assert not one_off.proven(LEVEL)
    assert one_off.estimate(LEVEL) is None
    assert one_off.margin() == -np.inf


def test_a_teacher_that_costs_nothing_cannot_be_saved_on() -> None:
    free = Saves(np.zeros(400), np.zeros(400), ONES, 1, 0.1, 1.0, 0.0)

    assert (free.proven(LEVEL), free.failed(LEVEL), free.estimate(LEVEL)) == (False, False, None)


def test_a_cost_that_cannot_exceed_the_target_needs_no_bet() -> None:
    assert MeanAtMost(np.ones(3), np.ones(3), 1, 5.0, 2.0).proven(LEVEL)


@given(st.integers(1, 2000), st.floats(0.01, 0.2))
def test_more_units_at_the_same_rate_would_prove_it(answered: int, rate: float) -> None:
    errors = int(rate * 0.5 * answered)
    claim = RateAtMost(errors, answered, 2 * answered, rate)
    more = claim.more_units(LEVEL)
    if more is None or claim.proven(LEVEL):
        return
    grown = answered + more / 2
    smooth = float(binomial.tail(np.floor(errors / answered * grown), int(grown), rate))

    assert more >= 1
    assert smooth <= 2.5 * LEVEL  # whole errors make it jump around the level
