from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.logs import rows
from overproof.logs.rows import BadRow

NOON = datetime(2026, 9, 7, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2026-09-07T12:00:00Z",
        "2026-09-07T12:00:00+00:00",
        "2026-09-07T14:00:00.000+02:00",
        "2026-09-07 12:00:00",
        "2026-09-07 12:00:00 UTC",
        "2026-09-07T12:00:00.000000000Z",
        "20260907T120000Z",
        1788782400,
        1788782400.0,
        "1788782400",
        "1788782400.000",
        1788782400_000,
        1788782400_000_000,
        1788782400_000_000_000,
        datetime(2026, 9, 7, 12, 0),  # noqa: DTZ001 - a Parquet column without a zone
        datetime(2026, 9, 7, 14, 0, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_a_time_is_read_in_every_form_logs_have_it_in(value: object) -> None:
    assert rows.when(value) == NOON


def test_a_date_alone_is_its_midnight() -> None:
    assert rows.when("20260907") == rows.when("2026-09-07") == NOON.replace(hour=0)


@pytest.mark.parametrize("value", [None, 0, 0.0])
def test_no_time_is_no_time(value: object) -> None:
    assert rows.when(value) is None


@pytest.mark.parametrize(
    "value", ["yesterday", "7.9.2026", [], True, 1e300, -(10**30), "9" * 400, "0001-01-01T00:00+14:00"]
)
def test_what_is_no_time_is_a_bad_row(value: object) -> None:
    with pytest.raises(BadRow, match="a time"):
        rows.when(value)


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_time_survives_being_written_and_read(at: datetime) -> None:
    assert rows.when(at.isoformat()) == at


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        (True, "true"),
        (3, "3"),
        (3.0, "3"),
        (2.5, "2.5"),
        (math.nan, None),
        (None, None),
        ({"b": 1, "a": [2]}, '{"a":[2],"b":1}'),
        (date(2026, 9, 7), "2026-09-07"),
        (Decimal("1.50"), "1.50"),
    ],
)
def test_any_value_has_one_text(value: object, text: str | None) -> None:
    assert rows.text(value) == text


def test_metadata_is_text_whatever_it_was() -> None:
    given = {"a": "x", "n": 3, "none": None, "list": [1, "b"], "flag": False}

    assert rows.strings(given) == {"a": "x", "n": "3", "list": '[1,"b"]', "flag": "false"}


def test_metadata_may_have_been_logged_as_json_text_or_as_a_parquet_map() -> None:
    assert rows.strings('{"tier":"pro"}') == {"tier": "pro"}
    assert rows.strings([{"key": "tier", "value": "pro"}]) == {"tier": "pro"}
    assert rows.strings("just a note") == {"metadata": "just a note"}
    assert rows.strings(None) == {}


def test_of_several_synonyms_the_first_in_the_list_counts_wherever_it_stands() -> None:
    known, rest = rows.fields(
        {"latency": 2, "latency_ms": 150, "id": "a", "custom_id": "b", "tier": "pro"}, frozenset()
    )

    assert known == {"latency_ms": 150, "id": "b"}
    assert rest == {"tier": "pro"}


def test_an_empty_synonym_gives_way_to_one_that_holds_something() -> None:
    known, _ = rows.fields({"timestamp": "", "created_at": "2026-09-07"}, frozenset())

    assert known == {"at": "2026-09-07"}


def test_other_single_values_become_metadata_and_nested_ones_do_not() -> None:
    _, rest = rows.fields(
        {"app": "triage", "try": 2, "trace": {"a": 1}, "tags": ["x"], "blob": b"x", "none": None}, frozenset()
    )

    assert rest == {"app": "triage", "try": "2"}


def test_seconds_become_milliseconds() -> None:
    known, _ = rows.fields({"duration_s": "0.25"}, frozenset())

    assert rows.latency_ms(known) == 250


@pytest.mark.parametrize(
    ("said", "failed", "code"),
    [
        (200, False, 200),
        ("429", False, 429),
        ("success", False, 200),
        ("SUCCESS", True, 200),
        ("failure", False, 500),
        ("timeout", False, 500),
        (None, False, 200),
        (None, True, 500),
        ("done", False, 200),
    ],
)
def test_a_status_may_be_a_number_or_a_word(said: object, failed: bool, code: int) -> None:
    assert rows.status(said, failed=failed) == code


@pytest.mark.parametrize("value", [True, "many", -1, 2**70, math.inf, None, {}])
def test_what_cannot_be_a_count_is_none(value: object) -> None:
    assert rows.count(value) is None


def test_text_parts_are_joined_and_nothing_else_is_kept() -> None:
    (message,) = rows.messages(
        [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]
    )

    assert message.content == "a\nb"
    assert message.extra == {}


def test_parts_that_are_more_than_text_are_kept_as_they_were() -> None:
    parts = [
        {"type": "text", "text": "what is it?"},
        {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
    ]

    (message,) = rows.messages([{"role": "user", "content": parts}])

    assert message.content == "what is it?"
    assert message.extra == {"content": parts}


def test_a_turn_keeps_what_else_it_carried_but_not_its_nulls() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}

    (message,) = rows.messages([{"role": "assistant", "content": None, "tool_calls": [call], "refusal": None}])

    assert message.content == ""
    assert message.extra == {"tool_calls": [call]}


@pytest.mark.parametrize(
    "value", [None, [], {}, "text", [1], [{"content": "x"}], [{"role": 3}], [{"role": "user", "content": 3}]]
)
def test_what_is_no_conversation_is_a_bad_row(value: object) -> None:
    with pytest.raises(BadRow):
        rows.messages(value)


def test_nesting_has_an_end() -> None:
    value: Any = "x"
    for _ in range(rows.DEEPEST):
        value = [value]

    assert rows.shallow(value) is value
    with pytest.raises(BadRow, match="deeply"):
        rows.shallow([value])


@pytest.mark.parametrize(
    ("choice", "logprob"),
    [
        ({"logprobs": {"content": [{"token": "a", "logprob": -0.25}, {"token": "b", "logprob": -0.5}]}}, -0.75),
        ({"logprobs": {"content": [{"token": "a", "logprob": -0.25}, {"token": "b"}]}}, None),
        ({"logprobs": {"token_logprobs": [-1.0, -2.0]}}, -3.0),
        ({"logprobs": {"content": []}}, None),
        ({"logprobs": None}, None),
        ({}, None),
    ],
)
def test_the_log_probabilities_of_the_first_choice_are_summed_or_unknown(
    choice: dict[str, Any], logprob: float | None
) -> None:
    assert rows.logprob({"choices": [choice]}) == logprob
    assert rows.logprob({"choices": []}) is None
    assert rows.logprob({}) is None
