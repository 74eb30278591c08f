"""Read what Langfuse exports: observations (blob storage, API, user interface), joined with scores and older traces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, ClassVar

from overproof.core.protocols import Part, Parts
from overproof.core.types import Exchange, Message, Record, SetAside
from overproof.logs import answers, jsonl, rows, turns
from overproof.logs.rows import BadRow, Row

TYPES = frozenset(
    {
        *("GENERATION", "SPAN", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "EMBEDDING"),
        "GUARDRAIL",
    }
)
TAKEN = ("name", "environment", "version", "trace_name", "prompt_name", "prompt_version", "trace_id")
"""Fields of an observation that are kept as metadata."""
OF_TRACE = ("user_id", "session_id", "tags", "metadata", "name", "version")
"""Fields of an older export's traces that its observations lack."""
_CAMEL = re.compile(r"(?<=[a-z0-9])([A-Z])")


class LangfuseReader(Record):
    """Generations; scores become metadata `score.NAME`."""

    name: str = "langfuse"
    one_per_id: ClassVar[bool] = True
    fields: ClassVar[str] = (
        "`id`, `trace_id`, `type`, `start_time`, `end_time`, `input`, `output`, `provided_model_name` or `model`, "
        "`model_parameters`, `usage_details` or `usage`, `total_cost` or `cost_details.total`, `latency`, "
        "`level`, `status_message`, `metadata`, `user_id`, `session_id`, `tags`, `environment`, `prompt_name`, "
        "`prompt_version`, `tool_definitions`, `tool_calls`, in snake or camel case; scores: `trace_id`, "
        "`observation_id`, `session_id`, `name`, `value`, `string_value`; older traces: `user_id`, `session_id`, "
        "`tags`, `metadata`"
    )
    traps: ClassVar[str] = (
        "`input` and `output` are texts that may hold JSON; times without a zone are UTC; `latency` is seconds; "
        "the same observation may be exported again: the last copy counts; only `GENERATION` is a model's call, "
        "all other types are set aside; a score of a trace or session is given to every generation in it; a call "
        "without session belongs to its trace's conversation"
    )

    def sniff(self, head: Sequence[bytes], path: Path) -> float:  # noqa: ARG002 - the seam's signature
        """Return the share of rows that are observations, scores or traces."""
        return jsonl.share(head, lambda row: _is_part(row := _snake_row(row)) or _is_observation(row))

    def completes(self, head: Sequence[bytes], path: Path) -> bool:  # noqa: ARG002 - the seam's signature
        """Say whether these are scores or traces."""
        return jsonl.share(head, lambda row: _is_part(_snake_row(row))) > 0.5

    def read(self, stream: IO[bytes], source: str) -> Iterator[Exchange | SetAside]:
        """Yield every row in order."""
        return jsonl.exchanges(stream, source, exchange)

    def gather(self, stream: IO[bytes], source: str) -> Iterator[Part | SetAside]:
        """Yield scores and traces."""
        return jsonl.exchanges(stream, source, _part)

    def join(self, stream: IO[bytes], source: str, parts: Parts) -> Iterator[Exchange | SetAside]:
        """Yield every observation with its scores."""
        return jsonl.exchanges(stream, source, lambda row, place: exchange(row, place, parts))

    def left(self, parts: Sequence[Part]) -> Iterator[Exchange | SetAside]:
        """Yield scores and traces of calls that are not here."""
        for part in parts:
            what = "a trace" if part.key.startswith("trace:") else "a score"
            yield SetAside(source=part.source, reason=f"{what} of no call here")


def exchange(row: Row, source: str, parts: Parts | None = None) -> Exchange:
    """Return the call that an observation tells of; raise BadRow for any other row."""
    row = _snake_row(row)
    if _is_part(row):
        raise BadRow("a score or trace among observations")
    kind = row.get("type", "GENERATION")
    if kind != "GENERATION":
        raise BadRow(f"not a model's call: {rows.text(kind)}")
    trace = rows.text(row.get("trace_id")) or ""
    row = _with_trace(row, parts.take(f"trace:{trace}") if parts else ())
    failure = None
    if rows.text(row.get("level")) == "ERROR":
        failure = rows.error(row.get("status_message")) or "level ERROR"
    answer = None if failure else _answer(row)
    usage = rows.mapping(row.get("usage_details"), "usage_details") if _said(row, "usage_details") else row.get("usage")
    usage = usage if isinstance(usage, dict) else rows.mapping(usage, "usage")
    inputs, outputs = answers.tokens(usage)
    model = next((row[key] for key in ("provided_model_name", "model", "provided_model") if row.get(key)), None)
    identity = rows.text(row.get("id")) or source
    session = rows.text(row.get("session_id")) or None
    return Exchange(
        id=identity,
        source=source,
        at=rows.when(row.get("start_time")),
        model=rows.text(model) or "",
        answered_by=answer.model if answer else "",
        messages=_asked(row.get("input")),
        parameters=_parameters(row),
        answer=None if answer is None else answer.text,
        finish_reason=None if answer is None else answer.finish,
        status=500 if failure else 200,
        error=failure,
        user=rows.text(row.get("user_id")) or None,
        conversation=session or trace or None,
        metadata=_metadata(row) | _scores(parts, identity, trace, session),
        input_tokens=inputs if inputs is not None else rows.count(row.get("prompt_tokens")),
        output_tokens=outputs if outputs is not None else rows.count(row.get("completion_tokens")),
        cost_usd=_cost(row),
        latency_ms=_latency(row),
    )


@lru_cache(maxsize=4096)
def _snake(name: str) -> str:
    return _CAMEL.sub(r"_\1", name).lower() if not name.islower() else name


def _snake_row(row: Row) -> Row:
    return {_snake(key): value for key, value in row.items()}


def _said(row: Row, key: str) -> bool:
    return row.get(key) not in (None, "", {}, [], "{}", "[]")


def _is_observation(row: Row) -> bool:
    typed = row.get("type") in TYPES if isinstance(row.get("type"), str) else {"input", "output", "model"} <= set(row)
    return "trace_id" in row and "start_time" in row and typed


def _is_score(row: Row) -> bool:
    where = any(key in row for key in ("trace_id", "observation_id", "session_id"))
    told = "value" in row or "string_value" in row
    return where and told and "name" in row and "start_time" not in row


def _is_trace(row: Row) -> bool:
    return "bookmarked" in row and "timestamp" in row and "start_time" not in row


def _is_part(row: Row) -> bool:
    return _is_score(row) or _is_trace(row)


def _part(row: Row, place: str) -> Part:
    row = _snake_row(row)
    if _is_trace(row):
        return Part(f"trace:{rows.text(row.get('id'))}", place, {key: row[key] for key in OF_TRACE if key in row})
    if not _is_score(row):
        raise BadRow("neither a score nor a trace")
    name = rows.text(row.get("name"))
    value = rows.text(row.get("string_value")) or rows.text(row.get("value"))
    if not name or not value:
        raise BadRow("a score without a name or a value")
    for kind in ("observation", "trace", "session"):
        if target := rows.text(row.get(f"{kind}_id")):
            return Part(f"score:{kind}:{target}", place, (f"score.{name}", value))
    raise BadRow("a score of nothing")


def _with_trace(row: Row, traces: Sequence[Part]) -> Row:
    """Return an observation with what an older export says in its trace alone."""
    for trace in traces:
        about = {("trace_name" if key == "name" else key): value for key, value in trace.value.items()}
        inner = rows.strings(about.pop("metadata", None)) | rows.strings(row.get("metadata"))
        row = {**about, **{key: value for key, value in row.items() if value is not None}, "metadata": inner}
    return row


def _scores(parts: Parts | None, identity: str, trace: str, session: str | None) -> dict[str, str]:
    found: dict[str, str] = {}
    if parts is not None:
        for key in (f"score:session:{session}", f"score:trace:{trace}", f"score:observation:{identity}"):
            found.update(dict(part.value for part in parts.take(key)))
    return found


def _asked(value: object) -> tuple[Message, ...]:
    """Return what was asked: messages, or whatever the application gave, as one turn."""
    if value is None or value == "":
        raise BadRow("no input: input and output may have been left out of the export")
    packed = rows.unpacked(value) if isinstance(value, str) and value.lstrip().startswith(("{", "[")) else value
    if isinstance(packed, dict) and isinstance(packed.get("messages"), list):
        return turns.turns(packed["messages"], packed.get("system"))
    listed = packed if isinstance(packed, list) else [packed]
    if listed and all(isinstance(each, dict) and "role" in each for each in listed):
        return turns.turns(listed)
    return (Message(role="user", content=value if isinstance(value, str) else rows.text(value) or ""),)


def _answer(row: Row) -> answers.Answer:
    output = row.get("output")
    if output is None or output == "":
        calls = row.get("tool_calls")
        calls = rows.unpacked(calls) if isinstance(calls, str) else calls
        if not isinstance(calls, list) or not calls:
            raise BadRow("no output: input and output may have been left out of the export")
        made = [turns.tool_call(rows.unpacked(each) if isinstance(each, str) else each) for each in calls]
        return answers.Answer(turns.spoken("", made))
    return answers.read(output, loose=True)


def _parameters(row: Row) -> dict[str, Any]:
    found = dict(rows.mapping(row.get("model_parameters"), "model_parameters"))
    asked = row.get("input")
    packed = rows.unpacked(asked) if isinstance(asked, str) and asked.lstrip().startswith("{") else asked
    tools = row.get("tool_definitions") if _said(row, "tool_definitions") else None
    if tools is None and isinstance(packed, dict) and isinstance(packed.get("messages"), list):
        tools = packed.get("tools")
    tools = rows.unpacked(tools) if isinstance(tools, str) else tools
    if isinstance(tools, dict):  # name to definition
        tools = list(tools.values())
    if isinstance(tools, list) and tools:
        found["tools"] = turns.tools(tools)
    return dict(rows.shallow({key: value for key, value in found.items() if value is not None}))


def _metadata(row: Row) -> dict[str, str]:
    found = rows.strings(row.get("metadata"))
    found |= {name: text for name in TAKEN if (text := rows.text(row.get(name)))}
    tags = row.get("tags")
    tags = rows.unpacked(tags) if isinstance(tags, str) else tags
    if isinstance(tags, list) and tags:
        found["tags"] = ",".join(rows.text(tag) or "" for tag in tags)
    return found


def _cost(row: Row) -> float | None:
    for name in ("total_cost", "calculated_total_cost"):
        if (found := rows.number(row.get(name))) is not None:
            return found
    details = row.get("cost_details")
    details = rows.unpacked(details) if isinstance(details, str) else details
    return rows.number(details.get("total")) if isinstance(details, dict) else None


def _latency(row: Row) -> float | None:
    start, end = rows.when(row.get("start_time")), rows.when(row.get("end_time"))
    if start and end:
        return (end - start).total_seconds() * 1000
    seconds = rows.number(row.get("latency"))
    return None if seconds is None else seconds * 1000
