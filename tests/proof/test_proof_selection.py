"""Sequences, intersections and the schedule by which error probability is spent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.proof.ledger import family_levels, spent
from overproof.proof.selection import all_hold, fixed_sequence


@given(st.lists(st.booleans()))
def test_a_sequence_ends_with_the_first_that_is_not_proven(outcomes: list[bool]) -> None:
    tested = fixed_sequence(outcomes)

    assert list(tested) == outcomes[: len(tested)]
    assert all(tested[:-1])
    assert len(tested) == len(outcomes) or not tested[-1]


def test_what_stands_after_a_failure_is_never_tested() -> None:
    looked: list[str] = []

    def tests() -> Iterator[bool]:
        for name, outcome in [("a", True), ("b", False), ("c", True)]:
            looked.append(name)
            yield outcome

    assert fixed_sequence(tests()) == (True, False)
    assert looked == ["a", "b"]


@given(st.lists(st.booleans(), min_size=1))
def test_all_conditions_hold_when_each_does(outcomes: list[bool]) -> None:
    assert all_hold(outcomes) == (False not in outcomes)


def test_a_claim_without_a_condition_is_refused() -> None:
    with pytest.raises(ValueError, match="condition"):
        all_hold([])


@given(st.floats(0.001, 0.5), st.integers(1, 60))
def test_what_is_spent_never_exceeds_the_whole(delta: float, decisions: int) -> None:
    levels = [spent(delta, number) for number in range(1, decisions + 1)]

    assert levels[0] == pytest.approx(0.8 * delta)
    assert sum(levels) <= delta * (1 + 1e-12)
    assert levels == sorted(levels, reverse=True)


@given(st.floats(0.001, 0.5))
def test_the_families_share_the_whole(delta: float) -> None:
    levels = family_levels(delta)

    assert levels.gate + levels.students == pytest.approx(delta)
    assert levels.gate == pytest.approx(0.2 * delta)


@pytest.mark.parametrize(("delta", "number"), [(0.0, 1), (1.0, 1), (0.05, 0)])
def test_an_impossible_schedule_is_refused(delta: float, number: int) -> None:
    with pytest.raises(ValueError, match="delta"):
        spent(delta, number)
