"""What others read: fine-tuning lines and Parquet files with a card."""

from __future__ import annotations

import io
import json

import polars as pl

from overproof.prompts.formats import card, openai_lines, parquet

MESSAGES = [
    {"role": "system", "content": "Triage."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi", "extra": {"name": "bot"}},
    {"role": "user", "content": "Where is my “invoice”?\n"},
]
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {}}}]
EXAMPLES = pl.DataFrame(
    {
        "prompt_id": ["p1"],
        "unit": ["u1"],
        "input": ["Where is my “invoice”?\n"],
        "answer": ["billing"],
        "votes": ['{"billing":0.75,"login":0.25}'],
        "weight": [3.0],
        "slices": [["all", "new"]],
        "language": ["en"],
        "messages": [json.dumps(MESSAGES)],
        "parameters": [json.dumps({"temperature": 0, "tools": TOOLS})],
    }
)


def test_a_line_holds_what_was_asked_and_the_answer_as_the_turn_to_learn() -> None:
    [line] = openai_lines(EXAMPLES)
    read = json.loads(line)

    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert read["messages"][:2] == MESSAGES[:2]
    assert read["messages"][2] == {"role": "assistant", "content": "Hi", "name": "bot", "weight": 0}
    assert read["messages"][-1] == {"role": "assistant", "content": "billing"}
    assert set(read) == {"messages", "tools"}


def test_a_parquet_file_holds_the_conversation_the_answer_and_its_votes() -> None:
    [row] = pl.read_parquet(io.BytesIO(parquet(EXAMPLES))).to_dicts()

    assert [each["role"] for each in row["messages"]] == ["system", "user", "assistant", "user", "assistant"]
    assert row["messages"][-1]["content"] == row["answer"] == "billing"
    assert json.loads(row["messages"][2]["extra"]) == {"name": "bot"}
    assert row["votes"] == [{"answer": "billing", "share": 0.75}, {"answer": "login", "share": 0.25}]
    assert (row["weight"], row["slices"]) == (3.0, ["all", "new"])


def test_a_file_of_examples_without_votes_has_the_same_columns() -> None:
    plain = EXAMPLES.with_columns(votes=pl.lit("{}"), parameters=pl.lit("{}"))

    assert pl.read_parquet(io.BytesIO(parquet(plain))).schema == pl.read_parquet(io.BytesIO(parquet(EXAMPLES))).schema


def test_the_card_names_each_file_for_its_split() -> None:
    about = {"title": "a", "number": "2", "key": "k", "version": "0", "masked": "masked", "teacher": "big"}
    text = card(about, {"train": 1200}, {"train": "data/train.parquet"})

    assert text.startswith('---\npretty_name: "a"\n')
    assert '  data_files:\n  - split: train\n    path: "data/train.parquet"\n---\n' in text
    assert "| train | 1,200 |" in text
