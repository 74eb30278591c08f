from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overproof.logs import containers, files
from overproof.logs.options import LogSource, PrivacyOptions
from overproof.logs.read import Logged, read

MESSAGES = [{"role": "system", "content": "Sort."}, {"role": "user", "content": "Where?"}]
REQUEST = {"model": "big", "temperature": 0.0, "messages": MESSAGES, "metadata": {"tier": "pro"}}
RESPONSE = {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "shipping"}}]}
PAIRS = [{"input": f"q{i}", "output": "x", "tier": "pro"} for i in range(3)]


def logged(folder: Path, path: str = "log*") -> Logged:
    return read([LogSource(path=path)], folder, PrivacyOptions(redact=False))


def rows(path: Path) -> list[Any]:
    with containers.open_rows(path) as stream:
        return [json.loads(line) for line in stream]


def written(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("JSON Lines", "\n".join(map(json.dumps, PAIRS))),
        ("JSON document", json.dumps(PAIRS)),
        ("JSON document", json.dumps(PAIRS, indent=2)),
        ("JSON document", "[\n" + ",\n".join(map(json.dumps, PAIRS)) + "\n]\n"),
        ("JSON document", json.dumps({"object": "list", "data": PAIRS, "has_more": False})),
        ("JSON document", json.dumps({"data": PAIRS, "meta": {"page": 1}}, indent=1)),
        ("JSON document", json.dumps({"took": 3, "hits": {"total": {"value": 3}, "hits": PAIRS}})),
        ("JSON document", "".join(json.dumps({"data": [each], "object": "list"}) + "\n" for each in PAIRS)),
        ("CSV", "input,output,tier\nq0,x,pro\nq1,x,pro\nq2,x,pro\n"),
        ("CSV", '"input";"output";"tier"\r\nq0;x;pro\r\n\r\nq1;x;pro\r\nq2;"x";pro'),
    ],
)
def test_every_kind_of_file_is_seen_as_the_same_lines(kind: str, text: str, tmp_path: Path) -> None:
    path = written(tmp_path / "log", text)

    assert containers.look(path).kind == kind
    assert rows(path) == PAIRS
    assert logged(tmp_path).summary.files[0].format == "pairs"


def test_packed_tables_and_documents_are_unpacked_first(tmp_path: Path) -> None:
    frame = io.BytesIO()
    pl.DataFrame(PAIRS).write_parquet(frame)
    written(tmp_path / "log.parquet.gz", gzip.compress(frame.getvalue()))
    written(tmp_path / "log.json.gz", gzip.compress(json.dumps(PAIRS).encode()))

    found = logged(tmp_path)

    assert [(file.kept, file.saw.split(";")[0]) for file in found.summary.files] == [
        (3, "JSON document"),
        (3, "Parquet"),
    ]


def test_places_count_elements_and_rows(tmp_path: Path) -> None:
    written(tmp_path / "log.csv", 'input,output\n"two\nlines",x\n,x\n')

    found = logged(tmp_path)

    assert found.exchanges["source"].to_list() == ["log.csv:1"]
    assert found.exchanges["messages"].str.contains("two\\nlines", literal=True).all()
    assert found.set_aside.rows() == [("log.csv:2", "no input", '{"output": "x"}')]


def test_a_record_with_more_cells_than_columns_is_set_aside(tmp_path: Path) -> None:
    written(tmp_path / "log.csv", "input,output\na,b\na,b,c\n")

    assert logged(tmp_path).summary.reasons == {"not a JSON object": 1}


def test_a_document_that_breaks_off_gives_what_it_has(tmp_path: Path) -> None:
    written(tmp_path / "log.json", json.dumps(PAIRS)[:-20])

    found = logged(tmp_path)

    assert found.exchanges.height == 2
    assert found.set_aside["source"].to_list() == ["log.json:end"]
    assert found.summary.reasons == {"the file breaks off": 1}


def test_a_row_that_only_looks_like_a_page_is_a_row(tmp_path: Path) -> None:
    written(tmp_path / "log.jsonl", json.dumps({"input": "a", "output": "b", "data": [{"input": "c"}]}))

    assert containers.look(tmp_path / "log.jsonl").kind == "JSON Lines"


def test_a_broken_first_line_does_not_make_a_table_or_a_document(tmp_path: Path) -> None:
    for first in ("half, a line", '{"input": "cut', '"x", "y"]}'):
        path = written(tmp_path / "log.jsonl", first + "\n" + "\n".join(map(json.dumps, PAIRS)))

        assert containers.look(path).kind == "JSON Lines"


@settings(deadline=None, max_examples=40)
@given(cells=st.lists(st.tuples(st.text(), st.text(min_size=1)), min_size=1, max_size=8))
def test_cells_come_back_whatever_is_in_them(
    cells: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerows([("input", "output"), *cells])
    path = written(tmp_path_factory.getbasetemp() / "cells.csv", text.getvalue().encode("utf-8", "surrogatepass"))

    assert rows(path) == [{"input": a, "output": b} if a else {"output": b} for a, b in cells]


# --- Parquet ---------------------------------------------------------------------------------------------------------


def stored(folder: Path, columns: dict[str, list[Any]]) -> Logged:
    pl.DataFrame(columns).write_parquet(folder / "log.parquet")
    return logged(folder)


def test_plain_columns_are_pairs(tmp_path: Path) -> None:
    at = datetime(2026, 9, 7, 12, tzinfo=UTC)

    found = stored(
        tmp_path, {"input": ["Where?"], "output": ["shipping"], "time": [at], "tier": ["pro"], "none": [None]}
    )

    row = found.exchanges.row(0, named=True)
    assert (row["source"], row["answer"], row["at"], row["metadata"]) == (
        "log.parquet:1",
        "shipping",
        at,
        '{"tier":"pro"}',
    )


@pytest.mark.parametrize("packed", [False, True])
def test_request_and_response_may_be_nested_or_json_texts(packed: bool, tmp_path: Path) -> None:
    request, response = (json.dumps(REQUEST), json.dumps(RESPONSE)) if packed else (REQUEST, RESPONSE)

    row = stored(tmp_path, {"id": ["r1"], "request": [request], "response": [response]}).exchanges.row(0, named=True)

    assert (row["id"], row["answer"], row["model"]) == ("r1", "shipping", "big")
    assert (row["parameters"], row["metadata"]) == ('{"temperature":0}', '{"tier":"pro"}')


def test_fields_that_only_other_rows_have_are_not_kept_as_nulls(tmp_path: Path) -> None:
    """Columns make every struct alike; what a row did not say must not become part of its prompt."""
    call = {"id": "c1", "function": {"name": "f"}}
    numbered = {"id": "c0", "index": 0, "function": {"name": "g"}}
    turns = [
        [{"role": "user", "content": "a", "name": "Ann", "tool_calls": [numbered]}],
        [{"role": "user", "content": "b"}],
        [{"role": "assistant", "content": "c", "tool_calls": [call]}],
    ]

    found = stored(tmp_path, {"input": turns, "output": ["x", "y", "z"]})

    _, second, third = [json.loads(each)[0] for each in found.exchanges["messages"]]
    assert second["extra"] == {}
    assert third["extra"]["tool_calls"][0].keys() == {"id", "function"}


def test_rows_keep_their_order_over_batches_and_bad_ones_are_set_aside(tmp_path: Path) -> None:
    n = containers.BATCH + 3
    found = stored(tmp_path, {"input": [None if i == 5 else f"q{i}" for i in range(n)], "output": ["x"] * n})

    assert found.set_aside["source"].to_list() == ["log.parquet:6"]
    assert found.exchanges["source"].to_list() == [f"log.parquet:{i + 1}" for i in range(n) if i != 5]


@pytest.mark.parametrize("data", [b"PAR1 and then nothing", b"PAR1" + bytes(50) + b"PAR1", b"PAR1"])
def test_a_file_that_is_no_parquet_is_one_row_set_aside(data: bytes, tmp_path: Path) -> None:
    written(tmp_path / "log", data)

    assert logged(tmp_path).summary.reasons == {"not readable as Parquet": 1}


@pytest.mark.parametrize(
    "data",
    [b"[", b'[{"a": ', b'{"a": [', b"[1, 2, NaN", b"[[[[", b'[{"a": "\xff"}]', b"\xef\xbb\xbf[]", b"a,b\n\xff,1"],
)
def test_only_damage_gets_out_of_a_container(data: bytes, tmp_path: Path) -> None:
    path = written(tmp_path / "log", data)

    with containers.open_rows(path) as stream, contextlib.suppress(files.Torn):
        assert all(isinstance(line, bytes) for line in stream)
