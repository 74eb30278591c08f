"""Read stored chat completions (OpenAI, Azure): the list of completions, joined with the messages each was asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, ClassVar

from overproof.core.protocols import Part, Parts
from overproof.core.types import Exchange, Record, SetAside
from overproof.logs import jsonl, openai, rows
from overproof.logs.rows import BadRow, Row

_ANSWER = frozenset({"id", "object", "created", "choices", "usage", "metadata", "system_fingerprint", "request_id"})


class StoredReader(Record):
    """Completions and their messages; which is which is told by their rows."""

    name: str = "openai_stored"
    one_per_id: ClassVar[bool] = True
    fields: ClassVar[str] = (
        "completions: `id`, `created`, `model`, `choices`, `usage`, `metadata`, parameters; messages: `id` "
        "(`COMPLETION-N`), `role`, `content` or `content_parts`; or `{completion_id, data}`; pages (`{object: "
        "list, data}`) are taken apart"
    )
    traps: ClassVar[str] = (
        "the list call does not give the messages: list them for each completion "
        "(`/v1/chat/completions/{id}/messages`) into a file beside it, or put them into the row as `messages`; "
        "completions without are set aside"
    )

    def sniff(self, head: Sequence[bytes], path: Path) -> float:  # noqa: ARG002 - the seam's signature
        """Return the share of rows that are completions or messages of them."""
        return jsonl.share(head, lambda row: _is_completion(row) or _is_message(row))

    def completes(self, head: Sequence[bytes], path: Path) -> bool:  # noqa: ARG002 - the seam's signature
        """Say whether these are messages."""
        return jsonl.share(head, _is_message) > 0.5

    def read(self, stream: IO[bytes], source: str) -> Iterator[Exchange | SetAside]:
        """Yield every completion in order."""
        return jsonl.exchanges(stream, source, lambda row, place: _exchange(row, place, []))

    def gather(self, stream: IO[bytes], source: str) -> Iterator[Part | SetAside]:
        """Yield messages, each for its completion."""
        return jsonl.exchanges(stream, source, _part)

    def join(self, stream: IO[bytes], source: str, parts: Parts) -> Iterator[Exchange | SetAside]:
        """Yield every completion with its messages."""
        return jsonl.exchanges(
            stream, source, lambda row, place: _exchange(row, place, parts.take(rows.text(row.get("id")) or ""))
        )

    def left(self, parts: Sequence[Part]) -> Iterator[Exchange | SetAside]:
        """Yield messages of completions that are not here."""
        for part in parts:
            yield SetAside(source=part.source, reason="a message of no completion here")


def _is_completion(row: Row) -> bool:
    return "choices" in row and row.get("object", "chat.completion") == "chat.completion" and "request" not in row


def _is_message(row: Row) -> bool:
    if "completion_id" in row and isinstance(row.get("data"), list):
        return True
    known = row.get("id")
    return isinstance(known, str) and "role" in row and known.rpartition("-")[2].isdecimal() and "choices" not in row


def _part(row: Row, place: str) -> Part:
    if not _is_message(row):
        raise BadRow("not a message of a completion")
    if "completion_id" in row:
        return Part(rows.text(row["completion_id"]) or "", place, [(i, each) for i, each in enumerate(row["data"])])
    known, _, number = row["id"].rpartition("-")
    return Part(known, place, [(int(number[-9:]), _message(row))])


def _message(row: Row) -> Row:
    content = row.get("content_parts") or row.get("content")
    rest = {key: row[key] for key in ("role", "name", "tool_calls", "tool_call_id") if row.get(key) is not None}
    return {**rest, "content": content}


def _exchange(row: Row, place: str, parts: Sequence[Part]) -> Exchange:
    numbered = [each for part in parts for each in part.value]
    numbered.sort(key=lambda each: each[0])
    messages = [_message(each) if isinstance(each, dict) else each for _, each in numbered] or row.get("messages")
    if not messages:
        raise BadRow("no messages: the list of completions leaves them out")
    asked = {key: value for key, value in row.items() if key not in _ANSWER}
    said = {key: row[key] for key in ("id", "model", "created", "choices", "usage", "object") if key in row}
    call = {"request": {**asked, "messages": messages}, "response": said, "metadata": row.get("metadata")}
    return openai.exchange({"id": row.get("id"), **call}, place)
