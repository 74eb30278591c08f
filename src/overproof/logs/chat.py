"""Read conversations as they are written for fine-tuning: the last turn is the answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, ClassVar

from overproof.core.types import Exchange, Record, SetAside
from overproof.logs import answers, jsonl, openai, rows, turns
from overproof.logs.rows import BadRow, Row

OWN = openai.PARAMETERS | {"messages", "object", "store", "stream"}


class ChatReader(Record):
    """`{"messages": [..., {"role": "assistant", ...}]}`. A row without `model` counts as the teacher's."""

    name: str = "chat"
    general: ClassVar[bool] = True
    holds_gold: ClassVar[bool] = True
    fields: ClassVar[str] = (
        "`messages[].{role, content, tool_calls, tool_call_id, name}`, the last of them the answer; `tools`, "
        "`parallel_tool_calls` and other parameters; the names below"
    )
    traps: ClassVar[str] = (
        "`weight` is no part of what was said and is left out (the answer's is kept as metadata); a row whose "
        "last turn is not the assistant's has no answer and is set aside; earlier turns of the assistant are "
        "context, not answers"
    )

    def sniff(self, head: Sequence[bytes], path: Path) -> float:  # noqa: ARG002 - the seam's signature
        """Return the share of rows that hold a conversation which ends with the assistant's turn."""
        return jsonl.share(head, _fits)

    def read(self, stream: IO[bytes], source: str) -> Iterator[Exchange | SetAside]:
        """Yield every row in order."""
        return jsonl.exchanges(stream, source, exchange)


def exchange(row: Row, source: str) -> Exchange:
    """Return the call that `row` tells of; raise BadRow when there is no answer."""
    known, rest = rows.fields(row, OWN)
    conversation = _conversation(row)
    last = conversation[-1]
    if not isinstance(last, dict) or last.get("role") != "assistant":
        raise BadRow("no answer: the last turn is not the assistant's")
    if len(conversation) < 2:
        raise BadRow("no messages before the answer")
    metadata = rest | rows.strings(known.get("metadata"))
    if last.get("weight") is not None:
        metadata["weight"] = rows.text(last["weight"]) or ""
    return Exchange(
        id=rows.text(known.get("id")) or source,
        source=source,
        at=rows.when(known.get("at")),
        model=rows.text(known.get("model")) or "",
        release=rows.text(known.get("release")) or rows.first("release", metadata),
        messages=turns.turns([_unweighted(each) for each in conversation[:-1]]),
        parameters=openai.of_row(row),
        answer=answers.read(last).text,
        finish_reason=rows.text(known.get("finish_reason")),
        user=rows.text(known.get("user")),
        conversation=rows.text(known.get("conversation")) or rows.first("conversation", metadata),
        metadata=metadata,
        gold=rows.text(known.get("gold")),
        input_tokens=rows.count(known.get("input_tokens")),
        output_tokens=rows.count(known.get("output_tokens")),
        cost_usd=rows.number(known.get("cost_usd")),
        latency_ms=rows.latency_ms(known),
    )


def _fits(row: Row) -> bool:
    if any(name in row for name in (*openai.RESPONSE, "choices", "call_type")):
        return False
    conversation = row.get("messages")
    if isinstance(conversation, str):
        conversation = rows.unpacked(conversation)
    if not isinstance(conversation, list) or not conversation or not isinstance(conversation[-1], dict):
        return False
    return conversation[-1].get("role") == "assistant"


def _conversation(row: Row) -> list[Any]:
    value = row.get("messages")
    if isinstance(value, str):
        value = rows.unpacked(value)
    if not isinstance(value, list) or not value:
        raise BadRow("no messages")
    return value


def _unweighted(turn: object) -> object:
    if isinstance(turn, dict) and "weight" in turn:
        return {key: value for key, value in turn.items() if key != "weight"}
    return turn
