from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from overproof.core.types import Message
from overproof.logs.pairs import PairsReader, exchange
from overproof.logs.rows import BadRow


def test_the_smallest_pair_counts_as_the_teachers() -> None:
    found = exchange({"input": "Where is it?", "output": "shipping"}, "log:3")

    assert found.messages == (Message(role="user", content="Where is it?"),)
    assert (found.id, found.answer, found.model, found.status) == ("log:3", "shipping", "", 200)


def test_a_pair_may_say_all_that_an_exchange_holds() -> None:
    found = exchange(
        {
            "id": 7,
            "timestamp": 1788782400000,
            "model": "big",
            "user": "u1",
            "conversation": "c1",
            "system": "Sort.",
            "input": "Where is it?",
            "output": "shipping",
            "metadata": {"tier": "pro"},
            "channel": "mail",
            "gold": "shipping",
            "input_tokens": 20,
            "output_tokens": 3,
            "cost_usd": 0.001,
            "latency_ms": 480,
            "finish_reason": "stop",
        },
        "log:3",
    )

    assert (found.id, found.at) == ("7", datetime(2026, 9, 7, 12, tzinfo=UTC))
    assert [each.role for each in found.messages] == ["system", "user"]
    assert found.metadata == {"tier": "pro", "channel": "mail"}
    assert (found.user, found.conversation, found.gold, found.finish_reason) == ("u1", "c1", "shipping", "stop")
    assert (found.input_tokens, found.output_tokens, found.cost_usd, found.latency_ms) == (20, 3, 0.001, 480.0)


@pytest.mark.parametrize("packed", [False, True])
def test_an_input_may_be_a_conversation(packed: bool) -> None:
    turns = [{"role": "system", "content": "Sort."}, {"role": "user", "content": "Where?"}]

    found = exchange({"input": json.dumps(turns) if packed else turns, "output": "x"}, "log:1")

    assert [each.content for each in found.messages] == ["Sort.", "Where?"]


def test_a_text_that_only_looks_like_a_list_stays_a_text() -> None:
    assert exchange({"input": "[urgent] where?", "output": "x"}, "log:1").messages[0].content == "[urgent] where?"


def test_an_output_may_be_an_object() -> None:
    assert exchange({"input": "a", "output": {"b": 1, "a": 2}}, "log:1").answer == '{"a":2,"b":1}'


def test_an_empty_output_is_an_answer() -> None:
    assert exchange({"input": "a", "output": ""}, "log:1").answer == ""


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({"error": "timeout"}, 500, "timeout"),
        ({"status": 503}, 503, "status 503"),
        ({"status": "failed", "output": "x"}, 500, "status failed"),
    ],
)
def test_a_failed_call_needs_no_output(fields: dict[str, Any], status: int, error: str) -> None:
    found = exchange({"input": "a", **fields}, "log:1")

    assert (found.answer, found.status, found.error) == (None, status, error)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"output": "b"}, "no input"),
        ({"input": "a"}, "no output"),
        ({"input": "a", "output": None}, "no output"),
        ({"input": 3, "output": "b"}, "an input that is neither text nor messages"),
        ({"input": [], "output": "b"}, "no messages"),
        ({"input": "a", "output": "b", "parameters": "x"}, "parameters is not a JSON object"),
    ],
)
def test_what_is_missing_is_named(row: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRow) as caught:
        exchange(row, "log:1")

    assert str(caught.value) == reason


def test_it_knows_its_own_rows() -> None:
    reader = PairsReader()

    assert reader.sniff([b'{"input": "a", "output": "b"}', b'{"prompt": "a", "completion": "b"}'], Path("x")) == 1.0
    assert reader.sniff([b'{"request": {"messages": []}, "response": {}}'], Path("x")) == 0.0
