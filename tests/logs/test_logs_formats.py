"""Every format: fixtures by hand, round trips, and whatever else a file may hold."""

from __future__ import annotations

import copy
import csv
import gzip
import io
import json
import math
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from log_formats import CALLS, WRITERS, Call
from overproof.core.types import FileRead
from overproof.logs import detect, jsonl
from overproof.logs.options import LogSource, PrivacyOptions
from overproof.logs.read import Logged, read

FIXTURES = Path(__file__).parent / "fixtures"
EXPECTED = Path(__file__).parent / "expected"
FORMATS = sorted(each.name for each in FIXTURES.iterdir())
READERS = sorted(detect.readers())
KEEP = PrivacyOptions(redact=False)
NESTED = {"record", "messages", "parameters", "metadata"}


def logged(folder: Path, path: str = "*", form: str = "auto") -> Logged:
    return read([LogSource(path=path, format=form)], folder, KEEP)


def told(found: Logged) -> list[dict[str, Any]]:
    """Return the exchanges with what they say, without the places they stand in."""
    return [
        {
            name: json.loads(value) if name in NESTED else value.isoformat() if name == "at" else value
            for name, value in row.items()
            if value not in (None, "", "{}", "source") and name != "source"
        }
        for row in found.exchanges.iter_rows(named=True)
    ]


def accounted(file: FileRead) -> bool:
    return file.rows == file.kept + file.set_aside + file.joined


# --- fixtures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
def test_a_fixture_is_read_as_expected(form: str) -> None:
    """Files written by hand from the documented shape, and what is in them, read by eye."""
    found = logged(FIXTURES / form)
    expected = json.loads((EXPECTED / f"{form}.json").read_text("utf-8"))

    assert told(found) == expected["exchanges"]
    assert [list(row) for row in found.set_aside.select("source", "reason").iter_rows()] == expected["set_aside"]
    assert {file.path: [file.rows, file.kept, file.set_aside, file.joined] for file in found.summary.files} == expected[
        "files"
    ]


def test_every_reader_has_a_fixture() -> None:
    used = {file.format for form in FORMATS for file in logged(FIXTURES / form).summary.files}

    assert used == set(READERS)


def test_all_formats_may_lie_in_one_folder() -> None:
    found = logged(FIXTURES, "*/*")

    alone = [logged(FIXTURES / form) for form in FORMATS]
    assert found.exchanges.height == sum(each.exchanges.height for each in alone)
    assert found.summary.reasons == {
        reason: sum(each.summary.reasons.get(reason, 0) for each in alone) for reason in found.summary.reasons
    }


# --- kinds of files --------------------------------------------------------------------------------------------------

Rows = list[dict[str, Any]]


def _lines(rows: Rows) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def _flattened(rows: Rows) -> Rows:
    """Nested fields as JSON texts: what a database's export makes of them."""
    return [
        {key: json.dumps(item) if isinstance(item, dict | list | bool) else item for key, item in row.items()}
        for row in rows
    ]


def _csv(rows: Rows) -> bytes:
    names = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(_flattened(rows))
    return text.getvalue().encode()


def _parquet(rows: Rows) -> bytes:
    data = io.BytesIO()
    pl.DataFrame(_flattened(rows), infer_schema_length=None, strict=False).write_parquet(data)
    return data.getvalue()


KINDS: dict[str, Callable[[Rows], bytes]] = {
    "json": lambda rows: json.dumps(rows, indent=1).encode(),
    "jsonl.gz": lambda rows: gzip.compress(_lines(rows)),
    "jsonl.zst": lambda rows: zstandard.compress(_lines(rows)),
    "parquet": _parquet,
    "csv": _csv,
}
TABLES = ("litellm", "langfuse", "tensorzero", "openai", "openai_batch", "chat", "flywheel", "bedrock", "openinference")
"""Formats that are exported as tables; OTLP's envelopes are not."""


def _unplaced(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out an id that was made from the row's place."""
    return {key: value for key, value in row.items() if key != "id" or not re.search(r":\d+$", value)}


@pytest.mark.parametrize(
    ("form", "kind"),
    [(form, kind) for form in FORMATS for kind in KINDS if kind not in ("csv", "parquet") or form in TABLES],
)
def test_a_call_is_the_same_whatever_kind_of_file_it_stands_in(form: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "other").mkdir()
    for name, rows in _samples(form).items():
        (tmp_path / "plain" / f"{name}.jsonl").write_bytes(_lines(rows))
        (tmp_path / "other" / f"{name}.{kind}").write_bytes(KINDS[kind](rows))

    plain, other = (logged(tmp_path / each) for each in ("plain", "other"))

    assert [_unplaced(row) for row in told(other)] == [_unplaced(row) for row in told(plain)]
    assert other.summary.reasons == plain.summary.reasons


# --- round trips -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=10)
@given(calls=CALLS)
def test_nothing_is_lost_between_writing_a_format_and_reading_it(
    name: str, calls: list[Call], tmp_path_factory: pytest.TempPathFactory
) -> None:
    form, write = WRITERS[name]
    folder = tmp_path_factory.mktemp("trip")
    for path, rows in write(calls).items():
        (folder / path).write_bytes(_lines(rows))

    found = logged(folder)

    assert {file.format for file in found.summary.files} == {form}
    assert found.set_aside.is_empty()
    assert all(map(accounted, found.summary.files))
    got = sorted(
        (
            tuple((each["role"], each["content"]) for each in json.loads(row["messages"])),
            row["answer"],
            row["at"],
            (row["input_tokens"], row["output_tokens"]),
            row["model"],
        )
        for row in found.exchanges.iter_rows(named=True)
    )
    assert got == sorted((tuple(call.turns), call.answer, call.at, call.tokens, "big") for call in calls)
    if "Langfuse" not in name and "payload" not in name:  # those have no field for it, or only within the response
        assert sorted(found.exchanges["finish_reason"]) == sorted(call.finish for call in calls)


# --- anything else ---------------------------------------------------------------------------------------------------


def _deep(levels: int) -> Any:  # noqa: ANN401 - JSON may hold anything
    value: Any = "x"
    for i in range(levels):
        value = [value] if i % 2 else {"a": value}
    return value


JUNK: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        10**30,
        -(10**400),
        1.5,
        math.nan,
        math.inf,
        "",
        "x",
        "[",
        "{}",
        "[]",
        '{"a": 1}',
        "\x00",
    ),
    *("--5", "²", {"intValue": "--5"}, {"intValue": "²"}, {"²": 1, "1": 2}, "chatcmpl-²"),
    *([], {}, [[]], [None], [{}], {"": None}, {"role": 1}, {"role": "user"}, [{"role": "user", "content": 7}]),
    *([{"type": "text"}], [{"type": "tool_call"}], {"choices": []}, {"choices": [{}]}, {"message": {}}, "2026-13-45"),
    *(_deep(120), {"delta": 3}, [{"delta": {"tool_calls": 7}}], "\ud800", {"key": "a", "value": {"stringValue": 7}}),
    *(
        [{"choices": [{"delta": {"tool_calls": [{"index": [], "function": 3}]}}]}],
        [{"type": "message_start", "message": 3}],
    ),
    *([{"contentBlockDelta": {"delta": {"toolUse": 3}, "contentBlockIndex": {}}}], {"kvlistValue": {"values": 3}}),
]


def _spots(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return every place within a JSON value."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += _spots(item, (*path, key))
    return found


def _spoilt(row: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Return a copy with a few places replaced, left out, or packed as text."""
    row = json.loads(json.dumps(row))
    for _ in range(rng.randint(1, 3)):
        spots = _spots(row)
        if not spots:
            break
        *path, last = rng.choice(spots)
        inner: Any = row
        for step in path:
            inner = inner[step]
        if rng.random() < 0.2 and isinstance(inner, dict):
            del inner[last]
        elif rng.random() < 0.1:
            inner[last] = json.dumps(inner[last])
        else:
            inner[last] = copy.deepcopy(rng.choice(JUNK))
    return row


def _damaged(line: bytes, rng: random.Random) -> bytes:
    """Return a line with damage no JSON parser forgives, now and then."""
    draw = rng.random()
    if draw < 0.1:
        return line[: rng.randrange(1, len(line) - 1)].rstrip() + b"\n"
    if draw < 0.2:
        place = rng.randrange(len(line) - 1)
        return line[:place] + rng.choice([b"\xff", b"\xc3", b"\x00", b"\xed\xa0\x80"]) + line[place:]
    return line


def _samples(form: str) -> dict[str, Rows]:
    """Return the fixtures of a format by file, pages taken apart."""
    found = {}
    for path in sorted((FIXTURES / form).iterdir()):
        text = path.read_text("utf-8")
        document = json.loads(text) if path.suffix == ".json" else None
        listed = document.get("data", document) if isinstance(document, dict) else document
        found[path.stem] = [json.loads(line) for line in text.splitlines()] if listed is None else listed
    return found


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=12)
@given(seed=st.integers(0, 2**32))
def test_no_file_crashes_a_reader_and_no_row_is_lost(
    form: str, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng = random.Random(seed)
    folder = tmp_path_factory.mktemp("fuzz")
    reader = "otel" if form in ("otel_events", "openllmetry") else form
    written = {}
    for name, rows in _samples(form).items():
        lines = [_damaged(json.dumps(_spoilt(row, rng)).encode() + b"\n", rng) for row in rows for _ in range(2)]
        lines += [json.dumps(row).encode() + b"\n" for row in rows]  # duplicate ids, and whole rows
        rng.shuffle(lines)
        (folder / f"{name}.jsonl").write_bytes(b"".join(lines))
        written[f"{name}.jsonl"] = len(lines)

    found = logged(folder, form=reader)

    for file in found.summary.files:
        assert accounted(file)
        spans = reader in ("otel", "openinference")  # several rows a line
        assert file.rows >= written[file.path] if spans else file.rows == written[file.path]
    assert found.exchanges["id"].is_unique().all()


@pytest.mark.parametrize("form", FORMATS)
def test_ten_megabytes_on_a_line_are_read_or_set_aside(form: str, tmp_path: Path) -> None:
    reader = "otel" if form in ("otel_events", "openllmetry") else form
    huge = "a" * (10 * 2**20)
    for name, rows in [*_samples(form).items()][:1]:
        first = json.dumps(rows[0])
        place = max(first.rfind('"Wh'), first.rfind('"content": "'))
        long = first.replace("Where", huge, 1) if "Where" in first else first[:place] + f'"{huge}' + first[place + 1 :]
        (tmp_path / f"{name}.jsonl").write_text(f"{long}\n{huge}\n{first}\n")

    found = logged(tmp_path, form=reader)

    assert all(map(accounted, found.summary.files))
    assert all(file.rows >= 3 for file in found.summary.files)


KEYS = st.sampled_from(["messages", "content", "role", "input", "output", "request", "response", "attributes", "a"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
ANY_JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


@settings(max_examples=25)
@given(rows=st.lists(ANY_JSON, max_size=4))
def test_any_json_is_kept_or_set_aside(rows: list[Any]) -> None:
    for reader in detect.readers().values():
        stream = io.BytesIO(b"".join(json.dumps(row).encode() + b"\n" for row in rows))

        assert len(list(reader.read(stream, "log"))) == len(rows)


@pytest.mark.parametrize("reader", ["openai", "otel"])
def test_a_line_without_end_is_not_held(reader: str) -> None:
    class Endless(io.RawIOBase):
        left = 3 * 2**26

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # BufferedReader hands a memoryview
            size = min(len(buffer), self.left)
            buffer[:size] = b"x" * size
            self.left -= size
            return size

    records = list(detect.readers()[reader].read(io.BufferedReader(Endless()), "log"))

    assert [record.source for record in records] == ["log:1"]
    assert jsonl.LONGEST < 3 * 2**26
