"""What several samples of one prompt say together."""

from __future__ import annotations

from collections import Counter
from random import Random

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overproof.filters.agreement import vote

ballots = st.lists(st.tuples(st.sampled_from("pqr"), st.sampled_from("abc")), max_size=20)


def counted(rows: list[tuple[str, str]]) -> pl.DataFrame:
    return vote(pl.DataFrame(rows, schema={"prompt_id": pl.String, "answer": pl.String}, orient="row"))


@pytest.mark.parametrize(
    ("samples", "answer"),
    [("a", "a"), ("aab", "a"), ("ab", None), ("aabb", None), ("aabbc", None), ("aaabc", "a"), ("bbaaa", "a")],
)
def test_more_than_half_must_agree(samples: str, answer: str | None) -> None:
    assert counted([("p", sample) for sample in samples])["answer"].to_list() == [answer]


def test_shares_are_the_soft_label() -> None:
    table = counted([("p", "a"), ("p", "b"), ("p", "a"), ("p", "a")])

    assert msgspec.json.decode(table["votes"][0]) == {"a": 0.75, "b": 0.25}
    assert table["samples"].to_list() == [4]


@settings(deadline=None)
@given(ballots)
def test_every_prompt_is_counted_once_in_the_order_it_came(rows: list[tuple[str, str]]) -> None:
    table = counted(rows)

    assert table["prompt_id"].to_list() == list(dict.fromkeys(prompt for prompt, _ in rows))
    assert table["samples"].sum() == len(rows)


@settings(deadline=None)
@given(ballots)
def test_the_vote_is_what_counting_by_hand_gives(rows: list[tuple[str, str]]) -> None:
    for prompt, answer, samples, votes in counted(rows).iter_rows():
        by_hand = Counter(given for asked, given in rows if asked == prompt)
        leader, most = by_hand.most_common(1)[0]

        assert answer == (leader if most > samples / 2 else None)
        assert msgspec.json.decode(votes) == pytest.approx({key: n / samples for key, n in by_hand.items()})


@settings(deadline=None)
@given(ballots, st.randoms(use_true_random=False))
def test_the_order_of_the_samples_changes_nothing(rows: list[tuple[str, str]], chance: Random) -> None:
    shuffled = list(rows)
    chance.shuffle(shuffled)

    assert counted(rows).sort("prompt_id").equals(counted(shuffled).sort("prompt_id"))
