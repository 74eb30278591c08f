"""Several tasks' real calls in one folder, each in another format, and which call is of which task."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl

Row = dict[str, Any]
BFCL, GSM8K, SPIDER, ALPACA = ("gpt-4o-2024-08-06-FC", "gpt-4-1106-preview", "gpt-4_DAIL-SQL", "gpt4_1106_preview")
SQL = "You write SQLite. Answer the question with one SQL query over these tables and nothing else.\n\n"
MATHS = "Solve this problem step by step and give the number at the end.\n\nProblem: "


def read(path: Path) -> list[Row]:
    """Return the rows of a gzip JSON Lines file."""
    with gzip.open(path, "rt") as lines:
        return [json.loads(line) for line in lines]


def _write(path: Path, rows: list[Row]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write(data: Path, folder: Path) -> None:
    """Write OpenAI pairs (helpdesk, bfcl), a LiteLLM spend log (spider), chat rows (gsm8k), plain pairs (alpaca)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "helpdesk.jsonl.gz").write_bytes((data / "helpdesk" / "history.jsonl.gz").read_bytes())
    _write(folder / "bfcl.jsonl", [_bfcl(i, row) for i, row in enumerate(read(data / "bfcl_replay" / "bfcl.jsonl.gz"))])
    ddl = {row["db_id"]: row["ddl"] for row in read(data / "spider_sql" / "schemas.jsonl.gz")}
    _write(
        folder / "spider.jsonl",
        [_spider(i, row, ddl[row["db_id"]]) for i, row in enumerate(read(data / "spider_sql" / "dev.jsonl.gz"))],
    )
    maths = read(data / "gsm8k_teachers" / "test_outputs.jsonl.gz")
    _write(folder / "gsm8k.jsonl", [_gsm8k(i, row) for i, row in enumerate(maths)])
    chats = read(data / "alpaca_eval" / "alpaca_eval.jsonl.gz")
    _write(folder / "alpaca.jsonl", [_alpaca(i, row) for i, row in enumerate(chats)])


def origin(exchanges: pl.DataFrame) -> pl.Series:
    """Return what each exchange really is: its file, and for helpdesk the prompt."""
    app = pl.col("metadata").str.json_path_match("$.app")
    return exchanges.select(origin=pl.coalesce(app, pl.col("source").str.extract(r"(\w+)\.jsonl"))).to_series()


def _bfcl(i: int, row: Row) -> Row:
    out = row["outputs"][BFCL]
    called = out["result"] if isinstance(out["result"], list) else []
    calls = [
        {"id": f"c{j}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for j, (name, arguments) in enumerate(pair for call in called for pair in call.items())
    ]
    message = {"role": "assistant", "content": None if calls else str(out["result"])}
    tools = [{"type": "function", "function": each} for each in row["functions"]]
    return {
        "id": f"bfcl-{i}",
        "timestamp": 1_790_000_000 + i,
        "request": {"model": "gpt-4o", "messages": row["messages"], "tools": tools},
        "response": {
            "object": "chat.completion",
            "model": "gpt-4o-2024-08-06",
            "choices": [{"message": message | ({"tool_calls": calls} if calls else {}), "finish_reason": "stop"}],
            "usage": {"prompt_tokens": out["input_tokens"], "completion_tokens": out["output_tokens"]},
        },
    }


def _spider(i: int, row: Row, ddl: str) -> Row:
    message = {"role": "assistant", "content": row["outputs"][SPIDER]}
    return {
        "request_id": f"spider-{i}",
        "call_type": "acompletion",
        "startTime": "2026-09-07T02:08:07Z",
        "endTime": "2026-09-07T02:08:09Z",
        "model": "gpt-4",
        "messages": [{"role": "system", "content": SQL + ddl}, {"role": "user", "content": row["question"]}],
        "response": {"object": "chat.completion", "choices": [{"message": message, "finish_reason": "stop"}]},
        "spend": 0.002,
        "prompt_tokens": 300,
        "completion_tokens": 30,
        "status": "success",
        "metadata": {},
    }


def _gsm8k(i: int, row: Row) -> Row:
    turns = [
        {"role": "user", "content": MATHS + row["question"]},
        {"role": "assistant", "content": row["outputs"][GSM8K]["response"]},
    ]
    return {"id": f"gsm8k-{i}", "model": "gpt-4-1106-preview", "messages": turns}


def _alpaca(i: int, row: Row) -> Row:
    return {
        "id": f"alpaca-{i}",
        "model": "gpt-4-1106-preview",
        "input": row["instruction"],
        "output": row["outputs"][ALPACA],
    }
