from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from overproof.core.types import Exchange, SetAside
from overproof.logs.parquet import BATCH, ParquetReader

MESSAGES = [{"role": "system", "content": "Sort."}, {"role": "user", "content": "Where?"}]
REQUEST = {"model": "big", "temperature": 0.0, "messages": MESSAGES, "metadata": {"tier": "pro"}}
RESPONSE = {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "shipping"}}]}


def stored(columns: dict[str, list[Any]]) -> io.BytesIO:
    data = io.BytesIO()
    pl.DataFrame(columns).write_parquet(data)
    data.seek(0)
    return data


def read(data: io.BytesIO) -> list[Exchange | SetAside]:
    return list(ParquetReader().read(data, "log.parquet"))


def only(data: io.BytesIO) -> Exchange:
    (row,) = read(data)
    assert isinstance(row, Exchange), row
    return row


def test_plain_columns_are_pairs() -> None:
    at = datetime(2026, 9, 7, 12, tzinfo=UTC)

    row = only(stored({"input": ["Where?"], "output": ["shipping"], "time": [at], "tier": ["pro"], "none": [None]}))

    assert (row.source, row.answer, row.at, row.metadata) == ("log.parquet:1", "shipping", at, {"tier": "pro"})


@pytest.mark.parametrize("packed", [False, True])
def test_request_and_response_may_be_nested_or_json_texts(packed: bool) -> None:
    request, response = (json.dumps(REQUEST), json.dumps(RESPONSE)) if packed else (REQUEST, RESPONSE)

    row = only(stored({"id": ["r1"], "request": [request], "response": [response]}))

    assert (row.id, row.answer, row.model) == ("r1", "shipping", "big")
    assert row.parameters == {"temperature": 0.0}
    assert row.metadata == {"tier": "pro"}
    assert [each.content for each in row.messages] == ["Sort.", "Where?"]


def test_fields_that_only_other_rows_have_are_not_kept_as_nulls() -> None:
    """Columns make every struct alike; what a row did not say must not become part of its prompt."""
    call = {"id": "c1", "function": {"name": "f"}}
    numbered = {"id": "c0", "index": 0, "function": {"name": "g"}}
    turns = [
        [{"role": "user", "content": "a", "name": "Ann", "tool_calls": [numbered]}],
        [{"role": "user", "content": "b"}],
        [{"role": "assistant", "content": "c", "tool_calls": [call]}],
    ]

    _, second, third = read(stored({"input": turns, "output": ["x", "y", "z"]}))

    assert isinstance(second, Exchange)
    assert isinstance(third, Exchange)
    assert second.messages[0].extra == {}
    assert third.messages[0].extra["tool_calls"][0].keys() == {"id", "function"}


def test_rows_keep_their_order_over_batches_and_bad_ones_are_set_aside() -> None:
    n = BATCH + 3
    rows = read(stored({"input": [None if i == 5 else f"q{i}" for i in range(n)], "output": ["x"] * n}))

    assert [row.source for row in rows] == [f"log.parquet:{i + 1}" for i in range(n)]
    assert [i for i, row in enumerate(rows) if isinstance(row, SetAside)] == [5]


@pytest.mark.parametrize("data", [b"PAR1 and then nothing", b"PAR1" + bytes(50) + b"PAR1", b""])
def test_a_file_that_is_no_parquet_is_one_row_set_aside(data: bytes) -> None:
    (row,) = read(io.BytesIO(data))

    assert isinstance(row, SetAside)
    assert row.reason.startswith("not readable as Parquet")


def test_columns_that_mean_nothing_here_set_every_row_aside() -> None:
    assert [type(row) for row in read(stored({"a": [1, 2]}))] == [SetAside, SetAside]


def test_it_knows_its_own_files() -> None:
    head = stored({"input": ["a"], "output": ["b"]}).readlines()

    assert ParquetReader().sniff(head, Path("x")) == 1.0
    assert ParquetReader().sniff([b"{}"], Path("x.parquet")) == 0.0
