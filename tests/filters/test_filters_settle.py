"""What is learned from once everything was said, and what goes to a person."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.core import tables
from overproof.core.types import Doubtful
from overproof.filters.doubt import STUDENT, weigh
from overproof.filters.opinion import Opinion
from overproof.filters.resample import progress, targets
from overproof.filters.settle import REFUTED, UNSETTLED, fates, review, standing
from overproof.filters.sift import AGREEMENT, DOUBT, SPLIT_VOTE

MERE = 0.5
"""In these tests the student can show what it thinks above this, and nothing of what it thinks below."""
SCHEMA = {
    "prompt_id": pl.String,
    "answer": pl.String,
    "source": pl.String,
    "rule": pl.String,
    "logprob": pl.Float64,
}


def judged(**samples: str) -> pl.DataFrame:
    """Return answers that were asked for, one letter a sample; "-" is one that a rule rejected."""
    rows = [
        (name, None if letter == "-" else letter, "asked", "label_set" if letter == "-" else None, None)
        for name, letters in samples.items()
        for letter in letters
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def opinion(wrong: Mapping[str, float]) -> Opinion:
    values = np.array([[each] for each in wrong.values()]).reshape(len(wrong), 1)
    return Opinion({name: row for row, name in enumerate(wrong)}, {"a": 0}, values, values * (values > MERE))


def ids(*names: str) -> pl.DataFrame:
    return pl.DataFrame({"prompt_id": names}, schema={"prompt_id": pl.String})


def stand(samples: Mapping[str, str], wrong: Mapping[str, float], asked: tuple[str, ...] = ()) -> pl.DataFrame:
    """Return how prompts stand: those in `wrong` are doubted, those in `asked` were asked again."""
    return standing(weigh(judged(**samples), opinion(wrong)), ids(*asked), ids(*wrong))


def said(**confirmed: bool | None) -> pl.DataFrame:
    columns = {"prompt_id": pl.String, "confirmed": pl.Boolean}
    return pl.DataFrame({"prompt_id": list(confirmed), "confirmed": list(confirmed.values())}, schema=columns)


def fate(standing: pl.DataFrame, verdicts: pl.DataFrame | None = None) -> tuple[str | None, str | None, str | None]:
    [row] = fates(standing, said() if verdicts is None else verdicts).select("answer", "rule", "reason").rows()
    return row


def test_an_answer_nobody_doubts_is_learned() -> None:
    assert fate(stand({"p": "a"}, {})) == ("a", None, None)


def test_what_is_wrong_too_probably_is_left_out_and_the_rest_of_the_doubted_is_not() -> None:
    assert fate(stand({"p": "a"}, {"p": 0.6})) == (None, DOUBT, STUDENT)
    assert fate(stand({"p": "a"}, {"p": 0.4})) == ("a", None, None)


def test_what_is_likely_but_cannot_be_shown_is_not_left_out() -> None:
    values = np.array([[0.9]])
    likely = Opinion({"p": 0}, {"a": 0}, values, values / 2)

    assert fate(standing(weigh(judged(p="a"), likely), ids(), ids("p"))) == ("a", None, None)


def test_samples_that_agree_settle_a_doubt() -> None:
    assert fate(stand({"p": "aa"}, {"p": 0.4}, asked=("p",))) == ("a", None, None)


def test_samples_that_agree_against_a_confident_student_do_not() -> None:
    assert fate(stand({"p": "aa"}, {"p": 0.6}, asked=("p",))) == (None, DOUBT, STUDENT)


def test_one_dissent_among_few_leaves_the_doubt() -> None:
    assert fate(stand({"p": "aaaab"}, {"p": 0.1}, asked=("p",))) == (None, DOUBT, UNSETTLED)


def test_further_answers_that_could_not_be_had_change_nothing() -> None:
    assert fate(stand({"p": "a--"}, {"p": 0.4}, asked=("p",))) == ("a", None, None)


def test_a_majority_in_the_log_stands_where_nobody_asked_again() -> None:
    assert fate(stand({"p": "aab"}, {})) == ("a", None, None)
    assert fate(stand({"p": "ab"}, {})) == (None, AGREEMENT, SPLIT_VOTE)


def test_the_verifier_decides() -> None:
    split = stand({"p": "aaaab"}, {"p": 0.1}, asked=("p",))
    tied = stand({"p": "ab"}, {}, asked=("p",))
    sure = stand({"p": "aa"}, {"p": 0.2}, asked=("p",))

    assert fate(split, said(p=True)) == ("a", None, None)
    assert fate(tied, said(p=True)) == ("a", None, None)
    assert fate(sure, said(p=False)) == (None, DOUBT, REFUTED)


def test_a_verifier_that_says_neither_changes_nothing() -> None:
    assert fate(stand({"p": "aa"}, {"p": 0.2}, asked=("p",)), said(p=None)) == ("a", None, None)
    assert fate(stand({"p": "a"}, {"p": 0.7}), said(p=None)) == (None, DOUBT, STUDENT)


@pytest.mark.parametrize(
    ("samples", "wrong", "asked", "shown"),
    [
        ("a", {}, (), False),
        ("a", {"p": 0.05}, (), False),
        ("a", {"p": 0.2}, (), True),
        ("aa", {"p": 0.05}, ("p",), False),
        ("aab", {"p": 0.05}, ("p",), True),
        ("ab", {}, (), True),
    ],
)
def test_the_verifier_is_shown_what_is_still_in_doubt(
    samples: str, wrong: dict[str, float], asked: tuple[str, ...], shown: bool
) -> None:
    assert stand({"p": samples}, wrong, asked)["questionable"].to_list() == [shown]


@given(st.dictionaries(st.sampled_from("pqrs"), st.tuples(st.text("ab", min_size=1, max_size=5), st.floats(0, 1))))
def test_every_prompt_has_one_fate_and_a_reason_if_it_is_left_out(drawn: dict[str, tuple[str, float]]) -> None:
    samples = {name: letters for name, (letters, _) in drawn.items()}
    table = fates(stand(samples, {name: wrong for name, (_, wrong) in drawn.items()}, asked=tuple(drawn)), said())

    assert sorted(table["prompt_id"]) == sorted(drawn)
    assert (table["answer"].is_null() == table["rule"].is_not_null()).all()
    assert (table["rule"].is_null() == table["reason"].is_null()).all()


def dealt(**weights: float) -> pl.DataFrame:
    rows = [(name, f"u{name}", f"text of {name}", "train", weight, ["all"]) for name, weight in weights.items()]
    columns = ["prompt_id", "unit", "input", "split", "weight", "slices"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def test_a_person_is_shown_first_what_costs_most() -> None:
    table = stand({"p": "a", "q": "a", "r": "a"}, {"p": 0.9, "q": 0.6, "r": 0.1})

    shown = list(tables.records(review(dealt(p=1.0, q=5.0, r=9.0), table, fates(table, said())), Doubtful))

    assert [each.prompt_id for each in shown] == ["q", "p"]
    assert (shown[0].answer, shown[0].doubt, shown[0].reason, shown[0].votes) == ("a", 0.6, STUDENT, {"a": 1.0})


# --- who is asked again ----------------------------------------------------------------------------------------------


def test_doubted_and_critical_prompts_may_be_asked_again_and_nobody_else() -> None:
    table = dealt(p=1.0, q=1.0, r=1.0, s=1.0).with_columns(
        slices=pl.Series([["all"], ["all", "vip"], ["all", "vip"], ["all", "vip"]]),
        split=pl.Series(["tune", "train", "train", "tune"]),
    )

    found = targets(table, ids("p", "q"), hard=5, critical=3, slices=["vip"])

    assert dict(found.rows()) == {"p": 5, "q": 5, "r": 3}


def test_nobody_is_asked_again_unless_the_contract_says_so() -> None:
    assert targets(dealt(p=1.0), ids("p"), hard=1, critical=1, slices=["all"]).is_empty()


def test_answers_without_a_voice_count_towards_the_cap() -> None:
    found = progress(judged(p="a-b", q="-"), pl.DataFrame({"prompt_id": ["p", "q", "r"], "cap": [5, 5, 5]}))

    assert found.select("prompt_id", "top", "samples", "asked").rows() == [
        ("p", 1, 2, 3),
        ("q", 0, 0, 1),
        ("r", 0, 0, 0),
    ]
