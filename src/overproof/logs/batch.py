"""Read the output of OpenAI's Batch API together with its input: two files, joined by `custom_id`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, ClassVar

import msgspec

from overproof.core.protocols import Part, Parts
from overproof.core.types import Exchange, Record, SetAside
from overproof.logs import jsonl, openai, rows
from overproof.logs.rows import BadRow, Row

UNANSWERED = "unanswered: the batch's output does not hold it"
_ANSWERS = ("completions", "responses", "messages")


class BatchReader(Record):
    """Output, error and input files of a batch; which is which is told by their rows."""

    name: str = "openai_batch"
    holds_gold: ClassVar[bool] = True
    fields: ClassVar[str] = (
        "output and error files: `custom_id`, `response.{status_code, body}`, `error`; input file: `custom_id`, "
        "`url`, `body` (the request)"
    )
    traps: ClassVar[str] = (
        "the output holds no request: name the input file too (same folder, or same `[[logs]]`); order differs, "
        "so they are joined by `custom_id`, which is unique in one batch only: ids that mean two requests are set "
        "aside, so keep each batch in a folder of its own; a request without output is a call without an answer; "
        "`batch_expired` and other errors are failed calls; embeddings and moderations are set aside"
    )

    def sniff(self, head: Sequence[bytes], path: Path) -> float:  # noqa: ARG002 - the seam's signature
        """Return the share of rows that are a batch's input or output."""
        return jsonl.share(head, lambda row: _is_input(row) or _is_output(row))

    def completes(self, head: Sequence[bytes], path: Path) -> bool:  # noqa: ARG002 - the seam's signature
        """Say whether this is an input file."""
        return jsonl.share(head, _is_input) > jsonl.share(head, _is_output)

    def read(self, stream: IO[bytes], source: str) -> Iterator[Exchange | SetAside]:
        """Yield every row of an output file as set aside, and of an input file as not answered."""
        return jsonl.exchanges(stream, source, lambda row, place: _call(row, place, []))

    def gather(self, stream: IO[bytes], source: str) -> Iterator[Part | SetAside]:
        """Yield the requests of an input file."""
        return jsonl.exchanges(stream, source, _part)

    def join(self, stream: IO[bytes], source: str, parts: Parts) -> Iterator[Exchange | SetAside]:
        """Yield the calls of an output or error file."""
        return jsonl.exchanges(stream, source, lambda row, place: _call(row, place, parts.take(_id(row))))

    def left(self, parts: Sequence[Part]) -> Iterator[Exchange | SetAside]:
        """Yield requests that were not answered."""
        for part in parts:
            try:
                yield _exchange(_row(part), part.source)
            except BadRow as why:
                yield SetAside(source=part.source, reason=str(why), excerpt=part.value.decode()[: jsonl.EXCERPT])


def _is_input(row: Row) -> bool:
    return "custom_id" in row and isinstance(row.get("body"), dict | str) and not {"response", "error"} & set(row)


def _is_output(row: Row) -> bool:
    asked = any(isinstance(row.get(name), dict | str) for name in openai.REQUEST)
    return "custom_id" in row and not asked and bool({"response", "error"} & set(row))


def _id(row: Row) -> str:
    return rows.text(row.get("custom_id")) or ""


def _part(row: Row, place: str) -> Part:
    """Return a request, kept as JSON until it is asked for."""
    if not _id(row):
        raise BadRow("no custom_id")
    request = rows.mapping(row.get("body"), "body")
    _refuse(row.get("url"))
    return Part(_id(row), place, msgspec.json.encode({"url": row.get("url"), "body": request}))


def _call(row: Row, place: str, parts: Sequence[Part]) -> Exchange:
    if _is_input(row):
        return _exchange(row, place)
    requests = {part.value for part in parts}
    if len(requests) > 1:
        raise BadRow("two requests under its custom_id: keep each batch in a folder of its own")
    if not requests:
        raise BadRow("no request: the batch's input file is not among the logs")
    return openai.exchange({**row, "request": _row(parts[0])["body"]}, place)


def _row(part: Part) -> dict[str, Any]:
    row: dict[str, Any] = msgspec.json.decode(part.value)
    return {**row, "custom_id": part.key}


def _exchange(row: Row, place: str) -> Exchange:
    """Return a request that was not answered."""
    _refuse(row.get("url"))
    asked = {"custom_id": row.get("custom_id"), "request": row.get("body"), "error": UNANSWERED}
    return openai.exchange(asked, place)


def _refuse(url: object) -> None:
    if isinstance(url, str) and url and not any(word in url for word in _ANSWERS):
        raise BadRow(f"not a model's answer: {url}")
