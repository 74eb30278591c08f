"""Prompts drawn to look at: the same again, more of them when asked for more, as often as traffic asks."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from overproof.prompts.drawing import drawn


def prompts(times: list[int], strata: list[list[str]] | None = None) -> pl.DataFrame:
    table = pl.DataFrame({"id": [f"p{i}" for i in range(len(times))], "times": times})
    return table if strata is None else table.with_columns(strata=pl.Series(strata, dtype=pl.List(pl.String)))


@given(times=st.lists(st.integers(1, 50), min_size=1, max_size=30), a=st.integers(1, 30), b=st.integers(1, 30))
def test_who_asks_for_more_gets_all_they_had_and_none_twice(times: list[int], a: int, b: int) -> None:
    few, many = sorted([a, b])
    found = drawn(prompts(times), many, "seed")

    assert drawn(prompts(times), few, "seed") == found[:few]
    assert len(set(found)) == len(found) == min(many, len(times))


def test_the_order_of_the_table_changes_nothing_and_another_seed_does() -> None:
    table = prompts([1] * 50)

    assert drawn(table, 10, "seed") == drawn(table.reverse(), 10, "seed")
    assert drawn(table, 10, "seed") != drawn(table, 10, "other")


def test_a_prompt_is_drawn_first_as_often_as_traffic_asks_it() -> None:
    """One of ten prompts has half of the traffic: of 2,000 first draws about a thousand are its."""
    table = prompts([9, *[1] * 9])
    first = sum(drawn(table, 1, str(seed)) == ["p0"] for seed in range(2000))

    assert 900 < first < 1100


def test_rare_strata_get_their_turn() -> None:
    """Ninety of a hundred are common; in turn, the rare ten are half of twenty."""
    strata = [["common"]] * 90 + [["rare"]] * 10
    found = drawn(prompts([1] * 100, strata), 20, "seed")

    assert sum(int(name[1:]) >= 90 for name in found) == 10
    assert len(set(found)) == 20


def test_a_prompt_in_two_strata_is_drawn_once() -> None:
    assert sorted(drawn(prompts([1, 1], [["a", "b"], ["a"]]), 5, "seed")) == ["p0", "p1"]
