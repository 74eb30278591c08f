"""Units: whatever is shared joins, and users are left out where popular texts would chain strangers together."""

from __future__ import annotations

from itertools import combinations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from overproof.prompts.join import KEYS, MOST, join

few = st.integers(0, 5)
rows = st.lists(st.tuples(few, st.integers(0, 3), st.none() | few, st.none() | few), min_size=1, max_size=15)


def table(given_rows: list[tuple[int, int, int | None, int | None]]) -> pl.DataFrame:
    """A prompt has one cluster: that of its input."""
    return pl.DataFrame(
        {
            "prompt_id": [f"p{prompt}-{cluster}" for prompt, cluster, _, _ in given_rows],
            "near_duplicate": [cluster for _, cluster, _, _ in given_rows],
            "conversation": [None if c is None else f"c{c}" for _, _, c, _ in given_rows],
            "user": [None if u is None else f"u{u}" for _, _, _, u in given_rows],
        },
        schema={"prompt_id": pl.String, "near_duplicate": pl.Int64, "conversation": pl.String, "user": pl.String},
    )


def chained(requests: pl.DataFrame, keys: tuple[str, ...]) -> list[int]:
    unit = list(range(len(requests)))
    for i, j in combinations(range(len(requests)), 2):
        a, b = requests.row(i, named=True), requests.row(j, named=True)
        if any(a[key] is not None and a[key] == b[key] for key in ("prompt_id", *keys)):
            unit = [unit[i] if each == unit[j] else each for each in unit]
    return unit


@settings(deadline=None)  # the first example imports and builds tables
@given(rows, st.sets(st.sampled_from(KEYS)))
def test_units_are_the_components_of_what_is_shared(given_rows: list, keys: set) -> None:  # type: ignore[type-arg] # drawn
    requests = table(given_rows)
    joined = join(requests, tuple(keys))

    expected = chained(requests, joined.by)
    assert len(set(zip(joined.units, expected, strict=True))) == len(set(expected)) == joined.units.n_unique()


@settings(deadline=None)  # the first example imports and builds tables
@given(rows)
def test_a_unit_is_called_after_its_smallest_prompt(given_rows: list) -> None:  # type: ignore[type-arg] # drawn
    requests = table(given_rows)
    named = requests.with_columns(unit=join(requests, "auto").units)

    assert (
        named.group_by("unit")
        .agg(pl.col("prompt_id").min())
        .select(pl.col("unit") == pl.col("prompt_id"))
        .to_series()
        .all()
    )


@settings(deadline=None)  # the first example imports and builds tables
@given(rows)
def test_every_key_is_used_or_its_absence_explained(given_rows: list) -> None:  # type: ignore[type-arg] # drawn
    joined = join(table(given_rows), "auto")

    assert sorted([*joined.by, *joined.left_out]) == sorted(KEYS)


def users_share(popular: int) -> pl.DataFrame:
    """200 users with a question of their own each, the first `popular` of whom also ask the same."""
    own = [(i, i, i, i) for i in range(200)]
    return table([*own, *((999, 999, 1000 + i, i) for i in range(popular))])


def test_users_join_where_they_do_not_percolate() -> None:
    joined = join(users_share(popular=3), "auto")

    assert joined.by == KEYS
    assert joined.units.n_unique() == 198


def test_users_are_left_out_where_a_popular_text_chains_them_and_it_is_said_why() -> None:
    joined = join(users_share(popular=100), "auto")

    assert joined.by == ("near_duplicate", "conversation")
    assert "joining by user chains 67% of all requests" in joined.left_out["user"]
    assert joined.largest > MOST  # the popular text itself: nothing left out would mend that


def test_conversations_are_left_out_next() -> None:
    requests = users_share(popular=0).with_columns(conversation=pl.lit("one"))
    joined = join(requests, "auto")

    assert joined.by == ("near_duplicate",)
    assert joined.units.n_unique() == 200


def test_what_the_user_asks_for_is_done_even_if_it_percolates() -> None:
    joined = join(users_share(popular=100), ("near_duplicate", "user"))

    assert joined.by == ("near_duplicate", "user")
    assert joined.left_out == {"conversation": "prompts.unit leaves it out"}


def test_an_unknown_user_joins_nobody() -> None:
    joined = join(table([(1, 1, None, None), (2, 2, None, None)]), "auto")

    assert joined.units.n_unique() == 2
    assert joined.left_out["user"] == "the logs do not say"
