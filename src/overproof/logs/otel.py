"""Read OpenTelemetry's GenAI spans: the current conventions, those up to 1.36 with their events, and OpenLLMetry's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, ClassVar

from overproof.core.protocols import Part, Parts
from overproof.core.types import Exchange, Message, Record, SetAside
from overproof.logs import answers, jsonl, rows, spans, turns
from overproof.logs.attributes import tree
from overproof.logs.rows import BadRow, Row
from overproof.logs.spans import Event, Note, Span

NOT_CALLS = frozenset(
    {
        *("embeddings", "embedding", "rerank", "execute_tool", "create_agent", "invoke_agent", "invoke_workflow"),
        *("workflow", "task", "agent", "tool", "create_memory", "search_memory", "retrieval"),
    }
)
"""Operations that are no call of a model by themselves; an agent's calls have spans of their own."""
PARAMETERS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "max_tokens": "max_tokens",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "stop_sequences": "stop",
    "seed": "seed",
    "choice.count": "n",
    "reasoning_effort": "reasoning_effort",
    "structured_output_schema": "response_format",
}
"""What `gen_ai.request.NAME` is called in a request."""
DETAILS = "gen_ai.client.inference.operation.details"
_MESSAGES = {f"gen_ai.{role}.message": role for role in ("system", "user", "assistant", "tool")}
_TECHNICAL = (
    *("gen_ai.", "llm.", "http.", "url.", "net.", "network.", "server.", "client.", "telemetry.", "thread.", "otel."),
    *("code.", "process.", "os.", "host.", "peer.", "error.", "exception.", "traceloop.entity.", "input.", "output."),
    *("openinference.", "rpc.", "aws."),
)
"""Attributes that say nothing about the request's content are no metadata."""
_OWNER = "traceloop.association.properties."
_NAMES = frozenset({"user.id", "enduser.id", "session.id", "user_id", "session_id"})
"""Attributes that have a place of their own."""


class OTelReader(Record):
    """Spans of calls of a model; log records of the same spans complete them."""

    name: str = "otel"
    one_per_id: ClassVar[bool] = True
    fields: ClassVar[str] = (
        "spans: `traceId`, `spanId`, times, `status`, attributes `gen_ai.operation.name`, `gen_ai.provider.name` "
        "or `gen_ai.system`, `gen_ai.request.*`, `gen_ai.response.{model, id, finish_reasons}`, "
        "`gen_ai.input.messages`, `gen_ai.output.messages`, `gen_ai.system_instructions`, "
        "`gen_ai.tool.definitions`, `gen_ai.usage.*`, `gen_ai.conversation.id`, `user.id`, `session.id`; events "
        "`gen_ai.{system, user, assistant, tool}.message`, `gen_ai.choice`, `gen_ai.content.*` and "
        "`gen_ai.client.inference.operation.details`, in the span or as log records; OpenLLMetry: "
        "`gen_ai.prompt.N.*`, `gen_ai.completion.N.*`, `llm.request.functions.N.*`. Envelopes: OTLP JSON "
        "(`resourceSpans`, `resourceLogs`), flat JSON of the SDKs, ClickHouse's `otel_traces`"
    )
    traps: ClassVar[str] = (
        "one line may hold many spans: each is a row, with a place such as `file:3#2`; texts are there only when "
        "the application was told to capture them; messages may be JSON text or structure; spans of agents, "
        "tools, embeddings and everything else are set aside as no call of a model; log records must be in files "
        "of their own to be joined; a call without `gen_ai.conversation.id` belongs to its trace's conversation; "
        "spans exported twice count once"
    )

    def sniff(self, head: Sequence[bytes], path: Path) -> float:  # noqa: ARG002 - the seam's signature
        """Return the share of rows that are spans: sure only where one of them is of the GenAI conventions."""
        if any(b"openinference.span.kind" in line for line in head):
            return 0.0
        sure = jsonl.share(head, spans.is_any)
        return sure if any(b"gen_ai." in line or b'"gen_ai"' in line for line in head) else 0.6 * sure

    def completes(self, head: Sequence[bytes], path: Path) -> bool:  # noqa: ARG002 - the seam's signature
        """Say whether these are log records."""
        return (
            jsonl.share(head, lambda row: "resourceLogs" in row or "resource_logs" in row or spans.is_note(row)) > 0.5
        )

    def read(self, stream: IO[bytes], source: str) -> Iterator[Exchange | SetAside]:
        """Yield every span in order."""
        return jsonl.several(stream, source, lambda row, place: _all(row, place, None))

    def gather(self, stream: IO[bytes], source: str) -> Iterator[Part | SetAside]:
        """Yield every log record, for the span it belongs to."""
        return jsonl.several(stream, source, _parts)

    def join(self, stream: IO[bytes], source: str, parts: Parts) -> Iterator[Exchange | SetAside]:
        """Yield every span with its log records."""
        return jsonl.several(stream, source, lambda row, place: _all(row, place, parts))

    def left(self, parts: Sequence[Part]) -> Iterator[Exchange | SetAside]:
        """Yield the call that log records tell of by themselves."""
        notes = [part.value for part in parts]
        first = notes[0]
        about = {key: value for note in notes for key, value in note.event.attributes.items()}
        span = Span(first.place, first.span, first.trace, start=first.at, attributes=about, resource=first.resource)
        span.events = [note.event for note in notes]
        yield settled(span, exchange)


def settled(span: Span, convert: Callable[[Span], Exchange]) -> Exchange | SetAside:
    """Return the call of a span, or the span set aside."""
    try:
        if spans.BROKEN in span.attributes:
            raise BadRow(span.attributes[spans.BROKEN])
        return convert(span)
    except BadRow as why:
        return SetAside(source=span.place, reason=str(why), excerpt=f"{span.name} {span.id}".strip())


def exchange(span: Span) -> Exchange:
    """Return the call that a span tells of; raise BadRow when it is none, or its texts were not captured."""
    held = span.attributes
    held = {
        **held,
        **{key: item for event in span.events if event.name == DETAILS for key, item in _told(event).items()},
    }
    _refuse(held)
    failure = span.failure or rows.text(held.get("error.type"))
    said, finish = (None, None) if failure else _answer(held, span.events)
    return Exchange(
        id=span.id or rows.text(held.get("gen_ai.response.id")) or span.place,
        source=span.place,
        at=span.at,
        model=rows.text(held.get("gen_ai.request.model")) or "",
        answered_by=rows.text(held.get("gen_ai.response.model")) or "",
        messages=_asked(held, span.events),
        parameters=_parameters(held),
        answer=said,
        finish_reason=finish or _reason(held),
        status=500 if failure else 200,
        error=failure,
        user=_first(held, ("user.id", "enduser.id", _OWNER + "user_id", "gen_ai.user")),
        conversation=_first(held, ("gen_ai.conversation.id", "session.id", _OWNER + "session_id"))
        or span.trace
        or None,
        metadata=metadata(span, held),
        input_tokens=_count(
            held, ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens")
        ),
        output_tokens=_count(held, ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens")),
        cost_usd=rows.number(held.get("gen_ai.usage.cost")),
        latency_ms=span.latency_ms,
    )


def metadata(span: Span, held: Row) -> dict[str, str]:
    """Return what an application may slice by: its own attributes, and what names the service and the provider."""
    found = {
        name: text
        for key, value in held.items()
        if not key.startswith(_TECHNICAL)
        and not isinstance(value, dict | list)
        and (name := key.removeprefix(_OWNER)) not in _NAMES
        and (text := rows.text(value))
    }
    named = {
        "service.name": span.resource.get("service.name"),
        "provider": held.get("gen_ai.provider.name") or held.get("gen_ai.system") or held.get("llm.provider"),
        "agent": held.get("gen_ai.agent.name"),
        "prompt_name": held.get("gen_ai.prompt.name"),
        "span": span.name,
    }
    return found | {key: text for key, value in named.items() if (text := rows.text(value))}


def _all(row: Row, place: str, parts: Parts | None) -> Iterator[Exchange | SetAside]:
    for each in spans.read(row, place):
        if isinstance(each, Note):
            yield SetAside(source=each.place, reason="a log record among spans: give log records files of their own")
            continue
        if parts is not None:
            each.events += [part.value.event for part in parts.take(_key(each.trace, each.id))]
        yield settled(each, exchange)


def _parts(row: Row, place: str) -> Iterator[Part | SetAside]:
    for each in spans.read(row, place):
        if isinstance(each, Span):
            why = each.attributes.get(spans.BROKEN, "a span among log records: give log records files of their own")
            yield SetAside(source=each.place, reason=why)
        elif not each.event.name.startswith("gen_ai."):
            yield SetAside(source=each.place, reason="not a model's call: another log record", excerpt=each.event.name)
        elif not each.span:
            yield SetAside(source=each.place, reason="a log record of no span")
        else:
            yield Part(_key(each.trace, each.span), each.place, each)


def _key(trace: str, span: str) -> str:
    return f"{trace.removeprefix('0x')}/{span.removeprefix('0x')}"


def _refuse(held: Row) -> None:
    kinds = ("gen_ai.operation.name", "traceloop.span.kind", "llm.request.type")
    kind = next((text for key in kinds if (text := rows.text(held.get(key)))), "")
    if kind in NOT_CALLS:
        raise BadRow(f"not a model's call: {kind}")
    if not any(key.startswith("gen_ai.") for key in held):
        raise BadRow("not a model's call: another span")


def _told(event: Event) -> Row:
    return {**event.attributes, **(event.body if isinstance(event.body, dict) else {})}


def _asked(held: Row, events: Sequence[Event]) -> tuple[Message, ...]:
    """Return what was asked, from wherever this version of the conventions keeps it."""
    given = tree(held, "gen_ai.input.messages")
    system = tree(held, "gen_ai.system_instructions")
    if given:
        return turns.turns(given, system)
    if told := [_message(event) for event in events if event.name in _MESSAGES]:
        return turns.turns(told, system)
    for event in events:
        if event.name == "gen_ai.content.prompt" and (given := tree(event.attributes, "gen_ai.prompt")):
            return turns.turns(given)
    given = tree({key: value for key, value in held.items() if key != "gen_ai.prompt.name"}, "gen_ai.prompt")
    if not given:
        raise BadRow("no messages: the texts were not captured")
    return turns.turns([_indexed(each) for each in given] if isinstance(given, list) else given, system)


def _answer(held: Row, events: Sequence[Event]) -> tuple[str, str | None]:
    """Return what was answered, and why it ended, from wherever this version of the conventions keeps it."""
    given = tree(held, "gen_ai.output.messages")
    if given:
        return _first_of(given)
    choices = [event for event in events if event.name == "gen_ai.choice"]
    if choices:
        return _choice(min(choices, key=lambda event: rows.count(_told(event).get("index")) or 0))
    for event in events:
        if event.name == "gen_ai.content.completion" and (given := tree(event.attributes, "gen_ai.completion")):
            return _first_of(given)
    given = tree(held, "gen_ai.completion")
    if not given:
        raise BadRow("no answer: the texts were not captured")
    return _first_of([_indexed(each) for each in given] if isinstance(given, list) else given)


def _first_of(given: object) -> tuple[str, str | None]:
    """Return the first choice: every message of an output is one."""
    first = given[0] if isinstance(given, list) and given else given
    if isinstance(first, dict):
        first = {"role": "assistant", **first}
    found = answers.read(first)
    return found.text, found.finish


def _message(event: Event) -> Row:
    """Return a turn from an event, whose text may stand in its attributes or in its body."""
    told = _told(event)
    held = {
        key.removeprefix("gen_ai.message."): value for key, value in told.items() if not key.startswith("gen_ai.sys")
    }
    turn = {key: held[key] for key in ("content", "tool_calls", "name") if held.get(key) is not None}
    content = turn.get("content")
    if isinstance(content, str) and content.startswith(("[{", '{"')):
        turn["content"] = _parts_of(content)
    if held.get("id") is not None:
        turn["tool_call_id"] = held["id"]
    return {**turn, "role": rows.text(held.get("role")) or _MESSAGES[event.name]}


def _parts_of(content: str) -> object:
    """Return the parts that a text holds as JSON; a text that is only text stays one."""
    found = rows.unpacked(content)
    listed = found if isinstance(found, list) else [found]
    keys = {"type", "text", "toolUse", "toolResult"}
    return found if all(isinstance(each, dict) and keys & set(each) for each in listed) else content


def _choice(event: Event) -> tuple[str, str | None]:
    told = _told(event)
    message = told.get("message", told.get("content"))
    if isinstance(message, str):
        packed = rows.unpacked(message)
        message = packed if isinstance(packed, dict) else {"content": _parts_of(message)}
    if not isinstance(message, dict):
        raise BadRow("no answer: the texts were not captured")
    calls = message.get("tool_calls", told.get("tool_calls"))
    found = answers.read({"role": "assistant", "content": message.get("content"), "tool_calls": calls})
    return found.text, rows.text(told.get("finish_reason"))


def _indexed(turn: object) -> object:
    """Return a turn of OpenLLMetry: parts of its content may be JSON text, tool calls are flat."""
    if not isinstance(turn, dict):
        return turn
    content = turn.get("content")
    if isinstance(content, str) and content.startswith("[{"):
        return {**turn, "content": _parts_of(content)}
    return turn


def _parameters(held: Row) -> dict[str, Any]:
    found = {
        name: held[f"gen_ai.request.{key}"]
        for key, name in PARAMETERS.items()
        if held.get(f"gen_ai.request.{key}") is not None
    }
    tools = tree(held, "gen_ai.tool.definitions") or tree(held, "llm.request.functions")
    if isinstance(tools, list) and tools:
        found["tools"] = turns.tools(tools)
    kind = rows.text(held.get("gen_ai.output.type"))
    if kind == "json" and "response_format" not in found:
        found["response_format"] = {"type": "json_object"}
    return dict(rows.shallow(found))


def _reason(held: Row) -> str | None:
    found = held.get("gen_ai.response.finish_reasons")
    found = rows.unpacked(found) if isinstance(found, str) else found
    first = found[0] if isinstance(found, list) and found else found
    return rows.text(first or held.get("gen_ai.completion.0.finish_reason"))


def _first(held: Row, names: Sequence[str]) -> str | None:
    return next((text for name in names if (text := rows.text(held.get(name)))), None)


def _count(held: Row, names: Sequence[str]) -> int | None:
    return next((count for name in names if (count := rows.count(held.get(name))) is not None), None)
