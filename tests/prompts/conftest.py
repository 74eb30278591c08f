"""The logs these tests read: the help desk that ships with the package, and Banking77 where it lies beside it."""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from overproof.core.tables import frame
from overproof.core.types import Exchange, Message


@pytest.fixture(scope="session")
def helpdesk() -> pl.DataFrame:
    """A table of `Exchange`: six weeks of three prompts."""
    return _exchanges("history")


@pytest.fixture(scope="session")
def helpdesk_live() -> pl.DataFrame:
    """The week after: more shipping trouble, more German."""
    return _exchanges("live")


def _exchanges(name: str) -> pl.DataFrame:
    lines = gzip.decompress((files("overproof.demo") / f"{name}.jsonl.gz").read_bytes()).splitlines()
    return frame((_exchange(json.loads(line), i) for i, line in enumerate(lines)), Exchange)


def _exchange(row: dict[str, Any], line: int) -> Exchange:
    request = row["request"]
    choice = row["response"].get("choices", [{}])[0]
    return Exchange(
        id=row["id"],
        source=f"history:{line}",
        at=datetime.fromisoformat(row["timestamp"]),
        model=request["model"],
        messages=tuple(Message(**message) for message in request["messages"]),
        parameters={"temperature": request["temperature"], "max_tokens": request["max_tokens"]},
        answer=choice.get("message", {}).get("content"),
        status=row["status"],
        user=request["user"],
        metadata=request["metadata"],
    )


@pytest.fixture(scope="session")
def triage(helpdesk: pl.DataFrame) -> pl.DataFrame:
    """`text` and `ticket` of the triage requests; a ticket that was sent again may have changed its text."""
    rows = helpdesk.select(
        text=pl.col("messages").str.json_path_match("$[-1:].content"),
        ticket=pl.col("metadata").str.json_path_match("$.ticket"),
        app=pl.col("metadata").str.json_path_match("$.app"),
        language=pl.col("metadata").str.json_path_match("$.language"),
    )
    return rows.filter(app="triage")


@pytest.fixture(scope="session")
def banking(shared_data: Path) -> pl.DataFrame:
    """`text` and `intent` of 13,083 real questions."""
    files_ = [shared_data / "banking77" / f"{name}.jsonl.gz" for name in ("train", "test")]
    return pl.concat(pl.read_ndjson(gzip.decompress(file.read_bytes())) for file in files_)
