"""The bet that a system saves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.proof import betting, saving

COST = st.lists(st.tuples(st.floats(0, 2), st.floats(0, 2), st.integers(0, 9)), min_size=1, max_size=40)


@given(COST, st.integers(1, 5))
def test_the_bounds_enclose_the_share_saved(seen: list[tuple[float, float, int]], n_max: int) -> None:
    teacher, system, counts = np.array(seen).T
    found = saving.saved(teacher, system, counts, cap=2.0, n_max=n_max, delta=0.05)
    if found is not None:
        assert found.lower <= max(found.value, -1.0) + 1e-9
        assert found.upper >= found.value - 1e-9


@given(COST, st.integers(-20, 99), st.integers(1, 5))
def test_a_saving_is_proven_exactly_when_the_lower_bound_reaches_it(
    seen: list[tuple[float, float, int]], percent: int, n_max: int
) -> None:
    teacher, system, counts = np.array(seen).T
    found = saving.saved(teacher, system, counts, cap=2.0, n_max=n_max, delta=0.05)
    if found is not None and percent >= 0:
        test = saving.test_saving(teacher, system, counts, min_saving=percent / 100, cap=2.0, n_max=n_max, delta=0.05)

        assert test.rejected == (percent / 100 <= found.lower)
        assert test.value == pytest.approx(found.value)


def test_knowing_that_the_teacher_is_the_fallback_proves_a_saving_with_far_less() -> None:
    rng = np.random.default_rng(3)
    teacher = rng.beta(2, 18, 60)
    system = np.where(rng.random(60) < 0.6, 0.0, teacher) + 0.001
    told = {"min_saving": 0.1, "cap": 1.0, "n_max": 1, "delta": 0.05}

    blind = saving.test_saving(teacher, system, np.ones(60), **told)  # type: ignore[arg-type] # one dict, two kinds
    aware = saving.test_saving(teacher, system, np.ones(60), **told, extra=0.001)  # type: ignore[arg-type] # as above

    assert not blind.rejected
    assert aware.p_value < 1e-6


def test_a_system_that_serves_nothing_proves_no_saving() -> None:
    teacher = np.random.default_rng(0).beta(2, 8, 2000)

    test = saving.test_saving(teacher, teacher, np.ones(2000), min_saving=0.1, cap=1.0, n_max=1, delta=0.05, extra=0.0)

    assert test.p_value == 1.0
    assert test.value == 0.0


@given(COST)
def test_the_bet_is_the_general_one_on_weighted_sums(seen: list[tuple[float, float, int]]) -> None:
    teacher, system, counts = np.array(seen).T
    z = betting.weights(counts, 3) * (0.9 * teacher - system)

    test = saving.test_saving(teacher, system, counts, min_saving=0.1, cap=2.0, n_max=3, delta=0.05)

    assert test.p_value == pytest.approx(float(betting.p_value(z, 2.0)))


@pytest.mark.parametrize(
    ("teacher", "system", "cap", "extra", "min_saving"),
    [
        (2.0, 0.1, 1.0, None, 0.1),
        (0.5, 1.5, 1.0, None, 0.1),
        (0.5, 0.7, 1.0, 0.1, 0.1),
        (float("nan"), 0.1, 1.0, None, 0.1),
        (0.5, 0.1, 0.0, None, 0.1),
        (0.5, 0.1, 1.0, -1.0, 0.1),
        (0.5, 0.1, 1.0, None, 1.0),
    ],
)
def test_costs_beyond_what_was_promised_are_refused(
    teacher: float, system: float, cap: float, extra: float | None, min_saving: float
) -> None:
    with pytest.raises(ValueError, match=r"cost|cap|saving"):
        saving.test_saving([teacher], [system], [1], min_saving=min_saving, cap=cap, n_max=1, delta=0.05, extra=extra)
