from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overproof.core import tables
from overproof.core.types import Prediction, PromptId
from overproof.tasks.classify import Classify
from overproof.tasks.scoring import Units, route, score, shifted

TASK = Classify(labels=("a", "b"))


def evidence(references: list[str | None], teachers: list[str | None], units: list[str] | None = None) -> pl.DataFrame:
    n = len(references)
    return pl.DataFrame(
        {
            "request_id": [f"r{i}" for i in range(n)],
            "prompt_id": [f"p{i}" for i in range(n)],
            "unit": units or [f"u{i}" for i in range(n)],
            "slices": [["all", "new"]] * n,
            "reference": references,
            "teacher": teachers,
            "teacher_cost": [1.0] * n,
            "teacher_latency_ms": [100.0] * n,
            "at": [None] * n,
        },
        schema_overrides={
            "reference": pl.String,
            "teacher": pl.String,
            "at": tables.TIME,
            "slices": pl.List(pl.String),
        },
    )


def predictions(answers: list[str | None], confidence: float = 0.9) -> pl.DataFrame:
    rows = [
        Prediction(prompt_id=PromptId(f"p{i}"), answer=answer, confidence=confidence, cost_usd=0.1)
        for i, answer in enumerate(answers)
    ]
    return tables.frame(rows, Prediction)


def in_slices(*slices: list[str]) -> pl.DataFrame:
    n = len(slices)
    return evidence(["a"] * n, ["a"] * n).with_columns(slices=pl.Series(slices, dtype=pl.List(pl.String)))


def test_a_request_is_held_to_the_lowest_shift_of_its_slices_and_in_none_to_none() -> None:
    laid_out = in_slices(["all"], ["all", "easy"], ["all", "hard"], ["all", "hard", "easy"], ["all", "hard", "odd"])
    rows = score(laid_out, predictions(["a"] * 5), TASK, "gold", {"easy": 1.0, "hard": -1.0})
    hard, easy = 0.9 / (0.9 + 0.1 * np.e), 0.9 / (0.9 + 0.1 / np.e)

    assert rows["own_confidence"].to_list() == [0.9] * 5
    assert rows["confidence"].to_list() == pytest.approx([0.9, easy, hard, hard, hard])
    assert rows["confidence"][0] == 0.9


def test_a_shift_moves_who_answers() -> None:
    rows = score(in_slices(["all"], ["all", "hard"]), predictions(["a", "a"]), TASK, "gold", {"hard": -1.0})

    assert route(rows, 0.85, ())["answered"].to_list() == [True, False]


def test_no_shift_brings_an_answer_where_there_is_none() -> None:
    rows = score(in_slices(["easy"]), predictions([None]), TASK, "gold", {"easy": 9.0})

    assert rows["confidence"].to_list() == [0.0]
    assert route(rows, 0.0, ())["answered"].to_list() == [False]


def test_shifts_of_an_empty_table_are_empty() -> None:
    assert shifted(in_slices().with_columns(confidence=pl.lit(0.5)), {"hard": -1.0}).len() == 0


def test_scores_follow_the_reference() -> None:
    rows = score(evidence(["a", "a"], ["a", "b"]), predictions(["a", "b"]), TASK, "gold")

    assert rows["student"].to_list() == [1.0, 0.0]
    assert rows["teacher_score"].to_list() == [1.0, 0.0]


def test_without_a_reference_everybody_is_wrong_whatever_they_say() -> None:
    rows = route(score(evidence([None] * 3, ["a", "a", None]), predictions(["a", "b", None]), TASK, "gold"), 0.5, ())

    assert rows["student"].to_list() == [0.0, 0.0, 0.0]
    assert rows["system"].to_list() == [0.0, 0.0, 0.0]


def test_the_difference_to_the_teacher_is_at_its_worst_without_a_reference_but_nothing_where_both_say_the_same() -> (
    None
):
    rows = route(score(evidence([None] * 3, ["a", "a", "a"]), predictions(["a", "b", None]), TASK, "gold"), 0.5, ())

    assert rows["difference"].to_list() == [0.0, -1.0, 0.0]


def test_the_teacher_is_right_by_definition_where_it_is_the_reference() -> None:
    rows = score(evidence(["a", None], ["a", None]), predictions(["b", "b"]), TASK, "teacher")

    assert rows["teacher_score"].to_list() == [1.0, 0.0]


def test_a_prompt_without_a_prediction_counts_as_wrong_and_goes_to_the_teacher() -> None:
    rows = route(score(evidence(["a", "a"], ["a", "a"]), predictions(["a"]), TASK, "gold"), 0.5, ())

    assert rows["student"].to_list() == [1.0, 0.0]
    assert rows["answered"].to_list() == [True, False]
    assert rows["system"].to_list() == [1.0, 1.0]


def test_a_candidate_with_nothing_to_say_never_answers_however_sure_it_claims_to_be() -> None:
    rows = route(score(evidence(["a"], ["a"]), predictions([None], confidence=1.0), TASK, "gold"), 0.0, ())

    assert rows["answered"].to_list() == [False]


def test_equal_to_the_threshold_is_sure_enough_and_no_threshold_is_never() -> None:
    scored = score(evidence(["a"], ["a"]), predictions(["a"], confidence=0.9), TASK, "gold")

    assert route(scored, 0.9, ())["answered"].to_list() == [True]
    assert route(scored, None, ())["answered"].to_list() == [False]


def test_a_slice_left_to_the_teacher_is_answered_by_it() -> None:
    rows = route(score(evidence(["a"], ["b"]), predictions(["a"]), TASK, "gold"), 0.5, ("new",))

    assert rows["answered"].to_list() == [False]
    assert rows["system"].to_list() == [0.0]
    assert rows["system_cost"].to_list() == [1.1]


def test_two_predictions_for_one_prompt_are_refused() -> None:
    twice = pl.concat([predictions(["a"]), predictions(["b"])])

    with pytest.raises(ValueError, match="two predictions"):
        score(evidence(["a"], ["a"]), twice, TASK, "gold")


@pytest.mark.parametrize("confidence", [float("nan"), 1.5, -0.1])
def test_a_confidence_that_is_none_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence"):
        score(evidence(["a"], ["a"]), predictions(["a"], confidence), TASK, "gold")


# --- units -----------------------------------------------------------------------------------------------------------


def grouped(units: list[str], seed: str = "s") -> Units:
    return Units.of(evidence(["a"] * len(units), ["a"] * len(units), units), seed)


@settings(deadline=None)  # the first example imports and builds tables
@given(st.lists(st.sampled_from("uvwxyz"), min_size=1, max_size=30), st.randoms())
def test_means_do_not_depend_on_the_order_of_requests(units: list[str], random: object) -> None:
    values = np.arange(len(units), dtype=float)
    shuffled = np.random.default_rng(0).permutation(len(units))
    table = evidence(["a"] * len(units), ["a"] * len(units), units)

    straight = Units.of(table, "s").means(values, "all")
    mixed = Units.of(table[shuffled.tolist()], "s").means(values[shuffled], "all")

    np.testing.assert_allclose(straight[0], mixed[0])
    np.testing.assert_array_equal(straight[1], mixed[1])


@settings(deadline=None)  # the first example imports and builds tables
@given(st.lists(st.sampled_from("uvwxyz"), min_size=1, max_size=30))
def test_nothing_is_lost_in_grouping(units: list[str]) -> None:
    values = np.arange(len(units), dtype=float)
    means, counts = grouped(units).means(values, "all")

    assert (means * counts).sum() == pytest.approx(values.sum())
    assert len(means) == len(set(units)) == grouped(units).count("all")


@settings(deadline=None)  # the first example imports and builds tables
@given(st.lists(st.sampled_from("uvwxyz"), min_size=1, max_size=30))
def test_one_request_is_drawn_from_each_unit_and_always_the_same(units: list[str]) -> None:
    drawn = grouped(units).drawn("all")

    assert sorted(units[row] for row in drawn) == sorted(set(units))
    assert drawn.tolist() == grouped(units).drawn("all").tolist()


def test_another_seed_orders_and_draws_differently() -> None:
    units = [f"u{i // 3}" for i in range(300)]

    assert grouped(units, "s").drawn("all").tolist() != grouped(units, "t").drawn("all").tolist()


def test_each_request_of_a_unit_is_drawn_equally_often() -> None:
    first = sum(int(grouped(["u", "u", "u"], f"seed {i}").drawn("all")[0] == 0) for i in range(600))

    assert 150 < first < 250


def test_a_slice_nobody_is_in_has_no_units() -> None:
    units = grouped(["u", "v"])
    means, counts = units.means(np.ones(2), "empty")

    assert (len(means), len(counts), units.count("empty"), len(units.drawn("empty"))) == (0, 0, 0, 0)


def test_days_follow_the_rate_seen() -> None:
    table = evidence(["a"] * 3, ["a"] * 3)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    table = table.with_columns(
        at=pl.Series([start, start + timedelta(days=1), start + timedelta(days=2)], dtype=tables.TIME)
    )
    units = Units.of(table, "s")

    assert units.days_for(30, "all") == pytest.approx(20.0)
    assert units.days_for(None, "all") is None
    assert grouped(["u", "v"]).days_for(30, "all") is None
