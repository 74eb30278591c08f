"""Read the documents of NVIDIA's data flywheel: OpenAI bodies, as Elasticsearch stores and exports them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, ClassVar

from overproof.core.types import Exchange, Record, SetAside
from overproof.logs import jsonl, openai, rows
from overproof.logs.rows import Row


class FlywheelReader(Record):
    """`{timestamp, workload_id, client_id, request, response}`, also inside `_source`."""

    name: str = "flywheel"
    fields: ClassVar[str] = (
        "`timestamp`, `workload_id`, `client_id`, `request`, `response` (OpenAI bodies); `_id` and `_source` of a dump"
    )
    traps: ClassVar[str] = (
        "a search's answer nests its hits twice (`hits.hits[]._source`); `workload_id` names the task and is "
        "metadata, so `task.where` can choose by it; `timestamp` is an epoch in seconds"
    )

    def sniff(self, head: Sequence[bytes], path: Path) -> float:  # noqa: ARG002 - the seam's signature
        """Return the share of rows that are such documents."""
        return jsonl.share(head, lambda row: _fits(_document(row)))

    def read(self, stream: IO[bytes], source: str) -> Iterator[Exchange | SetAside]:
        """Yield every row in order."""
        return jsonl.exchanges(stream, source, lambda row, place: openai.exchange(_document(row), place))


def _document(row: Row) -> Row:
    inner = row.get("_source")
    if isinstance(inner, str):
        inner = rows.unpacked(inner)
    if not isinstance(inner, dict):
        return row
    return {"id": row.get("_id"), **inner}


def _fits(row: Row) -> bool:
    return "workload_id" in row and "request" in row and "response" in row
