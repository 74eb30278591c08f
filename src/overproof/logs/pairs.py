"""Read plain pairs: `{"input": ..., "output": ...}` rows, for logs that never had an API's shape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, ClassVar

from overproof.core.types import Exchange, Message, Record, SetAside
from overproof.logs import jsonl, rows
from overproof.logs.rows import BadRow, Row

INPUT = ("input", "prompt")
OUTPUT = ("output", "completion")
OWN = frozenset((*INPUT, *OUTPUT, "system", "parameters"))


class PairsReader(Record):
    """Input/output pairs. A row without `model` counts as the teacher's: its exchange has `model == ""`."""

    name: str = "pairs"
    general: ClassVar[bool] = True
    holds_gold: ClassVar[bool] = True
    fields: ClassVar[str] = (
        "`input` or `prompt` (a text, or messages), `output` or `completion`, `system`, `parameters`, and the "
        "names below"
    )
    traps: ClassVar[str] = (
        'a row without `model` has the model `""` and **counts as the teacher\'s**; an output that is not a text '
        "becomes one"
    )

    def sniff(self, head: Sequence[bytes], path: Path) -> float:  # noqa: ARG002 - the seam's signature
        """Return the share of rows that hold an input and an output."""
        return jsonl.share(head, fits)

    def read(self, stream: IO[bytes], source: str) -> Iterator[Exchange | SetAside]:
        """Yield every row in order."""
        return jsonl.exchanges(stream, source, exchange)


def fits(row: Row) -> bool:
    """Say whether `row` looks like a pair."""
    return any(name in row for name in INPUT) and any(name in row for name in OUTPUT)


def exchange(row: Row, source: str) -> Exchange:
    """Return the call that `row` tells of; raise BadRow when its input or its outcome is not there."""
    known, rest = rows.fields(row, OWN)
    failure = rows.error(known.get("error"))
    code = rows.status(known.get("status"), failed=failure is not None)
    if failure is None and not 200 <= code < 300:
        failure = f"status {known['status']}"
    metadata = rest | rows.strings(known.get("metadata"))
    return Exchange(
        id=rows.text(known.get("id")) or source,
        source=source,
        at=rows.when(known.get("at")),
        model=rows.text(known.get("model")) or "",
        release=rows.text(known.get("release")) or rows.first("release", metadata),
        messages=_messages(row),
        parameters=dict(rows.shallow(rows.mapping(row.get("parameters"), "parameters"))),
        answer=None if failure else _output(row),
        finish_reason=rows.text(known.get("finish_reason")),
        status=code,
        error=failure,
        user=rows.text(known.get("user")),
        conversation=rows.text(known.get("conversation")) or rows.first("conversation", metadata),
        metadata=metadata,
        gold=rows.text(known.get("gold")),
        input_tokens=rows.count(known.get("input_tokens")),
        output_tokens=rows.count(known.get("output_tokens")),
        cost_usd=rows.number(known.get("cost_usd")),
        latency_ms=rows.latency_ms(known),
    )


def _output(row: Row) -> str:
    """Return the answer's text; an empty answer is one, a missing one is not."""
    for name in OUTPUT:
        if (found := rows.text(row.get(name))) is not None:
            return found
    raise BadRow("no output")


def _messages(row: Row) -> tuple[Message, ...]:
    system = row.get("system")
    before = (Message(role="system", content=system),) if isinstance(system, str) and system else ()
    asked = row.get(next((name for name in INPUT if row.get(name) is not None), "input"))
    if asked is None:
        raise BadRow("no input")
    if isinstance(asked, list):
        return before + rows.messages(asked)
    if not isinstance(asked, str):
        raise BadRow("an input that is neither text nor messages")
    packed = rows.unpacked(asked) if asked.startswith("[") else None
    if isinstance(packed, list) and packed and all(isinstance(each, dict) and "role" in each for each in packed):
        return before + rows.messages(packed)
    return (*before, Message(role="user", content=asked))
