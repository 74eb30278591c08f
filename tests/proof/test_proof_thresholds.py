"""Learn-then-Test thresholds: exact p-values for every slice and threshold, and the procedures that read them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from overproof.proof import binomial, thresholds

Requests = tuple[NDArray[np.float64], NDArray[np.bool_]]


@st.composite
def requests(draw: st.DrawFn, most: int = 60) -> Requests:
    """Draw confidences with many ties, and whether each request was right."""
    n = draw(st.integers(0, most))
    confidence = draw(st.lists(st.integers(0, 10), min_size=n, max_size=n))
    correct = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    return np.array(confidence, dtype=float) / 10, np.array(correct, dtype=bool)


grids = st.lists(st.integers(0, 11), min_size=1, max_size=8, unique=True).map(lambda g: np.sort(np.array(g) / 10))
p_values = st.lists(st.floats(0, 0.2), min_size=1, max_size=40).map(np.array)


@given(requests(), grids, st.integers(1, 4), st.integers(0, 999))
def test_the_table_is_what_counting_one_cell_at_a_time_gives(
    asked: Requests, grid: NDArray[np.float64], k: int, seed: int
) -> None:
    confidence, correct = asked
    member = np.random.default_rng(seed).random((len(confidence), k)) < 0.5
    p = thresholds.table(confidence, correct, member, grid, 0.05)

    for s in range(k):
        for i, threshold in enumerate(grid):
            above = member[:, s] & (confidence >= threshold)
            expected = binomial.tail(int((above & ~correct).sum()), int(above.sum()), 0.05)
            assert p[s, i] == pytest.approx(float(expected))
    assert p.shape == (k, len(grid))


@given(requests(), grids)
def test_codes_and_membership_say_the_same(asked: Requests, grid: NDArray[np.float64]) -> None:
    confidence, correct = asked
    codes = np.arange(len(confidence)) % 3
    codes = np.append(codes, 2)  # so that every slice has a code
    confidence, correct = np.append(confidence, 0.5), np.append(correct, True)
    member = codes[:, None] == np.arange(3)

    by_code = thresholds.table(confidence, correct, codes, grid, 0.05)

    assert by_code.tolist() == thresholds.table(confidence, correct, member, grid, 0.05).tolist()


@given(requests(), grids, st.randoms(use_true_random=False))
def test_the_order_of_requests_does_not_matter(asked: Requests, grid: NDArray[np.float64], chance: object) -> None:
    turned = np.arange(len(asked[0]))
    chance.shuffle(turned)  # type: ignore[attr-defined] # hypothesis hands over a random.Random
    member = np.ones((len(turned), 1), dtype=bool)

    p = thresholds.table(*asked, member, grid, 0.3)

    assert p.tolist() == thresholds.table(asked[0][turned], asked[1][turned], member, grid, 0.3).tolist()


def test_a_confidence_at_the_threshold_is_answered() -> None:
    counts = thresholds.count([0.5, 0.4], [1, 0], [0, 0], [0.5])

    assert (counts.answered[0, 0], counts.errors[0, 0]) == (1, 0)


def test_float32_confidences_meet_float64_thresholds_as_numpy_compares_them() -> None:
    confidence = np.random.default_rng(0).random(500, dtype=np.float32)
    grid = np.sort(confidence[:50]).astype(np.float64)
    counts = thresholds.count(confidence, np.ones(500), np.zeros(500, dtype=int), grid)

    assert counts.answered[0].tolist() == [(confidence >= t).sum() for t in grid]


@given(p_values, st.floats(0.001, 0.2))
def test_what_is_certified_is_what_two_procedures_of_mapie_find(p: NDArray[np.float64], level: float) -> None:
    """MAPIE 1.x lists every hypothesis rejected, strict first; half of the level for each of its procedures."""
    from mapie.risk_control.fwer_control import FWERBonferroniCorrection, FWERFixedSequenceTesting

    sequence = len(p) - 1 - np.array(FWERFixedSequenceTesting().run(p[::-1], level / 2), dtype=int)
    spread = np.unique(np.linspace(0, len(p) - 1, min(thresholds.SPREAD, len(p))).round().astype(int))
    bonferroni = spread[FWERBonferroniCorrection().run(p[spread], level / 2)]

    assert set(np.flatnonzero(thresholds.certified(p, level))) == {*sequence, *bonferroni}


@given(st.integers(1, 2000), st.floats(0, 0.2))
def test_exact_tails_are_never_above_mapies_hoeffding_bentkus_p_values(n: int, rate: float) -> None:
    from mapie.risk_control.methods import compute_hoeffding_bentkus_p_value

    errors = round(rate * n)
    theirs = float(compute_hoeffding_bentkus_p_value(np.array([errors / n]), n, np.array([0.05]))[0, 0])

    assert float(binomial.tail(errors, n, 0.05)) <= theirs + 1e-9


@given(p_values, st.floats(0.001, 0.5))
def test_no_threshold_is_certified_above_half_the_level(p: NDArray[np.float64], level: float) -> None:
    assert (p[thresholds.certified(p, level)] <= level / 2).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.floats(0.001, 0.5))
def test_more_level_certifies_no_less(p: list[float], level: float) -> None:
    expected = np.linspace(400, 100, len(p))
    some = thresholds.certified(p, level, expected, 200, 72)
    more = thresholds.certified(p, 2 * level, expected, 200, 72)

    assert (more | ~some).all()


def test_the_sequence_ends_at_the_first_threshold_that_is_not_proven() -> None:
    p = np.full(30, 1e-9)
    p[12] = 0.9
    found = thresholds.certified(p, 0.1, np.full(30, 500.0), 200, 1000)  # so few expected that the spread tests nothing

    assert not found.any()

    found = thresholds.certified(p, 0.1, np.full(30, 500.0), 200, 72)

    assert found[13:].all()
    assert not found[12]


def test_an_early_error_stops_the_sequence_and_the_spread_goes_on() -> None:
    """Nine errors among the surest thirty, none among the thousand after: only the Bonferroni grid survives that."""
    confidence = np.linspace(1, 0.01, 1000)
    correct = np.ones(1000, dtype=bool)
    correct[:9] = False
    (p,) = thresholds.table(confidence, correct, np.zeros(1000, dtype=int), np.linspace(0.01, 0.97, 50), 0.05)
    found = thresholds.certified(p, 0.1)

    assert p[-1] > 0.05
    assert found[0]
    assert not found[-1]
    assert found.sum() < thresholds.SPREAD


def test_nothing_to_go_on_certifies_nothing() -> None:
    assert not thresholds.certified([], 0.1).any()
    assert not thresholds.certified([0.0], 0.1, expected=[50.0], least=72).any()


@given(st.integers(50, 5000), st.integers(1, 5000))
def test_the_grid_starts_where_enough_units_are_expected_and_ends_with_all(tune: int, units: int) -> None:
    confidence = np.random.default_rng(tune).random(tune)
    grid = thresholds.grid_from_tune(confidence, units)
    start = min(200, max(72, units / 2)) / units

    assert np.all(np.diff(grid) > 0)
    assert len(grid) <= 50
    assert grid[0] == confidence.min()
    assert (confidence >= grid[-1]).mean() >= min(start, 1.0) - 1e-9
    assert (confidence >= grid[-1]).mean() <= min(start, 1.0) + 1 / tune + 1e-9


def test_no_threshold_lets_a_confidence_of_zero_answer() -> None:
    assert thresholds.grid_from_tune([0.0, 0.0, 0.3, 0.9], 100).tolist() == [0.3]
    assert len(thresholds.grid_from_tune([0.0], 100)) == 0
    assert len(thresholds.grid_from_tune([], 100)) == 0


@given(st.integers(0, 400), st.integers(0, 30), st.integers(0, 400))
def test_the_units_named_would_certify_at_the_rate_seen(right: int, errors: int, apart: int) -> None:
    answered = right + errors
    units = answered + apart
    more = thresholds.units_to_certify(answered, errors, units, 0.05, 0.1)
    if more is None:
        assert errors / answered > 0.04
    elif more and answered:
        then = answered + int(np.ceil(more * answered / units))
        assert binomial.tail(np.floor(errors / answered * then), then, 0.05) <= 0.05
    if answered and errors / answered >= 0.05:
        assert more is None


def test_a_slice_that_was_never_answered_needs_at_least_the_error_free_number() -> None:
    assert thresholds.units_to_certify(0, 0, 40, 0.05, 0.05) == 72


@pytest.mark.parametrize(
    ("confidence", "correct", "slices", "grid"),
    [
        ([float("nan")], [1], [0], [0.5]),
        ([0.5, 0.5], [1], [0], [0.5]),
        ([0.5], [1], [-1], [0.5]),
        ([0.5], [1], [0.5], [0.5]),
        ([0.5], [1], [0], [0.5, 0.4]),
    ],
)
def test_what_cannot_be_counted_is_refused(
    confidence: list[float], correct: list[int], slices: list[float], grid: list[float]
) -> None:
    with pytest.raises(ValueError, match=r"row|number|grid"):
        thresholds.table(confidence, correct, slices, grid, 0.05)


def test_impossible_levels_and_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="level"):
        thresholds.certified([0.01], 0.0)
    with pytest.raises(ValueError, match="counts"):
        thresholds.units_to_certify(3, 4, 5, 0.05, 0.1)
    with pytest.raises(ValueError, match="number"):
        thresholds.grid_from_tune([float("nan")], 100)
