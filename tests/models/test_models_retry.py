from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from overproof.models.retry import LONGEST_PAUSE_S, judge, pause, retry_after

NOW = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)


def body(message: str = "no", code: object = None) -> bytes:
    return msgspec.json.encode({"error": {"message": message, "code": code}})


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_is_tried_again(status: int) -> None:
    assert judge(status, {}, body()).then == "retry"


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_is_about_one_prompt_costs_one_row(status: int) -> None:
    assert judge(status, {}, body()).then == "give up"


@pytest.mark.parametrize(
    ("status", "data"),
    [
        (401, body("bad key", "invalid_api_key")),
        (403, body("not yours")),
        (402, body("pay first")),
        (404, body("no such model", "model_not_found")),
        (404, body("The model does not exist", 404)),  # as vLLM says it
        (404, body("model 'x' not found")),  # as Ollama says it
        (404, b"<html>nginx</html>"),
        (429, body("You exceeded your current quota", "insufficient_quota")),
    ],
)
def test_what_no_row_can_survive_stops_the_run(status: int, data: bytes) -> None:
    assert judge(status, {}, data).then == "stop"


def test_a_404_that_names_something_else_is_about_one_row() -> None:
    assert judge(404, {}, body("unknown ticket", "recording_not_found")).then == "give up"


def test_a_403_from_a_key_that_has_worked_is_about_one_row() -> None:
    assert judge(403, {}, body("flagged by moderation"), key_works=True).then == "give up"


def test_only_a_429_says_that_we_came_too_fast() -> None:
    assert judge(429, {}, body()).pushed_back
    assert not judge(503, {}, body()).pushed_back


def test_a_wait_beyond_all_patience_stops_the_run() -> None:
    assert judge(429, CIMultiDict({"retry-after": "3600"}), body()).then == "stop"


def test_an_error_is_one_short_line() -> None:
    fault = judge(500, {}, b"x" * 10_000 + b"\n\n")

    assert len(fault.error) < 250
    assert "\n" not in fault.error


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"Retry-After": "7", "retry-after-ms": "250"}, 0.25),
        ({"Retry-After": "soon"}, None),
        ({"retry-after-ms": "soon"}, None),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "Tue, 24 Nov 2026 08:30:09 GMT", "Date": "Tue, 24 Nov 2026 08:30:00 GMT"}, 9.0),
        ({"Retry-After": "Tue, 24 Nov 2026 08:30:09 -0000", "Date": "Tue, 24 Nov 2026 08:30:00 GMT"}, 9.0),
        ({"Retry-After": "Tue, 24 Nov 2020 08:30:00 GMT"}, 0.0),
    ],
)
def test_the_wait_that_was_asked_for_is_understood(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(CIMultiDict(headers)) == seconds


@given(st.integers(0, 100_000))
def test_a_date_is_held_against_the_providers_own_clock(seconds: int) -> None:
    headers = {"Retry-After": format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)}

    assert retry_after(CIMultiDict(headers | {"Date": format_datetime(NOW, usegmt=True)})) == seconds


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_header_can_break_the_reading(said: str, exact: str) -> None:
    for headers in ({"Retry-After": said}, {"retry-after-ms": exact}):
        found = retry_after(headers)

        assert found is None or found >= 0


@given(attempt=st.integers(0, 40), first_s=st.floats(0.001, 10), seed=st.integers())
def test_our_own_pauses_grow_to_a_limit_with_up_to_half_left_to_chance(attempt: int, first_s: float, seed: int) -> None:
    full = min(LONGEST_PAUSE_S, first_s * 2.0**attempt)

    assert full / 2 <= pause(attempt, None, first_s, Random(seed)) <= full


@given(attempt=st.integers(0, 40), asked=st.floats(0, 100), seed=st.integers())
def test_a_pause_that_was_asked_for_is_kept(attempt: int, asked: float, seed: int) -> None:
    assert asked <= pause(attempt, asked, 0.5, Random(seed)) <= asked * 1.1


def test_the_same_seed_gives_the_same_pauses() -> None:
    first, second = Random(7), Random(7)

    assert [pause(i, None, 0.5, first) for i in range(9)] == [pause(i, None, 0.5, second) for i in range(9)]
