"""Bets on weighted units: the properties that hold for every data set; what holds on average is simulated elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from overproof.proof import betting, binomial

Floats = NDArray[np.float64]
Units = tuple[Floats, NDArray[np.int64]]

bars = st.floats(0.02, 0.99)
caps = st.integers(1, 12)
levels = st.sampled_from([0.01, 0.05, 0.1])


@st.composite
def units(draw: st.DrawFn, least: int = 1, most: int = 60) -> Units:
    """Draw mean scores and counts; often right, as students are."""
    n = draw(st.integers(least, most))
    score = st.one_of(st.just(1.0), st.floats(0, 1))
    scores = draw(st.lists(score, min_size=n, max_size=n))
    counts = draw(st.lists(st.integers(0, 40), min_size=n, max_size=n))
    return np.array(scores), np.array(counts)


@given(units(), bars, bars, caps)
def test_a_higher_bar_is_never_easier_to_prove(seen: Units, one: float, other: float, n_max: int) -> None:
    low, high = sorted([one, other])
    p = [betting.test_at_least(*seen, bar, n_max, 0.05).p_value for bar in (low, high)]

    assert p[0] <= p[1] * (1 + 1e-9)


@given(units(), bars, caps, levels)
def test_a_bar_is_proven_exactly_when_the_lower_bound_clears_it(
    seen: Units, bar: float, n_max: int, delta: float
) -> None:
    bound = float(betting.lower(*seen, n_max, delta))
    proven = betting.test_at_least(*seen, bar, n_max, delta).rejected
    if not bound < bar <= bound + 2**-19:  # the search rounds down by less than this
        assert proven == (bar <= bound)


@given(units(), caps, levels)
def test_the_bounds_enclose_the_estimate(seen: Units, n_max: int, delta: float) -> None:
    found = betting.interval(*seen, n_max, delta)
    if found is None:
        assert not seen[1].any()
    else:
        assert 0 <= found.lower <= found.value + 1e-9
        assert found.value - 1e-9 <= found.upper <= 1
        assert found.kind == "anytime"


@given(units(), bars, caps, units())
def test_evidence_is_never_lost_by_looking_again(seen: Units, bar: float, n_max: int, more: Units) -> None:
    """Anytime: adding units keeps what was proven, for the largest wealth counts."""
    both = tuple(np.concatenate(pair) for pair in zip(seen, more, strict=True))

    first = betting.test_at_least(*seen, bar, n_max, 0.05).p_value
    then = betting.test_at_least(both[0], both[1], bar, n_max, 0.05).p_value

    assert then <= first


@given(units(), bars, caps, st.randoms(use_true_random=False))
def test_the_wealth_at_the_end_does_not_depend_on_the_order(
    seen: Units, bar: float, n_max: int, chance: object
) -> None:
    scores, counts = seen
    turned = np.arange(len(scores))
    chance.shuffle(turned)  # type: ignore[attr-defined] # hypothesis hands over a random.Random
    z = betting.weights(counts, n_max) * (scores - bar)

    assert betting.wealth(z[turned], bar)[-1] == pytest.approx(betting.wealth(z, bar)[-1], abs=1e-6)


@given(units(), bars)
def test_the_wealth_is_that_of_the_stake_it_stands_for(seen: Units, bar: float) -> None:
    """Dividing money over constant fractions is betting their mean, weighted by what each has earned so far."""
    x = (seen[0] - bar) / bar
    parts, path = betting.SHARES.copy(), []
    for gain in x:
        stake = float(parts @ betting.FRACTIONS / parts.sum())
        path.append(np.log1p(stake * gain))
        parts = parts * (1 + betting.FRACTIONS * gain)

    assert betting.wealth(x, 1.0) == pytest.approx(np.cumsum(path), abs=1e-6)


@given(st.lists(units(least=20, most=20), min_size=1, max_size=5), caps, bars)
def test_a_batch_is_its_single_data_sets(sets: list[Units], n_max: int, bar: float) -> None:
    scores, counts = (np.array(part) for part in zip(*sets, strict=True))

    assert betting.lower(scores, counts, n_max, 0.05).tolist() == [
        float(betting.lower(*one, n_max, 0.05)) for one in sets
    ]
    z = betting.weights(counts, n_max) * (scores - bar)
    assert betting.p_value(z, bar).tolist() == [betting.test_at_least(*one, bar, n_max, 0.05).p_value for one in sets]


@given(units(), caps)
def test_units_that_were_not_seen_change_nothing(seen: Units, n_max: int) -> None:
    scores, counts = np.append(seen[0], 0.0), np.append(seen[1], 0)

    assert betting.lower(scores, counts, n_max, 0.05) == betting.lower(*seen, n_max, 0.05)


@given(units(), st.integers(41, 1000))
def test_without_a_cap_the_estimate_is_plain_accuracy_by_request(seen: Units, n_max: int) -> None:
    scores, counts = seen
    if counts.any():
        assert betting.estimate(scores, counts, n_max) == pytest.approx((scores * counts).sum() / counts.sum())
        assert betting.capped_share(counts, n_max) == 0


@given(units(), caps)
def test_the_effective_number_lies_between_one_and_the_units(seen: Units, n_max: int) -> None:
    found, weighing = betting.effective(seen[1], n_max), int((seen[1] > 0).sum())

    assert min(weighing, 1) - 1e-9 <= found <= weighing + 1e-9
    if n_max == 1:
        assert found == pytest.approx(weighing)


@given(units(), st.floats(0, 0.5), caps)
def test_a_difference_is_proven_exactly_when_its_lower_bound_clears_the_margin(
    seen: Units, margin: float, n_max: int
) -> None:
    student, counts = seen
    teacher = student[::-1]
    test = betting.test_difference(student, teacher, counts, margin=margin, n_max=n_max, delta=0.05)
    bound = float(betting.lower_difference(student, teacher, counts, n_max, 0.05))
    if not bound < -margin <= bound + 2**-18:
        assert test.rejected == (-margin <= bound)
    assert bound <= float(betting.upper_difference(student, teacher, counts, n_max, 0.05))


@given(units(), st.floats(0.1, 20), st.floats(0.01, 0.99), caps)
def test_an_amount_is_proven_exactly_when_its_upper_bound_clears_the_bar(
    seen: Units, cap: float, share: float, n_max: int
) -> None:
    values, bar = seen[0] * cap, share * cap
    test = betting.test_mean_at_most(values, seen[1], bar=bar, cap=cap, n_max=n_max, delta=0.05)
    bound = float(betting.upper_mean(values, seen[1], cap, n_max, 0.05))
    if not bound - cap * 2**-18 <= bar <= bound + cap * 2**-18:
        assert test.rejected == (bound < bar)
    assert -1e-9 <= float(betting.lower_mean(values, seen[1], cap, n_max, 0.05)) <= bound + 1e-9


def test_an_amount_below_a_bar_at_its_cap_needs_no_evidence() -> None:
    assert betting.test_mean_at_most([0.5], [1], bar=2.0, cap=2.0, n_max=1, delta=0.05).rejected


def test_no_units_prove_nothing() -> None:
    test = betting.test_at_least([], [], 0.9, 3, 0.05)

    assert (test.p_value, test.rejected, test.value) == (1.0, False, None)
    assert betting.interval([], [], 3, 0.05) is None
    assert (float(betting.lower([], [], 3, 0.05)), float(betting.upper([], [], 3, 0.05))) == (0.0, 1.0)


def test_bounds_that_later_units_contradict_are_widened_to_the_mean() -> None:
    scores = np.append(np.ones(100), np.zeros(100))
    found = betting.interval(scores, np.ones(200), 1, 0.05)

    assert found is not None
    assert betting.lower(scores, np.ones(200), 1, 0.05) > 0.9
    assert found.lower == found.value == 0.5


def test_overwhelming_evidence_stays_a_number() -> None:
    test = betting.test_at_least(np.ones(50_000), np.ones(50_000), 0.5, 1, 0.05)

    assert 0 < test.p_value < 1e-200
    assert np.isfinite(betting.wealth(np.full(50_000, 0.5), 0.5)).all()


@pytest.mark.parametrize(("n", "rate"), [(200, 0.9), (1000, 0.9), (1000, 0.97), (2000, 0.5)])
def test_on_single_requests_the_bounds_are_at_most_twice_as_far_as_the_exact_ones(n: int, rate: float) -> None:
    """The price of being valid at every look and under every weighting, against Clopper-Pearson at one look."""
    right = round(n * rate)
    rows = np.tile((np.arange(n) < right).astype(float), (50, 1))
    scores = np.random.default_rng(1).permuted(rows, axis=1)

    below = rate - betting.lower(scores, np.ones(n), 1, 0.05).mean()
    above = betting.upper(scores, np.ones(n), 1, 0.05).mean() - rate

    assert below <= 2 * (rate - binomial.lower(right, n, 0.05))
    assert above <= 2 * (binomial.upper(right, n, 0.05) - rate)


@given(st.lists(st.text(max_size=8), unique=True, max_size=40), st.randoms(use_true_random=False))
def test_the_order_of_units_depends_on_ids_and_seed_alone(ids: list[str], chance: object) -> None:
    turned = list(ids)
    chance.shuffle(turned)  # type: ignore[attr-defined] # hypothesis hands over a random.Random

    assert [ids[i] for i in betting.order(ids, "seed")] == [turned[i] for i in betting.order(turned, "seed")]


def test_a_unit_listed_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        betting.order(["a", "b", "a"], "seed")


@pytest.mark.parametrize(
    ("scores", "counts", "bar", "n_max", "delta"),
    [
        ([1.1], [1], 0.9, 1, 0.05),
        ([float("nan")], [1], 0.9, 1, 0.05),
        ([0.5], [-1], 0.9, 1, 0.05),
        ([0.5], [float("nan")], 0.9, 1, 0.05),
        ([0.5], [1], 0.0, 1, 0.05),
        ([0.5], [1], 1.1, 1, 0.05),
        ([0.5], [1], 0.9, 0, 0.05),
        ([0.5], [1], 0.9, 1, 0.0),
    ],
)
def test_what_cannot_be_bet_on_is_refused(
    scores: list[float], counts: list[float], bar: float, n_max: int, delta: float
) -> None:
    with pytest.raises(ValueError, match=r"score|count|bar|n_max|level"):
        betting.test_at_least(scores, counts, bar, n_max, delta)


@pytest.mark.parametrize(("z", "floor"), [([-1.1], 1.0), ([float("nan")], 1.0), ([0.0], 0.0)])
def test_a_payoff_below_its_floor_is_refused(z: list[float], floor: float) -> None:
    with pytest.raises(ValueError, match="floor"):
        betting.wealth(z, floor)
