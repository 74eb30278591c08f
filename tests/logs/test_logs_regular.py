"""What is read many rows at once is what the readers make of each row, to the byte."""

from __future__ import annotations

import io
import json
import random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from overproof.core import tables
from overproof.core.types import Exchange, SetAside
from overproof.logs import chunks, jsonl, shapes
from overproof.logs.chunks import Chunk

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
TEXT = st.text(max_size=20) | st.sampled_from(
    ["", "[", '[{"role": "user", "content": "a"}]', '","role":"', "\\", "é\n"]
)
AT = st.sampled_from(
    [
        *(1788782400, 1788782400.25, 1788782400123, 0, -5, 10**18, "1788782400", "2026-09-07T12:00:00Z", ""),
        *("2026-09-07T12:00:00.123456Z", "2026-09-07T14:00:00+02:00", "2026-13-07T12:00:00Z", "20260907", "then", None),
    ]
)
COUNT = st.integers(-3, 2**54) | st.sampled_from([None, 7, "7", 7.0, 7.5, True])
NUMBER = st.sampled_from([None, 0, 1, 1.5, "2.5", True, 1e300, "many"])
NAME = st.none() | st.sampled_from(["", "a", "gpt-x", 7, True, 1.0]) | st.text(max_size=5)
METADATA = st.none() | st.dictionaries(
    st.sampled_from(["plan", "tenant", "session_id", "overproof_release", "ü"]), NAME | JSON, max_size=3
)
AROUND = {
    "id": NAME,
    "request_id": NAME,
    "timestamp": AT,
    "created_at": AT,
    "model": NAME,
    "user": NAME,
    "session_id": NAME,
    "overproof_release": NAME,
    "status": st.sampled_from([None, 200, 201, 404, "success", "failure", "200"]),
    "error": st.sampled_from([None, "", "overloaded", {"message": "no"}]),
    "latency_ms": NUMBER,
    "latency_s": NUMBER,
    "cost_usd": NUMBER,
    "input_tokens": COUNT,
    "prompt_tokens": COUNT,
    "gold": NAME,
    "metadata": METADATA,
    "plan": JSON,
    "nested": st.none() | st.dictionaries(st.text(max_size=3), JSON, max_size=2),
}
PAIRS = {
    "input": TEXT | JSON,
    "output": TEXT | JSON,
    "system": TEXT | st.none() | JSON,
    "parameters": st.none() | st.dictionaries(st.sampled_from(["temperature", "stop"]), JSON, max_size=2) | TEXT,
    "finish_reason": NAME,
}
TURN = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "system", "assistant", "", 7]), "content": TEXT},
    optional={"name": NAME, "tool_calls": JSON},
) | st.fixed_dictionaries({"role": st.just("user"), "content": JSON})
REQUEST = st.fixed_dictionaries(
    {"messages": st.lists(TURN, max_size=3)},
    optional={
        "model": NAME,
        "user": NAME,
        "metadata": METADATA,
        "temperature": JSON,
        "stop": JSON,
        "stream": st.booleans(),
        "safety_identifier": NAME,
    },
)
CHOICE = st.fixed_dictionaries(
    {"message": st.fixed_dictionaries({"content": TEXT | st.none() | JSON}, optional={"refusal": NAME})},
    optional={"finish_reason": NAME, "logprobs": st.none() | JSON, "index": st.integers()},
)
RESPONSE = st.fixed_dictionaries(
    {"choices": st.lists(CHOICE, max_size=2)},
    optional={
        "id": NAME,
        "model": NAME,
        "created": AT,
        "created_at": AT,
        "object": NAME,
        "usage": st.none()
        | st.dictionaries(
            st.sampled_from(["prompt_tokens", "input_tokens", "completion_tokens", "cost"]), COUNT, max_size=3
        ),
        "error": st.sampled_from([None, "no"]),
        "status_code": st.sampled_from([None, 200, 500]),
    },
)
CALLS = {"request": REQUEST | st.none(), "response": RESPONSE | st.none(), "url": NAME}


def rows(form: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Rows of a log: most have the same fields, some have others."""
    own = PAIRS if form == "pairs" else CALLS
    usual = {"pairs": ["input", "output"], "openai": ["request", "response"]}[form]

    def some(names: list[str]) -> st.SearchStrategy[list[dict[str, Any]]]:
        row = st.fixed_dictionaries({name: (own | AROUND)[name] for name in {*usual, *names}})
        odd = st.fixed_dictionaries({}, optional=own | AROUND | {"another": JSON})
        return st.lists(row | row | odd, min_size=1, max_size=8)

    return st.lists(st.sampled_from([*own, *AROUND]), max_size=8).flatmap(some)


def one_by_one(data: bytes, form: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    found = list(jsonl.exchanges(io.BytesIO(data), "a:b", chunks.CONVERT[form]))
    return (
        tables.frame([each for each in found if isinstance(each, Exchange)], Exchange),
        tables.frame([each for each in found if isinstance(each, SetAside)], SetAside),
    )


def same(data: bytes, form: str) -> None:
    exchanges, aside = chunks.read(Chunk(data, 0, 0, 0), "a:b", form)
    kept, bad = one_by_one(data, form)
    assert_frame_equal(exchanges, kept)
    assert_frame_equal(aside, bad)


@pytest.mark.parametrize("form", ["pairs", "openai"])
def test_rows_read_together_are_the_rows_read_one_by_one(form: str) -> None:
    @settings(deadline=None, max_examples=300)
    @given(rows(form), st.booleans())
    def holds(log: list[dict[str, Any]], escaped: bool) -> None:
        same(b"".join(json.dumps(row, ensure_ascii=escaped).encode("utf-8", "replace") + b"\n" for row in log), form)

    holds()


def usual(form: str, i: int) -> dict[str, Any]:
    around = {"id": f"r{i}", "timestamp": 1788782400 + i, "plan": "pro", "user": f"u{i % 3}"}
    if form == "pairs":
        return around | {"input": f"frage {i} größe", "output": "x", "system": "Sort.", "parameters": {"top_p": 1.0}}
    request = {"model": "m", "messages": [{"role": "user", "content": f"frage {i} größe"}], "temperature": 0.0}
    response = {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": i}}
    return around | {"request": request, "response": response}


@pytest.mark.parametrize("form", ["pairs", "openai"])
def test_damaged_bytes_change_nothing_about_that(form: str) -> None:
    rng = random.Random(3)
    data = b"".join(json.dumps(usual(form, i), ensure_ascii=False).encode() + b"\n" for i in range(60))
    for _ in range(150):
        broken = bytearray(data)
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(len(broken))
            broken[at : at + rng.randint(0, 2)] = bytes(rng.choices(range(256), k=rng.randint(0, 2)))
        same(bytes(broken), form)


@pytest.mark.parametrize("form", ["pairs", "openai"])
def test_usual_rows_are_regular(form: str) -> None:
    """Or all of the above would hold because everything is read one by one."""
    log = [usual(form, i) for i in range(20)]
    shape = shapes.learn(log, form)

    assert shape is not None
    for row in log:
        shape.decoder.decode(json.dumps(row))


@settings(deadline=None)
@given(
    st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b" ")), max_size=12),
    st.booleans(),
    st.integers(1, 40),
    st.integers(5, 40),
)
def test_chunks_hold_every_line_once_and_say_where_they_end(
    lines: list[bytes], closed: bool, size: int, longest: int
) -> None:
    data = b"\n".join(lines) + (b"\n" if closed else b"")
    found = list(chunks.cut(io.BytesIO(data), size=size, longest=longest))
    cut = [line for chunk in found for line in io.BytesIO(chunk.data)]
    expected = list(io.BytesIO(data))

    assert [line[: longest + 1] for line in expected] == [line[: longest + 1] for line in cut]
    assert [chunk.before for chunk in found] == [0, *(chunk.lines for chunk in found[:-1])][: len(found)]
    assert (found[-1].end, found[-1].lines) == (len(data), len(expected)) if found else not data
    for chunk in found:
        assert chunk.lines == sum(1 for _ in io.BytesIO(data[: chunk.end]))
