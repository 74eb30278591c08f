"""Read TensorZero's tables: inferences, the model calls they made, and the feedback on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, ClassVar

from overproof.core.protocols import Part, Parts
from overproof.core.types import FROM_CACHE, Exchange, Message, Record, SetAside
from overproof.logs import answers, jsonl, rows, turns
from overproof.logs.rows import BadRow, Row

_TOOLS = ("dynamic_tools", "tool_params")


class TensorZeroReader(Record):
    """`ChatInference` and `JsonInference`, completed by `ModelInference` and the feedback tables."""

    name: str = "tensorzero"
    one_per_id: ClassVar[bool] = True
    holds_gold: ClassVar[bool] = True
    fields: ClassVar[str] = (
        "`ChatInference`, `JsonInference`: `id`, `function_name`, `variant_name`, `episode_id`, `input`, "
        "`output`, `output_schema`, `inference_params`, `tool_params`, `dynamic_tools`, `processing_time_ms`, "
        "`timestamp`, `tags`; `ModelInference`: `inference_id`, `system`, `input_messages`, `output`, "
        "`model_name`, `input_tokens`, `output_tokens`, `cost`, `finish_reason`, `response_time_ms`, `cached`; "
        "feedback: `target_id`, `metric_name`, `value`; `DemonstrationFeedback`: `inference_id`, `value`"
    )
    traps: ClassVar[str] = (
        "columns are JSON texts; an inference's `input` holds variables of a template, the prompt as it was sent "
        "stands in `ModelInference` alone and is taken where exactly one belongs to the inference; without it the "
        "model is the variant's name; `target_id` may be an episode: then every inference in it gets the score; a "
        "demonstration is a right answer (`gold`), other feedback becomes metadata `score.NAME`; an inference "
        'all of whose model calls were `cached` has metadata `cache_hit = "true"`'
    )

    def sniff(self, head: Sequence[bytes], path: Path) -> float:  # noqa: ARG002 - the seam's signature
        """Return the share of rows that are of these tables."""
        return jsonl.share(head, lambda row: _is_inference(row) or _key(row) is not None)

    def completes(self, head: Sequence[bytes], path: Path) -> bool:  # noqa: ARG002 - the seam's signature
        """Say whether these are model calls or feedback."""
        return jsonl.share(head, lambda row: _key(row) is not None) > 0.5

    def read(self, stream: IO[bytes], source: str) -> Iterator[Exchange | SetAside]:
        """Yield every inference, or model call, in order."""
        return jsonl.exchanges(
            stream, source, lambda row, place: _model_call(row, place) if _is_model(row) else exchange(row, place)
        )

    def gather(self, stream: IO[bytes], source: str) -> Iterator[Part | SetAside]:
        """Yield model calls and feedback."""
        return jsonl.exchanges(stream, source, _part)

    def join(self, stream: IO[bytes], source: str, parts: Parts) -> Iterator[Exchange | SetAside]:
        """Yield every inference with its model calls and feedback."""
        return jsonl.exchanges(stream, source, lambda row, place: exchange(row, place, parts))

    def left(self, parts: Sequence[Part]) -> Iterator[Exchange | SetAside]:
        """Yield model calls of no inference here as calls of their own, and feedback on nothing here."""
        for part in parts:
            if not part.key.startswith("model:"):
                yield SetAside(source=part.source, reason="feedback on no inference here")
                continue
            try:
                yield _model_call(part.value, part.source)
            except BadRow as why:
                yield SetAside(source=part.source, reason=str(why))


def exchange(row: Row, source: str, parts: Parts | None = None) -> Exchange:
    """Return the call that an inference tells of; raise BadRow for any other row."""
    if not _is_inference(row):
        raise BadRow("not an inference")
    identity, episode = rows.text(row.get("id")) or source, rows.text(row.get("episode_id")) or None
    calls = [part.value for part in parts.take(f"model:{identity}")] if parts else []
    tags = rows.strings(row.get("tags"))
    gold, scores = _feedback(parts, identity, episode)
    single = calls[0] if len(calls) == 1 else {}
    return Exchange(
        id=identity,
        source=source,
        at=rows.when(row.get("timestamp")),
        model=rows.text(single.get("model_name") or row.get("variant_name")) or "",
        answered_by=rows.text(single.get("model_name")) or "",
        messages=_sent(single) or _asked(row.get("input")),
        parameters=_parameters(row),
        answer=_said(row.get("output")),
        finish_reason=rows.text(single.get("finish_reason")),
        user=rows.first("user", tags),
        conversation=rows.first("conversation", tags) or episode,
        metadata=tags | _named(row, ("function_name", "variant_name")) | scores | _cached(calls),
        gold=gold,
        input_tokens=_sum(calls, "input_tokens"),
        output_tokens=_sum(calls, "output_tokens"),
        cost_usd=_total(calls),
        latency_ms=rows.number(row.get("processing_time_ms")),
    )


def _is_inference(row: Row) -> bool:
    return "function_name" in row and "variant_name" in row and "input" in row and "output" in row


def _is_model(row: Row) -> bool:
    return "inference_id" in row and "model_name" in row and ("raw_response" in row or "input_messages" in row)


def _key(row: Row) -> str | None:
    """Return what a row that completes an inference is found by."""
    if _is_model(row):
        return f"model:{rows.text(row['inference_id'])}"
    if "target_id" in row and "value" in row:
        return f"feedback:{rows.text(row['target_id'])}"
    if "inference_id" in row and "value" in row:
        return f"demonstration:{rows.text(row['inference_id'])}"
    return None


def _part(row: Row, place: str) -> Part:
    key = _key(row)
    if key is None:
        raise BadRow("neither a model call nor feedback")
    if key.startswith("model:"):
        return Part(key, place, {name: value for name, value in row.items() if not name.startswith("raw_")})
    value = rows.text(row["value"])
    if value is None:
        raise BadRow("feedback without a value")
    name = rows.text(row.get("metric_name")) or "comment"
    return Part(key, place, value if key.startswith("demonstration:") else (f"score.{name}", value))


def _feedback(parts: Parts | None, identity: str, episode: str | None) -> tuple[str | None, dict[str, str]]:
    if parts is None:
        return None, {}
    scores: dict[str, str] = {}
    for target in (episode, identity):
        scores.update(dict(part.value for part in parts.take(f"feedback:{target}")))
    shown = parts.take(f"demonstration:{identity}")
    return (_said(shown[-1].value) if shown else None), scores


def _model_call(row: Row, source: str) -> Exchange:
    """Return a call of a model that stands by itself."""
    messages = _sent(row)
    if not messages:
        raise BadRow("no messages")
    return Exchange(
        id=rows.text(row.get("id")) or source,
        source=source,
        at=rows.when(row.get("timestamp")),
        model=rows.text(row.get("model_name")) or "",
        answered_by=rows.text(row.get("model_name")) or "",
        messages=messages,
        answer=_said(row.get("output")),
        finish_reason=rows.text(row.get("finish_reason")),
        conversation=rows.text(row.get("inference_id")) or None,
        metadata=_named(row, ("model_provider_name",)) | _cached([row]),
        input_tokens=rows.count(row.get("input_tokens")),
        output_tokens=rows.count(row.get("output_tokens")),
        cost_usd=rows.number(row.get("cost")),
        latency_ms=rows.number(row.get("response_time_ms")),
    )


def _sent(call: Row) -> tuple[Message, ...]:
    """Return the prompt as it was sent to the model, () where that is not known."""
    listed = call.get("input_messages")
    listed = rows.unpacked(listed) if isinstance(listed, str) else listed
    return turns.turns(listed, call.get("system")) if isinstance(listed, list) and listed else ()


def _asked(value: object) -> tuple[Message, ...]:
    """Return an inference's input; variables of a template are written as JSON."""
    given = rows.mapping(value, "input")
    system = given.get("system")
    if isinstance(system, dict) and "type" not in system:
        system = rows.text(system)
        return (Message(role="system", content=system or ""), *turns.turns(given.get("messages")))
    return turns.turns(given.get("messages"), system)


def _said(value: object) -> str:
    """Return an answer: the text of JsonInference's `raw`, or of the content blocks."""
    if isinstance(value, str):
        packed = rows.unpacked(value) if value.lstrip().startswith(("{", "[")) else value
        value = packed if isinstance(packed, dict | list) else value
    if isinstance(value, dict) and ("raw" in value or "parsed" in value):
        return rows.text(value.get("raw")) or rows.text(value.get("parsed")) or ""
    if value is None or value == "":
        raise BadRow("no output")
    if isinstance(value, list):
        turn = turns.sort(value)
        return turns.spoken(turn.text, turn.calls)
    return answers.read(value, loose=True).text


def _parameters(row: Row) -> dict[str, Any]:
    given = rows.mapping(row.get("inference_params"), "inference_params")
    found = {key: value for each in given.values() if isinstance(each, dict) for key, value in each.items()}
    schema = rows.mapping(row.get("output_schema"), "output_schema")
    if schema:
        found["response_format"] = {"type": "json_schema", "json_schema": {"schema": schema}}
    tools = row.get("dynamic_tools") or _legacy(row.get("tool_params"))
    tools = rows.unpacked(tools) if isinstance(tools, str) else tools
    if isinstance(tools, list) and tools:
        found["tools"] = turns.tools(tools)
    if row.get("tool_choice"):
        found["tool_choice"] = row["tool_choice"]
    return dict(rows.shallow({key: value for key, value in found.items() if value is not None}))


def _legacy(value: object) -> object:
    given = rows.unpacked(value) if isinstance(value, str) else value
    return given.get("tools_available") if isinstance(given, dict) else None


def _named(row: Row, names: Sequence[str]) -> dict[str, str]:
    return {name: text for name in names if (text := rows.text(row.get(name)))}


def _cached(calls: Sequence[Row]) -> dict[str, str]:
    """Return what marks an answer of the gateway's cache: that of an inference all of whose calls were."""
    return FROM_CACHE if calls and all(rows.text(call.get("cached")) == "true" for call in calls) else {}


def _sum(calls: Sequence[Row], name: str) -> int | None:
    found = [count for call in calls if (count := rows.count(call.get(name))) is not None]
    return sum(found) if found else None


def _total(calls: Sequence[Row]) -> float | None:
    found = [cost for call in calls if (cost := rows.number(call.get("cost"))) is not None]
    return sum(found) if found else None
