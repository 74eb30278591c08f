"""Read Bedrock's model invocation logs: Converse, and InvokeModel with the bodies of each vendor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, ClassVar

from overproof.core.types import Exchange, Message, Record, SetAside
from overproof.logs import answers, jsonl, openai, rows, turns
from overproof.logs.rows import BadRow, Row

NAMES = {
    "maxTokens": "max_tokens",
    "max_new_tokens": "max_tokens",
    "maxTokenCount": "max_tokens",
    "max_gen_len": "max_tokens",
    "max_tokens_to_sample": "max_tokens",
    "topP": "top_p",
    "topK": "top_k",
    "stopSequences": "stop",
    "stop_sequences": "stop",
}
"""What vendors call the parameters of a request."""
_OWN = frozenset(
    {
        *("messages", "system", "prompt", "inputText", "message", "anthropic_version", "schemaVersion", "modelId"),
        *("inferenceConfig", "textGenerationConfig", "toolConfig", "tools", "additionalModelRequestFields"),
        *("guardrailConfig", "performanceConfig", "requestMetadata", "additionalModelResponseFieldPaths", "input"),
    }
)


class BedrockReader(Record):
    """One record a call, as CloudWatch and S3 receive it."""

    name: str = "bedrock"
    one_per_id: ClassVar[bool] = True
    fields: ClassVar[str] = (
        "`schemaType` (`ModelInvocationLog`), `timestamp`, `requestId`, `operation`, `modelId`, `errorCode`, "
        "`requestMetadata`, `identity.arn`, `region`, `input.{inputBodyJson, inputTokenCount}`, "
        "`output.{outputBodyJson, outputTokenCount}`; bodies of Converse, and of InvokeModel for Anthropic, Nova, "
        "Llama, Titan, Mistral and Cohere"
    )
    traps: ClassVar[str] = (
        "a stream's `outputBodyJson` is a list of events, put together here; bodies above 100 KB lie elsewhere "
        "(`inputBodyS3Path`, `outputBodyS3Path`): such rows are set aside; `modelId` may be an ARN, of which the "
        "last part counts; token counts leave out what came from the provider's prompt cache; the older bodies "
        "hold one text with the vendor's own markers in it, kept as it is; embeddings are set aside"
    )

    def sniff(self, head: Sequence[bytes], path: Path) -> float:  # noqa: ARG002 - the seam's signature
        """Return the share of rows that are invocation logs."""
        return jsonl.share(head, lambda row: _fits(_unwrapped(row)))

    def read(self, stream: IO[bytes], source: str) -> Iterator[Exchange | SetAside]:
        """Yield every row in order."""
        return jsonl.exchanges(stream, source, exchange)


def exchange(row: Row, source: str) -> Exchange:
    """Return the call that `row` tells of; raise BadRow when its body or its outcome is not there."""
    row = _unwrapped(row)
    if not _fits(row):
        raise BadRow("not an invocation log")
    given, out = rows.mapping(row.get("input"), "input"), rows.mapping(row.get("output"), "output")
    failure = rows.text(row.get("errorCode")) or None
    body = _body(given, "inputBody")
    request = rows.mapping(body, "inputBodyJson")
    answer = None if failure else answers.read(_body(out, "outputBody"))
    inputs, outputs = rows.count(given.get("inputTokenCount")), rows.count(out.get("outputTokenCount"))
    about = rows.strings(row.get("requestMetadata"))
    return Exchange(
        id=rows.text(row.get("requestId")) or source,
        source=source,
        at=rows.when(row.get("timestamp")),
        model=_model(row),
        answered_by=answer.model if answer else "",
        messages=_asked(request),
        parameters=_parameters(request),
        answer=None if answer is None else answer.text,
        finish_reason=None if answer is None else answer.finish,
        status=500 if failure else 200,
        error=failure,
        user=rows.first("user", about),
        conversation=rows.first("conversation", about),
        metadata=about | _metadata(row),
        input_tokens=inputs if inputs is not None or answer is None else answer.input_tokens,
        output_tokens=outputs if outputs is not None or answer is None else answer.output_tokens,
        latency_ms=_latency(out.get("outputBodyJson")),
    )


def _unwrapped(row: Row) -> Row:
    """Return the record inside a CloudWatch event, whose message is its text."""
    inner = row.get("message", row.get("@message"))
    if isinstance(inner, str) and "ModelInvocationLog" in inner:
        inner = rows.unpacked(inner[inner.find("{") :])
    return inner if isinstance(inner, dict) and "modelId" in inner else row


def _fits(row: Row) -> bool:
    return row.get("schemaType") == "ModelInvocationLog" or (
        "modelId" in row and "requestId" in row and ("input" in row or "errorCode" in row)
    )


def _body(held: Row, name: str) -> object:
    body = held.get(f"{name}Json")
    if isinstance(body, str):
        body = rows.unpacked(body)
    if body is None and (path := rows.text(held.get(f"{name}S3Path"))):
        raise BadRow(f"its body lies elsewhere: {path}")
    if body is None:
        raise BadRow("no request" if name.startswith("input") else "no response")
    return body


def _asked(request: Row) -> tuple[Message, ...]:
    if request.get("messages"):
        return turns.turns(request["messages"], request.get("system"))
    for name in ("prompt", "inputText", "message"):
        if isinstance(request.get(name), str) and request[name]:
            return (Message(role="user", content=request[name]),)
    raise BadRow("no messages")


def _parameters(request: Row) -> dict[str, Any]:
    given = {key: value for key, value in request.items() if key not in _OWN and key not in openai.NOT_PARAMETERS}
    for name in ("additionalModelRequestFields", "inferenceConfig", "textGenerationConfig"):
        given |= rows.mapping(request.get(name), name)
    found = {NAMES.get(key, key): value for key, value in given.items() if value is not None}
    config = rows.mapping(request.get("toolConfig"), "toolConfig")
    if tools := config.get("tools") or request.get("tools"):
        found["tools"] = turns.tools(tools)
    if config.get("toolChoice"):
        found["tool_choice"] = config["toolChoice"]
    return dict(rows.shallow(found))


def _model(row: Row) -> str:
    return (rows.text(row.get("modelId")) or "").rpartition("/")[2]


def _metadata(row: Row) -> dict[str, str]:
    identity = rows.mapping(row.get("identity"), "identity")
    named = {
        "operation": row.get("operation"),
        "region": row.get("region"),
        "identity": identity.get("arn"),
    }
    return {key: text for key, value in named.items() if (text := rows.text(value))}


def _latency(body: object) -> float | None:
    """Return how long the call took, where the body says so: in Converse's metrics, or at the end of a stream."""
    for event in reversed(body) if isinstance(body, list) else [body]:
        if not isinstance(event, dict):
            continue
        inner = event.get("metadata") if isinstance(event.get("metadata"), dict) else event
        for place, name in (("metrics", "latencyMs"), ("amazon-bedrock-invocationMetrics", "invocationLatency")):
            told = inner.get(place, event.get(place)) if isinstance(inner, dict) else None
            if isinstance(told, dict) and (found := rows.number(told.get(name))) is not None:
                return found
    return None
