from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.core.types import Exchange, SetAside
from overproof.logs import jsonl
from overproof.logs.pairs import exchange
from overproof.logs.rows import BadRow

GOOD = b'{"input": "a", "output": "b"}'


def read(data: bytes, longest: int = jsonl.LONGEST) -> list[Exchange | SetAside]:
    return list(jsonl.exchanges(io.BytesIO(data), "log.jsonl", exchange, longest))


def test_places_count_every_line_and_blank_ones_are_no_rows() -> None:
    read_rows = read(b"\n" + GOOD + b"\n  \t\r\n" + GOOD)

    assert [row.source for row in read_rows] == ["log.jsonl:2", "log.jsonl:4"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON"),
        (b'{"input": "cut of', "not JSON"),
        (b"[1, 2]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"\x00\x00\x00\x00", "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"input": ' + b"9" * 5000 + b', "output": "x"}', "not JSON"),
        ('{"input": "größer '.encode() + b'\xff", "output": "x"}', "not UTF-8"),
        (b'{"input": "\x81", "output": "x"}', "not UTF-8"),
        (b'{"output": "x"}', "no input"),
    ],
)
def test_a_line_that_cannot_be_read_is_set_aside_with_its_reason(line: bytes, reason: str) -> None:
    before, bad, after = read(GOOD + b"\n" + line + b"\n" + GOOD)

    assert isinstance(before, Exchange)
    assert isinstance(after, Exchange)
    assert isinstance(bad, SetAside)
    assert (bad.source, bad.reason) == ("log.jsonl:2", reason)


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        (b"\xef\xbb\xbf" + GOOD, "a"),
        (b'{"input": "a\tb", "output": "x"}', "a\tb"),
        (b'{"input": "a", "output": "x", "cost": NaN, "latency_ms": -Infinity, "input_tokens": 1e999}', "a"),
        (b'{"input": "half \\ud83d", "output": "x"}', "half \N{REPLACEMENT CHARACTER}"),
        (b'{"input": "whole \\ud83d\\ude00", "output": "x"}', "whole \N{GRINNING FACE}"),
        (b'{"input": "a\\u0000b", "output": "x"}', "a\x00b"),
        (GOOD + b"\r\n", "a"),
    ],
)
def test_what_producers_really_write_is_read(line: bytes, asked: str) -> None:
    (row,) = read(line)

    assert isinstance(row, Exchange)
    assert row.messages[-1].content == asked
    json.dumps(asked).encode()


def test_a_row_in_cp1252_is_kept_and_marked() -> None:
    (row,) = read('{"input": "Größe 10 €", "output": "x"}'.encode("cp1252"))

    assert isinstance(row, Exchange)
    assert row.messages[0].content == "Größe 10 €"
    assert row.metadata == {jsonl.ENCODING: "cp1252"}


def test_a_line_without_an_end_is_set_aside_and_the_next_is_read() -> None:
    too_long, after = read(b"x" * 500 + b"\n" + GOOD + b"\n", longest=100)

    assert isinstance(too_long, SetAside)
    assert too_long.reason == "longer than a row may be"
    assert isinstance(after, Exchange)
    assert after.source == "log.jsonl:2"


def test_a_line_of_just_the_longest_length_is_read() -> None:
    (row,) = read(GOOD + b"\n", longest=len(GOOD) + 1)

    assert isinstance(row, Exchange)


def test_the_share_counts_only_lines_that_hold_something() -> None:
    assert jsonl.share([b"\n", b'{"a": 1}\n', b"broken\n"], lambda row: "a" in row) == 0.5
    assert jsonl.share([], lambda _: True) == 0.0


@given(st.lists(st.binary(max_size=40) | st.just(GOOD) | st.text(max_size=20).map(str.encode), max_size=12))
def test_bytes_of_any_kind_never_crash_and_every_line_is_accounted_for(chunks: list[bytes]) -> None:
    data = b"\n".join(chunks)
    lines = [line for line in data.split(b"\n") if line.strip(b" \t\n\r\x0b\x0c")]

    assert len(read(data)) == len(lines)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_the_second_look_agrees_with_the_first(value: object) -> None:
    """A mark that only the second look understands changes nothing else about the row."""
    line = json.dumps({"row": value}).encode()
    try:
        strict = jsonl.decode(line)
    except BadRow:
        return  # a half surrogate, or a number no double holds

    assert jsonl.decode(jsonl.BOM + line) == strict
