"""A prompt set in the formats others read: fine-tuning JSON Lines as OpenAI takes them, a folder of Parquet files."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import polars as pl

TOOLS = ("tools", "parallel_tool_calls")
"""Parameters of a request that fine-tuning files have room for."""
TURN = pl.Struct({"role": pl.String, "content": pl.String, "extra": pl.String})
VOTE = pl.Struct({"answer": pl.String, "share": pl.Float64})


def openai_lines(examples: pl.DataFrame) -> Iterator[bytes]:
    """Yield one line for each example: what was asked, and the answer to be learned as the assistant's turn.

    `examples` has `messages`, `parameters` (JSON, as in a table of `Prompt`) and `answer`. The assistant's earlier
    turns get `"weight": 0`, so that nobody learns what was not accepted. The format knows no other weights: how often
    production asks is not told.
    """
    for messages, parameters, answer in examples.select("messages", "parameters", "answer").iter_rows():
        turns = [_turn(each) for each in msgspec.json.decode(messages)]
        turns.append({"role": "assistant", "content": answer})
        asked = msgspec.json.decode(parameters)
        tools = {name: asked[name] for name in TOOLS if name in asked}
        yield msgspec.json.encode({"messages": turns, **tools}) + b"\n"


def _turn(message: Mapping[str, Any]) -> dict[str, Any]:
    turn = {"role": message["role"], "content": message.get("content", ""), **message.get("extra", {})}
    return {**turn, "weight": 0} if turn["role"] == "assistant" else turn


def parquet(examples: pl.DataFrame) -> bytes:
    """Return a Parquet file with one row for each example.

    Columns: `prompt_id`, `unit`, `messages` (role, content, and whatever else a turn carried as JSON; the last turn is
    the answer), `input`, `answer`, `votes` (answer, share), `weight`, `slices`, `language`, `parameters` (JSON).
    """
    turns = [_flat(*row) for row in examples.select("messages", "answer").iter_rows()]
    votes = [
        [{"answer": answer, "share": share} for answer, share in msgspec.json.decode(each).items()]
        for each in examples["votes"]
    ]
    table = examples.select("prompt_id", "unit", "input", "answer", "weight", "slices", "language", "parameters")
    table = table.with_columns(
        messages=pl.Series(turns, dtype=pl.List(TURN)),
        votes=pl.Series(votes, dtype=pl.List(VOTE)),
    )
    file = io.BytesIO()
    table.write_parquet(file)
    return file.getvalue()


def _flat(messages: str, answer: str) -> list[dict[str, str | None]]:
    turns = [*msgspec.json.decode(messages), {"role": "assistant", "content": answer}]
    return [
        {
            "role": each["role"],
            "content": each.get("content", ""),
            "extra": msgspec.json.encode(each["extra"]).decode() if each.get("extra") else None,
        }
        for each in turns
    ]


CARD = """\
---
pretty_name: {name}
task_categories:
- text-classification
configs:
- config_name: default
  data_files:
{files}
---

# {title}

The prompt set of the task {title}: what production asked, with the answers that were accepted to be learned.
Prompt set {number}, key `{key}`, made by Overproof {version}.

| split | examples | what it is for |
| --- | --- | --- |
{rows}

- `messages` is the whole conversation, the answer its last turn; `input` is the part that varies, which is what a
  student sees; `answer` is the answer in normal form; `votes` are the shares of the samples that gave each answer.
- `weight` says how often production asks this. `unit` joins prompts that are near duplicates or one conversation: deal
  whole units when you split the data again, or you test what you taught.
- Texts are {masked}.
- **The answers are a language model's** ({teacher}): its provider's terms govern what they may be used for.
- Forgetting a person in the project (`overproof forget`) does not reach this folder: export again, and delete this one.
"""
"""The dataset card; what stands in the YAML is quoted by whoever fills it in."""
PURPOSES = {
    "train": "students learn from it",
    "tune": "what is chosen about a student",
    "calibrate": "thresholds, and the order of candidates; answers are the teacher's, unsifted",
    "test": "verdicts; answers are the teacher's, unsifted",
}


def card(about: Mapping[str, str], counts: Mapping[str, int], files: Mapping[str, str]) -> str:
    """Return a dataset card: `counts` and `files` by split, `about` what else the text names, in plain text."""
    listed = "\n".join(f"  - split: {split}\n    path: {_quoted(path)}" for split, path in files.items())
    rows = "\n".join(f"| {split} | {count:,} | {PURPOSES[split]} |" for split, count in counts.items())
    return CARD.format(**about, name=_quoted(about["title"]), files=listed, rows=rows)


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()
