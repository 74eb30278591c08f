"""The prompt set as a whole: nothing is lost, nothing learned from is judged upon, and what is missing is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overproof.core.errors import NotEnoughData, UserError
from overproof.core.tables import frame, records
from overproof.core.types import Exchange, Message, Prompt, Reading, Request
from overproof.prompts.build import PromptSet, build
from overproof.prompts.options import PromptsOptions, SliceOptions
from overproof.tasks.options import TaskOptions

TASK = TaskOptions(name="triage")
TRIAGE = TaskOptions(name="triage", where="app = 'triage'")
TEACHER = frozenset({"tern-large"})
OPTIONS = PromptsOptions()
SLICES = (
    SliceOptions(name="enterprise", where="tier = 'enterprise'", critical=True),
    SliceOptions(name="german", where="language = 'de'"),
    SliceOptions(name="security", where="label = 'account_security'"),
)
START = datetime(2026, 1, 1, tzinfo=UTC)


def exchange(i: int, text: str = "hello there friend", **given_fields: Any) -> Exchange:  # noqa: ANN401 - any field
    fields: dict[str, Any] = {
        "id": f"r{i}",
        "source": f"log:{i}",
        "at": START + timedelta(hours=i),
        "model": "tern-large",
    }
    fields |= {"messages": (Message(role="user", content=text),), "answer": "ok"}
    return Exchange(**(fields | given_fields))


def read(text: str | None) -> Reading:
    return Reading(answer=text.strip().lower() if text else None)


@pytest.fixture(scope="module")
def built(helpdesk: pl.DataFrame) -> PromptSet:
    return build(helpdesk, TRIAGE, TEACHER, OPTIONS, SLICES, read=read)


def test_every_call_of_the_task_is_a_request_and_the_others_are_counted(
    built: PromptSet, helpdesk: pl.DataFrame
) -> None:
    summary = built.summary

    assert summary.exchanges == built.requests.height == 4720
    assert summary.exchanges + summary.out_of_scope == helpdesk.height
    assert sum(summary.requests.values()) == summary.exchanges
    assert built.prompts["seen"].sum() == summary.exchanges
    assert built.requests["answer"].null_count() > 0  # failed calls are traffic too
    assert built.requests["id"].is_in(helpdesk["id"].implode()).all()


def test_rows_are_whole_records(built: PromptSet) -> None:
    assert len(list(records(built.requests, Request))) == built.summary.exchanges
    assert len(list(records(built.prompts, Prompt))) == built.summary.prompts


def test_prompts_and_requests_agree(built: PromptSet) -> None:
    both = built.requests.join(built.prompts, left_on="prompt_id", right_on="id", suffix="_prompt")

    assert both.height == built.requests.height
    assert (both["unit"] == both["unit_prompt"]).all()
    assert (both["length"] == both["input"].str.len_chars()).all()
    assert built.prompts["id"].is_unique().all()


def test_no_unit_is_learned_from_and_tuned_on_or_calibrated_and_tested(built: PromptSet) -> None:
    per_unit = built.requests.group_by("unit", "window").agg(pl.col("split").n_unique())

    assert per_unit["split"].max() == 1


def test_a_repeat_is_a_unit_that_was_there_to_be_learned_from(built: PromptSet) -> None:
    older = built.requests.filter(window="training")["unit"].unique().implode()
    newer = built.requests.filter(window="evaluation")

    assert (newer["repeat"] == newer["unit"].is_in(older)).all()
    assert 0 < newer["repeat"].sum() < newer.height
    assert not built.requests.filter(window="training")["repeat"].any()


def test_helpdesk_users_are_left_out_of_the_units_and_it_is_said_why(built: PromptSet) -> None:
    assert built.summary.joined_by == ("near_duplicate",)
    assert "chains 92% of all requests" in built.summary.not_joined_by["user"]
    assert built.summary.largest_unit < 0.01


def test_helpdesk_windows_match_and_small_model_answers_are_no_labels(built: PromptSet) -> None:
    asked = {row.dimension: row for row in built.match.rows}

    assert set(asked) == {"slice", "label", "length", "language", "joint"}
    assert not asked["label"].flagged
    assert not asked["language"].flagged
    assert built.match.auc_lower < 0.5 < built.match.auc_upper
    assert built.requests.filter(pl.col("model") != "tern-large")["by_teacher"].any() is False


def test_slices_that_need_no_label_are_named_and_empty_ones_are_noted(helpdesk: pl.DataFrame) -> None:
    slices = (*SLICES, SliceOptions(name="nobody", where="tier = 'gold'"))
    built = build(helpdesk, TRIAGE, TEACHER, OPTIONS, slices)
    found = set(built.requests["slices"].explode().unique())

    assert found == {"all", "new", "repeat", "enterprise", "german"}
    assert "slice 'nobody' matches no request: tier = 'gold'" in built.summary.notes


def test_a_week_more_of_logs_moves_nothing_that_was_dealt(
    built: PromptSet, helpdesk: pl.DataFrame, helpdesk_live: pl.DataFrame
) -> None:
    later = build(pl.concat([helpdesk, helpdesk_live]), TRIAGE, TEACHER, OPTIONS, SLICES, remembered=built.assignments)
    both = built.requests.join(later.requests, on="id", suffix="_later")
    moved = both.filter(pl.col("split") != pl.col("split_later"))

    assert both.height == built.requests.height
    assert moved.is_empty()
    assert both.filter(split="test")["split_later"].to_list() == ["test"] * built.summary.requests["test"]
    assert both["split_later"].null_count() == later.summary.requests["dropped"] < 20
    assert later.requests.group_by("unit", "window").agg(pl.col("split").drop_nulls().n_unique())["split"].max() == 1
    assert any("keep the window an earlier run dealt them to" in note for note in later.summary.notes)


def test_a_drifted_week_is_flagged_against_the_weeks_before(
    helpdesk: pl.DataFrame, helpdesk_live: pl.DataFrame
) -> None:
    options = PromptsOptions(evaluation_share=0.22)  # the last week
    found = build(pl.concat([helpdesk, helpdesk_live]), TRIAGE, TEACHER, options, SLICES, read=read).match
    flagged = {row.dimension for row in found.rows if row.flagged}

    assert {"label", "language", "slice"} <= flagged
    assert "length" not in flagged
    assert found.auc > 0.5


def test_building_again_gives_the_same(built: PromptSet, helpdesk: pl.DataFrame) -> None:
    again = build(helpdesk, TRIAGE, TEACHER, OPTIONS, SLICES, read=read)

    assert again.requests.equals(built.requests)
    assert again.prompts.equals(built.prompts)
    assert again.summary == built.summary
    assert again.match == built.match


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, True),
        ({"model": "router", "answered_by": "tern-large"}, True),
        ({"model": ""}, True),  # plain pairs do not say who answered
        ({"model": "", "answered_by": "tern-mini"}, False),
        ({"model": "tern-mini"}, False),
        ({"release": "triage-3"}, False),
        ({"answer": None, "status": 503}, False),
    ],
)
def test_only_the_named_teachers_own_answers_are_its_answers(fields: dict[str, Any], expected: bool) -> None:
    built = build(frame([exchange(0, **fields), exchange(1)], Exchange), TASK, TEACHER, OPTIONS, ())

    assert built.requests["by_teacher"][0] is expected


@settings(deadline=None, max_examples=30)  # each example builds a prompt set
@given(
    st.lists(
        st.tuples(st.sampled_from(["a b c", "a b d", "x"]), st.sampled_from([0.0, 1.0]), st.booleans()),
        min_size=1,
        max_size=12,
    )
)
def test_a_prompt_is_everything_that_was_asked(asked: list[tuple[str, float, bool]]) -> None:
    exchanges = [
        exchange(i, text, parameters={"temperature": heat} if stated else {})
        for i, (text, heat, stated) in enumerate(asked)
    ]
    built = build(frame(exchanges, Exchange), TASK, TEACHER, OPTIONS, ())
    different = {(text, heat if stated else None) for text, heat, stated in asked}

    assert built.summary.prompts == len(different)
    assert built.prompts["seen"].sum() == len(asked)


def test_logs_without_times_are_cut_by_unit_and_it_is_said() -> None:
    built = build(frame([exchange(i, f"text {i}", at=None) for i in range(40)], Exchange), TASK, TEACHER, OPTIONS, ())

    assert built.summary.windows == "unit hash"
    assert (built.summary.days, built.summary.cut_at) == (None, None)
    assert not built.requests["repeat"].any()
    assert any("carry no time" in note for note in built.summary.notes)


def test_a_log_that_never_asked_the_teacher_says_what_that_costs() -> None:
    exchanges = frame([exchange(i, f"text {i}", model="other") for i in range(4)], Exchange)
    built = build(exchanges, TASK, TEACHER, OPTIONS, (), read=read)

    assert any("every answer will have to be bought" in note for note in built.summary.notes)


def test_nothing_in_scope_says_what_there_is(helpdesk: pl.DataFrame) -> None:
    with pytest.raises(NotEnoughData, match=r"task.where = \"app = 'triag'\".*app: 'triage', 'extract', 'reply'"):
        build(helpdesk, TaskOptions(name="t", where="app = 'triag'"), TEACHER, OPTIONS, ())


def test_a_wrong_name_in_where_says_which_there_are(helpdesk: pl.DataFrame) -> None:
    with pytest.raises(UserError, match="'application', which is not there; known names: app, channel"):
        build(helpdesk, TaskOptions(name="t", where="application = 'triage'"), TEACHER, OPTIONS, ())


def test_no_input_anywhere_says_so(helpdesk: pl.DataFrame) -> None:
    with pytest.raises(NotEnoughData, match=r"none of 6239 calls has the part that task.input = '\$.messages\[7\]"):
        build(helpdesk, TaskOptions(name="t", input="$.messages[7].content"), TEACHER, OPTIONS, ())


def test_empty_logs_say_where_to_look() -> None:
    with pytest.raises(NotEnoughData, match="set aside"):
        build(frame([], Exchange), TASK, TEACHER, OPTIONS, ())


def test_one_request_is_a_prompt_set_too() -> None:
    built = build(frame([exchange(0)], Exchange), TASK, TEACHER, OPTIONS, SLICES[1:2])

    assert built.summary.units == 1
    assert built.match.rows == ()
