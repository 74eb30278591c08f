"""Read OpenInference's spans, as Phoenix and others export them: messages under flattened indices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, ClassVar

from overproof.core.types import Exchange, Message, Record, SetAside
from overproof.logs import answers, jsonl, openai, otel, rows, spans, turns
from overproof.logs.attributes import tree
from overproof.logs.rows import BadRow, Row
from overproof.logs.spans import Note, Span

KIND = "openinference.span.kind"


class OpenInferenceReader(Record):
    """Spans of kind `LLM`."""

    name: str = "openinference"
    one_per_id: ClassVar[bool] = True
    fields: ClassVar[str] = (
        "`openinference.span.kind`, `llm.model_name`, `llm.input_messages.N.message.*`, "
        "`llm.output_messages.N.message.*`, `input.value`, `output.value`, `llm.invocation_parameters`, "
        "`llm.tools.N.tool.json_schema`, `llm.token_count.{prompt, completion}`, `llm.cost.total`, "
        "`llm.finish_reason`, `session.id`, `user.id`, `metadata`, `tag.tags`; in every envelope `otel` reads, "
        "and as columns `attributes.NAME`"
    )
    traps: ClassVar[str] = (
        "indices are part of the names and must be sorted as numbers; messages may also be lists; without them "
        "the whole request stands in `input.value` as JSON; only kind `LLM` is a model's call, chains and tools "
        "around it are set aside; spans exported twice count once"
    )

    def sniff(self, head: Sequence[bytes], path: Path) -> float:  # noqa: ARG002 - the seam's signature
        """Return the share of rows that are spans, if one of them is of OpenInference."""
        marks = (KIND.encode(), b'"openinference"', b"llm.input_messages")
        marked = any(mark in line for line in head for mark in marks)
        return jsonl.share(head, spans.is_any) if marked else 0.0

    def read(self, stream: IO[bytes], source: str) -> Iterator[Exchange | SetAside]:
        """Yield every span in order."""
        return jsonl.several(stream, source, _all)


def exchange(span: Span) -> Exchange:
    """Return the call that a span tells of; raise BadRow when it is none."""
    held = span.attributes
    kind = rows.text(held.get(KIND) or held.get("span_kind")) or ("LLM" if "llm.model_name" in held else "")
    if kind.upper() != "LLM":
        raise BadRow(f"not a model's call: {kind or 'another span'}")
    given = rows.mapping(tree(held, "llm.invocation_parameters"), "llm.invocation_parameters")
    found = None if span.failure else _answer(held)
    inputs = rows.count(held.get("llm.token_count.prompt"))
    outputs = rows.count(held.get("llm.token_count.completion"))
    return Exchange(
        id=span.id or span.place,
        source=span.place,
        at=span.at,
        model=rows.text(held.get("llm.model_name") or given.get("model")) or "",
        answered_by=rows.text(held.get("llm.response.model")) or (found.model if found else ""),
        messages=_asked(held),
        parameters=_parameters(held, given),
        answer=None if found is None else found.text,
        finish_reason=rows.text(held.get("llm.finish_reason")) or (found.finish if found else None),
        status=500 if span.failure else 200,
        error=span.failure,
        user=rows.text(held.get("user.id")) or None,
        conversation=rows.text(held.get("session.id")) or span.trace or None,
        metadata=_metadata(span, held),
        input_tokens=inputs if inputs is not None or found is None else found.input_tokens,
        output_tokens=outputs if outputs is not None or found is None else found.output_tokens,
        cost_usd=rows.number(held.get("llm.cost.total")),
        latency_ms=span.latency_ms,
    )


def _all(row: Row, place: str) -> Iterator[Exchange | SetAside]:
    for each in spans.read(row, place):
        if isinstance(each, Note):
            yield SetAside(source=each.place, reason="not a model's call: a log record")
        else:
            if isinstance(row.get("span_kind"), str):  # a column beside the attributes
                each.attributes.setdefault(KIND, row["span_kind"])
            yield otel.settled(each, exchange)


def _asked(held: Row) -> tuple[Message, ...]:
    given = tree(held, "llm.input_messages")
    if isinstance(given, list) and given:
        return turns.turns([message(each) for each in given])
    whole = held.get("input.value")
    packed = rows.unpacked(whole) if isinstance(whole, str) and whole.lstrip().startswith(("{", "[")) else whole
    if isinstance(packed, dict) and isinstance(packed.get("messages"), list):
        return turns.turns(packed["messages"], packed.get("system"))
    if whole in (None, ""):
        raise BadRow("no messages: the texts were hidden or not captured")
    return (Message(role="user", content=rows.text(whole) or ""),)


def _answer(held: Row) -> answers.Answer:
    given = tree(held, "llm.output_messages")
    if isinstance(given, list) and given:
        return answers.read({"role": "assistant", "content": None, **message(given[0])})
    whole = held.get("output.value")
    if whole in (None, ""):
        raise BadRow("no answer: the texts were hidden or not captured")
    return answers.read(whole, loose=True)


def message(raw: object) -> Row:
    """Return a message in the OpenAI shape, from names such as `message.tool_calls`, dotted or nested."""
    if not isinstance(raw, dict):
        raise BadRow("a message that is not a JSON object")
    told = _nested(raw, "message")
    found = {key: told[key] for key in ("role", "content", "name", "tool_call_id") if told.get(key) is not None}
    if isinstance(told.get("contents"), list):
        found["content"] = [_content(each) for each in told["contents"]]
    calls = told.get("tool_calls")
    if isinstance(calls, list) and calls:
        found["tool_calls"] = [_nested(each, "tool_call") if isinstance(each, dict) else each for each in calls]
    elif told.get("function_call_name"):
        called = {"name": told["function_call_name"], "arguments": told.get("function_call_arguments_json")}
        found["tool_calls"] = [{"function": called}]
    return found


def _content(raw: object) -> object:
    if not isinstance(raw, dict):
        return raw
    told = _nested(raw, "message_content")
    if "text" in told:
        return {"type": "text", "text": told["text"]}
    return told


def _nested(raw: Row, prefix: str) -> Row:
    """Return the fields under `prefix`, wherever in `raw` dots stand for nesting."""
    found = tree(_dotted(raw), prefix)
    return found if isinstance(found, dict) else raw


def _dotted(raw: Row) -> Row:
    flat: Row = {}
    for key, value in raw.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{name}": item for name, item in value.items()}
        else:
            flat[key] = value
    return flat


def _parameters(held: Row, given: Row) -> dict[str, Any]:
    found = {key: value for key, value in given.items() if key not in openai.NOT_PARAMETERS and value is not None}
    listed = tree(held, "llm.tools")
    if isinstance(listed, list) and listed:
        schemas = [_nested(each, "tool").get("json_schema", each) for each in listed if isinstance(each, dict)]
        found["tools"] = turns.tools(schemas)
    return dict(rows.shallow(found))


def _metadata(span: Span, held: Row) -> dict[str, str]:
    own = {key: value for key, value in held.items() if key not in ("metadata", "tag.tags")}
    found = otel.metadata(span, own) | rows.strings(tree(held, "metadata"))
    tags = tree(held, "tag.tags")
    if isinstance(tags, list) and tags:
        found["tags"] = ",".join(rows.text(tag) or "" for tag in tags)
    return found
