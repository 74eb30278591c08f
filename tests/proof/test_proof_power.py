"""Power: what a bet will need, before and after some evidence is in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.proof import betting, binomial, power

TAIL = 1.2
SIZES = (((np.arange(20_000) + 0.5) / 20_000) ** (-1 / TAIL)).astype(np.int64)
"""Unit sizes with P(N >= k) = k**-1.2, one at each quantile."""


@pytest.mark.parametrize(("n_max", "units"), [(1, 28), (3, 49), (12, 129)])
def test_the_floor_for_error_free_units_is_that_of_the_design(n_max: int, units: int) -> None:
    assert round(power.error_free_units(0.90, 0.05, SIZES, n_max)) == units


@pytest.mark.parametrize("n_max", [1, 3, 12])
def test_our_bet_needs_at_most_a_third_more_than_the_floor(n_max: int) -> None:
    needed = power.units_needed(0.90, 1.0, 0.05, SIZES, n_max)

    assert needed is not None
    assert needed <= 1.34 * power.error_free_units(0.90, 0.05, SIZES, n_max)


@pytest.mark.simulation
@pytest.mark.parametrize("n_max", [1, 12])
@pytest.mark.parametrize("expected", [0.99, 0.97, 0.95])
def test_so_many_units_prove_the_bar_about_as_often_as_asked(n_max: int, expected: float) -> None:
    """The wealth at the end passes with the power asked; the largest on the way with a little more."""
    needed = power.units_needed(0.90, expected, 0.05, SIZES, n_max, power=0.8)
    assert needed is not None
    rng = np.random.default_rng(5)
    w = betting.weights(rng.choice(SIZES, (2000, needed)), n_max)
    z = w * ((rng.random((2000, needed)) < expected) - 0.9)

    assert (betting.wealth(z, 0.9)[:, -1] >= np.log(20)).mean() == pytest.approx(0.8, abs=0.07)
    assert 0.8 <= (betting.p_value(z, 0.9) <= 0.05).mean() <= 0.93


@given(st.floats(0.5, 0.95), st.floats(0.005, 0.2), st.floats(0.005, 0.2), st.integers(1, 12))
def test_a_better_student_never_needs_more_units(bar: float, near: float, far: float, n_max: int) -> None:
    near, far = sorted([near, far])
    few = power.units_needed(bar, min(bar + far, 1.0), 0.05, SIZES[::100], n_max)
    many = power.units_needed(bar, min(bar + near, 1.0), 0.05, SIZES[::100], n_max)
    if many is not None:
        assert few is not None
        assert few <= many


@given(st.floats(0.1, 1.0), st.floats(0, 1), st.integers(1, 12))
def test_no_number_of_units_proves_a_bar_that_is_not_cleared(bar: float, share: float, n_max: int) -> None:
    assert power.units_needed(bar, share * bar, 0.05, SIZES[::100], n_max) is None


@pytest.mark.parametrize("n_max", [1, 3])
def test_as_many_more_units_as_were_named_prove_the_bar(n_max: int) -> None:
    """Units that repeat what was seen, once for each repetition the answer asks for."""
    scores, counts = np.tile([1.0] * 29 + [0.0], 2), np.tile([1, 2, 4], 20)
    more = power.more_units(scores, counts, 0.9, n_max, 0.05)
    assert more is not None
    assert more > 0
    repeated = [np.tile(part, 2 + more // len(scores)) for part in (scores, counts)]

    assert not betting.test_at_least(scores, counts, 0.9, n_max, 0.05).rejected
    assert betting.test_at_least(repeated[0], repeated[1], 0.9, n_max, 0.05).rejected


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0, 1.0, 1.0]), st.integers(1, 5)), max_size=80), st.floats(0.3, 0.95))
def test_more_units_are_named_exactly_when_they_help(seen: list[tuple[float, int]], bar: float) -> None:
    scores, counts = np.array(seen).reshape(-1, 2).T
    more = power.more_units(scores, counts, bar, 3, 0.05)
    mean = float(betting.estimate(scores, counts, 3))

    assert not (more is not None and mean <= bar)
    if more == 0:
        assert betting.test_at_least(scores, counts, bar, 3, 0.05).rejected
    if betting.test_at_least(scores, counts, bar, 3, 0.05).rejected and mean > bar:
        assert more == 0


def test_the_suggested_n_max_is_the_largest_that_can_be_afforded() -> None:
    suggested = power.suggest_n_max(SIZES, 0.9, 0.05, 0.97, units=300)
    needed = {m: power.units_needed(0.9, 0.97, 0.05, SIZES, m) for m in (suggested, 12)}

    assert suggested == 3
    assert (needed[suggested] or 0) <= 300 < (needed[12] or 0)


@given(st.integers(1, 500), st.integers(1, 500))
def test_more_units_never_lower_the_suggested_n_max(one: int, other: int) -> None:
    few, many = sorted([one, other])

    assert power.suggest_n_max(SIZES[::200], 0.9, 0.05, 0.98, units=few) <= power.suggest_n_max(
        SIZES[::200], 0.9, 0.05, 0.98, units=many
    )


def test_a_bar_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match="bar"):
        power.units_needed(1.2, 1.0, 0.05, [1], 1)


@given(errors=st.integers(0, 60), more=st.integers(1, 60), answered=st.integers(72, 800))
def test_fewer_errors_make_it_likelier_to_prove_again(errors: int, more: int, answered: int) -> None:
    few = power.chance_to_prove_again(errors, answered, 0.05, 0.03)
    many = power.chance_to_prove_again(min(errors + more, answered), answered, 0.05, 0.03)

    assert 0 <= many <= few + 1e-9 <= 1 + 1e-9


def test_the_chance_to_prove_again_is_what_fresh_samples_show() -> None:
    """Rates drawn from the posterior, fresh errors from the rates, the test on those: the share that is proven."""
    rng = np.random.default_rng(5)
    errors, answered, alpha, level = 18, 500, 0.06, 0.032
    rates = rng.beta(errors + 0.5, answered - errors + 0.5, 40_000)
    fresh = rng.binomial(answered, rates)

    seen = float((binomial.tail(fresh, answered, alpha) <= level).mean())

    assert abs(power.chance_to_prove_again(errors, answered, alpha, level) - seen) < 0.01


def test_nobody_proves_anything_on_nothing() -> None:
    assert power.chance_to_prove_again(0, 0, 0.05, 0.05) == 0.0
    assert power.chance_to_prove_again(0, 20, 0.05, 0.05) == 0.0
