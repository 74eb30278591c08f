"""Exact binomial bounds: they cover by enumeration, and agree with scipy where both say something."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.proof import binomial

levels = st.floats(0.001, 0.3)
rates = st.floats(0.01, 0.99)


@st.composite
def counted(draw: st.DrawFn) -> tuple[int, int]:
    n = draw(st.integers(0, 3000))
    return draw(st.integers(0, n)), n


@pytest.mark.parametrize("n", [1, 5, 20, 100, 500, 2000])
@pytest.mark.parametrize("delta", [0.05, 0.01])
def test_each_bound_misses_with_at_most_its_level_summed_over_every_outcome(n: int, delta: float) -> None:
    from scipy import stats

    k, rate = np.arange(n + 1), np.linspace(0.001, 0.999, 173)[:, None]
    chance = stats.binom.pmf(k, n, rate)
    too_high = (chance * (binomial.lower(k, n, delta) > rate)).sum(1)
    too_low = (chance * (binomial.upper(k, n, delta) < rate)).sum(1)

    assert too_high.max() <= delta + 1e-9
    assert too_low.max() <= delta + 1e-9


@given(counted(), st.floats(0.01, 0.3))
def test_the_bounds_are_those_of_scipy(seen: tuple[int, int], delta: float) -> None:
    from scipy import stats

    k, n = seen
    if n:
        theirs = stats.binomtest(k, n).proportion_ci(1 - 2 * delta, method="exact")

        assert binomial.lower(k, n, delta) == pytest.approx(theirs.low, abs=1e-9)
        assert binomial.upper(k, n, delta) == pytest.approx(theirs.high, abs=1e-9)


@given(counted(), levels)
def test_the_bounds_enclose_the_rate_and_stay_in_range(seen: tuple[int, int], delta: float) -> None:
    k, n = seen
    rate = k / n if n else 0.5

    assert 0 <= binomial.lower(k, n, delta) <= rate <= binomial.upper(k, n, delta) <= 1


def test_no_evidence_bounds_nothing() -> None:
    assert (float(binomial.lower(0, 0, 0.05)), float(binomial.upper(0, 0, 0.05))) == (0.0, 1.0)
    assert float(binomial.tail(0, 0, 0.05)) == 1.0


@given(counted(), rates)
def test_the_tail_is_the_binomial_distribution_function(seen: tuple[int, int], rate: float) -> None:
    from scipy import stats

    k, n = seen

    assert binomial.tail(k, n, rate) == pytest.approx(stats.binom.cdf(k, n, rate), abs=1e-11)
    assert binomial.tail(-1, n, rate) == 0


@given(counted(), rates, levels)
def test_the_tail_rejects_exactly_when_the_bound_clears(seen: tuple[int, int], rate: float, delta: float) -> None:
    k, n = seen
    bound, p = float(binomial.upper(k, n, delta)), float(binomial.tail(k, n, rate))
    if abs(p - delta) > 1e-9:  # at equality rounding decides
        assert (p < delta) == (bound < rate)


@given(st.lists(counted(), min_size=1, max_size=8), levels)
def test_a_batch_is_its_single_cases(seen: list[tuple[int, int]], delta: float) -> None:
    k, n = np.array(seen).T

    assert binomial.lower(k, n, delta).tolist() == [float(binomial.lower(*pair, delta)) for pair in seen]


def test_72_units_without_error_are_the_least_that_prove_5_percent_at_2_and_a_half() -> None:
    assert binomial.least_units(0.05, 0.025) == 72
    assert binomial.tail(0, 72, 0.05) <= 0.025 < binomial.tail(0, 71, 0.05)


@given(st.floats(0.5, 0.98), st.floats(0.001, 0.2), levels)
def test_the_units_needed_are_enough_and_one_less_is_not(bar: float, above: float, delta: float) -> None:
    expected = min(bar + above, 1.0)
    needed = binomial.units_needed(expected, bar, delta)
    if needed is not None:
        assert binomial._proves(needed, 1 - expected, 1 - bar, delta)
        assert needed == 1 or not binomial._proves(needed - 1, 1 - expected, 1 - bar, delta)


def test_the_units_needed_match_the_exact_test_where_errors_are_whole() -> None:
    needed = binomial.units_needed_at_most(0.0, 0.05, 0.025)

    assert needed == binomial.least_units(0.05, 0.025)


@given(rates, st.floats(0, 0.5), levels)
def test_nothing_proves_a_bar_that_is_not_cleared(bar: float, short: float, delta: float) -> None:
    assert binomial.units_needed(max(bar - short, 0.0), bar, delta) is None


@pytest.mark.parametrize(("k", "n", "delta"), [(2, 1, 0.05), (-1, 1, 0.05), (1, 1, 0.0), (1, 1, 1.0)])
def test_impossible_counts_and_levels_are_refused(k: int, n: int, delta: float) -> None:
    with pytest.raises(ValueError, match=r"counts|level"):
        binomial.lower(k, n, delta)
