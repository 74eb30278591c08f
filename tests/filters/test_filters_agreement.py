"""What several samples of one prompt say together."""

from __future__ import annotations

from collections import Counter
from random import Random

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overproof.filters.agreement import ballots, open_votes, settled, tally
from overproof.filters.sift import majorities

drawn = st.lists(st.tuples(st.sampled_from("pqr"), st.sampled_from("abc")), max_size=20)


def counted(rows: list[tuple[str, str]]) -> pl.DataFrame:
    """Return what becomes of each prompt whose samples were all asked for, and how many there were."""
    voices = pl.DataFrame(rows, schema={"prompt_id": pl.String, "answer": pl.String}, orient="row")
    told = majorities(voices.with_columns(source=pl.lit("asked"), rule=pl.lit(None, pl.String)))
    samples = tally(voices).select("prompt_id", "samples")
    joined = told.join(samples, on="prompt_id", maintain_order="left")
    return joined.select("prompt_id", "answer", "samples", "votes")


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
@given(drawn)
def test_every_prompt_is_counted_once_in_the_order_it_came(rows: list[tuple[str, str]]) -> None:
    table = counted(rows)

    assert table["prompt_id"].to_list() == list(dict.fromkeys(prompt for prompt, _ in rows))
    assert table["samples"].sum() == len(rows)


@settings(deadline=None)
@given(drawn)
def test_the_vote_is_what_counting_by_hand_gives(rows: list[tuple[str, str]]) -> None:
    for prompt, answer, samples, votes in counted(rows).iter_rows():
        by_hand = Counter(given for asked, given in rows if asked == prompt)
        leader, most = by_hand.most_common(1)[0]

        assert answer == (leader if most > samples / 2 else None)
        assert msgspec.json.decode(votes) == pytest.approx({key: n / samples for key, n in by_hand.items()})


@settings(deadline=None)
@given(drawn, st.randoms(use_true_random=False))
def test_the_order_of_the_samples_changes_nothing(rows: list[tuple[str, str]], chance: Random) -> None:
    shuffled = list(rows)
    chance.shuffle(shuffled)

    assert counted(rows).sort("prompt_id").equals(counted(shuffled).sort("prompt_id"))


# --- who has a voice -------------------------------------------------------------------------------------------------


def judged(*rows: tuple[str, str | None, str]) -> pl.DataFrame:
    """Return judged answers: prompt, meaning (None: a rule objected), source."""
    return pl.DataFrame(
        [(prompt, answer, source, None if answer else "label_set") for prompt, answer, source in rows],
        schema={"prompt_id": pl.String, "answer": pl.String, "source": pl.String, "rule": pl.String},
        orient="row",
    )


def test_repeats_in_the_log_that_all_say_the_same_are_one_voice() -> None:
    voices = ballots(judged(("p", "a", "log"), ("p", "a", "log"), ("p", "a", "log"), ("p", "b", "asked")))

    assert voices["answer"].to_list() == ["a", "b"]


def test_repeats_in_the_log_that_differ_all_count() -> None:
    voices = ballots(judged(("p", "a", "log"), ("p", "b", "log"), ("p", "a", "log"), ("q", "c", "log")))

    assert voices["answer"].to_list() == ["a", "b", "a", "c"]


def test_answers_that_were_asked_for_all_count_and_rejected_ones_do_not() -> None:
    voices = ballots(judged(("p", "a", "asked"), ("p", None, "asked"), ("p", "a", "cache")))

    assert voices["answer"].to_list() == ["a", "a"]


def test_of_equals_the_answer_given_first_leads() -> None:
    table = tally(pl.DataFrame({"prompt_id": ["p"] * 4, "answer": ["b", "a", "a", "b"]}))

    assert table.select("leader", "top", "samples").rows() == [("b", 2, 4)]


# --- when a vote is settled ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("samples", "done"),
    [("a", False), ("aa", True), ("ab", False), ("aab", False), ("aaaab", False), ("aaaaab", True), ("abc", False)],
)
def test_two_that_agree_settle_a_vote_and_five_outvote_one(samples: str, done: bool) -> None:
    table = tally(pl.DataFrame({"prompt_id": ["p"] * len(samples), "answer": list(samples)}))

    assert table.select(settled()).to_series().to_list() == [done]


def left_open(samples: str, cap: int, *, verifier: bool) -> bool:
    table = tally(pl.DataFrame({"prompt_id": ["p"] * len(samples), "answer": list(samples)}))
    counted = table.select("prompt_id", "top", "samples", asked="samples", cap=pl.lit(cap, pl.Int64))
    return open_votes(counted, verifier=verifier).height == 1


def test_asking_goes_on_until_the_vote_is_settled_or_the_cap_is_reached() -> None:
    assert left_open("a", 5, verifier=False)
    assert not left_open("aa", 5, verifier=False)
    assert not left_open("a", 1, verifier=False)


def test_a_vote_the_cap_cannot_settle_any_more_is_given_up() -> None:
    assert not left_open("ab", 5, verifier=False)
    assert left_open("ab", 6, verifier=False)


def test_a_verifier_is_shown_a_leader_so_the_vote_goes_on_until_there_is_one() -> None:
    assert left_open("ab", 5, verifier=True)
    assert left_open("aba", 5, verifier=True)
    assert not left_open("abaa", 5, verifier=True)
    assert not left_open("ababc", 5, verifier=True)


@settings(deadline=None)
@given(st.text("abc", min_size=1, max_size=8), st.integers(1, 8), st.booleans())
def test_asking_ends(samples: str, cap: int, verifier: bool) -> None:
    """Whatever the answers are: never beyond the cap, never after the vote is settled."""
    table = tally(pl.DataFrame({"prompt_id": ["p"] * len(samples), "answer": list(samples)}))

    if left_open(samples, cap, verifier=verifier):
        assert len(samples) < cap
        assert not table.select(settled()).to_series()[0]
