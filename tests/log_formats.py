"""Write calls in the shape of every format, to be read back: what a team's own exporter would write."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

Row = dict[str, Any]
Files = dict[str, list[Row]]


@dataclass(frozen=True)
class Call:
    """A call of a model, as plain as every format can hold it."""

    system: str
    asked: str
    answer: str
    at: datetime
    tokens: tuple[int, int]
    finish: str

    @property
    def turns(self) -> list[tuple[str, str]]:
        """Roles and texts of what was asked."""
        return ([("system", self.system)] if self.system else []) + [("user", self.asked)]

    @property
    def messages(self) -> list[Row]:
        """What was asked, for the chat API."""
        return [{"role": role, "content": text} for role, text in self.turns]

    @property
    def seconds(self) -> int:
        """When, in seconds since 1970."""
        return int(self.at.timestamp())

    @property
    def iso(self) -> str:
        """When, as ISO 8601."""
        return self.at.isoformat()

    def response(self, name: str) -> Row:
        """What came back, from the chat API."""
        return {
            "id": name,
            "object": "chat.completion",
            "created": self.seconds,
            "model": "big-1",
            "choices": [{"message": {"role": "assistant", "content": self.answer}, "finish_reason": self.finish}],
            "usage": {"prompt_tokens": self.tokens[0], "completion_tokens": self.tokens[1]},
        }


WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(
    lambda text: text.strip() and not text.lstrip().startswith(("{", "[", "data:"))
)
"""Any text that is not itself JSON: those formats that log messages as text cannot tell."""
CALLS = st.lists(
    st.builds(
        Call,
        system=st.just("") | WORDS,
        asked=WORDS,
        answer=WORDS,
        at=st.integers(1_577_836_800, 1_893_456_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
        tokens=st.tuples(st.integers(0, 9999), st.integers(0, 9999)),
        finish=st.sampled_from(["stop", "length"]),
    ),
    min_size=1,
    max_size=4,
)


def _openai(calls: Sequence[Call]) -> Files:
    rows = [
        {"id": f"r{i}", "timestamp": call.iso, "request": {"model": "big", "messages": call.messages}}
        | {"response": call.response(f"c{i}")}
        for i, call in enumerate(calls)
    ]
    return {"log.jsonl": rows}


def _chunks(calls: Sequence[Call]) -> Files:
    """The same, its answers streamed letter by letter."""
    files = _openai(calls)
    for row, call in zip(files["log.jsonl"], calls, strict=True):
        deltas: list[Row] = [{"role": "assistant"}, *({"content": letter} for letter in call.answer)]
        about = {"object": "chat.completion.chunk", "model": "big-1", "created": call.seconds}
        chunks: list[Row] = [about | {"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
        chunks.append(about | {"choices": [{"index": 0, "delta": {}, "finish_reason": call.finish}]})
        chunks.append(about | {"choices": [], "usage": row["response"]["usage"]})
        row["response"] = chunks
    return files


def _batch(calls: Sequence[Call]) -> Files:
    url = {"method": "POST", "url": "/v1/chat/completions"}
    asked = [
        {"custom_id": f"r{i}", **url, "body": {"model": "big", "messages": call.messages}}
        for i, call in enumerate(calls)
    ]
    answered = [
        {
            "id": f"b{i}",
            "custom_id": f"r{i}",
            "response": {"status_code": 200, "body": call.response(f"c{i}")},
            "error": None,
        }
        for i, call in enumerate(calls)
    ]
    return {"in.jsonl": asked, "out.jsonl": answered[::-1]}


def _stored(calls: Sequence[Call]) -> Files:
    names = [f"chatcmpl-{i}" for i in range(len(calls))]
    turns = [
        {"id": f"{name}-{j}", **turn}
        for name, call in zip(names, calls, strict=True)
        for j, turn in enumerate(call.messages)
    ]
    said = [call.response(name) | {"model": "big"} for name, call in zip(names, calls, strict=True)]
    return {"completions.jsonl": said, "messages.jsonl": turns[::-1]}


def _spend(calls: Sequence[Call]) -> Files:
    return {
        "spend.jsonl": [
            {
                "request_id": f"r{i}",
                "call_type": "acompletion",
                "spend": 0.01,
                "startTime": call.iso,
                "endTime": call.iso,
                "model": "openai/big",
                "model_group": "big",
                "cache_hit": "False",
                "messages": {},
                "proxy_server_request": json.dumps({"model": "big", "messages": call.messages}),
                "response": json.dumps(call.response(f"c{i}")),
                "prompt_tokens": call.tokens[0],
                "completion_tokens": call.tokens[1],
                "status": "success",
                "metadata": {},
            }
            for i, call in enumerate(calls)
        ]
    }


def _payload(calls: Sequence[Call]) -> Files:
    return {
        "payload.jsonl": [
            {
                "id": f"r{i}",
                "call_type": "completion",
                "response_cost": 0.01,
                "startTime": float(call.seconds),
                "endTime": call.seconds + 0.5,
                "model": "big",
                "messages": call.messages,
                "response": call.response(f"c{i}"),
                "model_parameters": {"temperature": 0},
                "status": "success",
            }
            for i, call in enumerate(calls)
        ]
    }


def _langfuse(calls: Sequence[Call]) -> Files:
    return {
        "observations.jsonl": [
            {
                "id": f"o{i}",
                "trace_id": f"t{i}",
                "type": "GENERATION",
                "start_time": call.at.strftime("%Y-%m-%d %H:%M:%S.%f"),
                "end_time": None,
                "input": json.dumps(call.messages),
                "output": json.dumps({"role": "assistant", "content": call.answer}),
                "provided_model_name": "big",
                "usage_details": {"input": call.tokens[0], "output": call.tokens[1]},
            }
            for i, call in enumerate(calls)
        ]
    }


def _camel(calls: Sequence[Call]) -> Files:
    """The same from the API, texts not packed."""
    rows = [
        {
            "id": f"o{i}",
            "traceId": f"t{i}",
            "type": "GENERATION",
            "startTime": call.iso,
            "input": call.messages,
            "output": call.answer,
            "model": "big",
            "usage": {"input": call.tokens[0], "output": call.tokens[1]},
        }
        for i, call in enumerate(calls)
    ]
    return {"api.jsonl": rows}


def any_value(value: object) -> Row:
    """Return JSON as OTLP's AnyValue."""
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_value(each) for each in value]}}
    assert isinstance(value, dict)
    return {"kvlistValue": {"values": [{"key": key, "value": any_value(item)} for key, item in value.items()]}}


def _attributes(held: Row) -> list[Row]:
    return [{"key": key, "value": any_value(value)} for key, value in held.items()]


def _span(i: int, call: Call, held: Row) -> Row:
    about = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "big",
        "gen_ai.usage.input_tokens": call.tokens[0],
        "gen_ai.usage.output_tokens": call.tokens[1],
        "gen_ai.response.finish_reasons": [call.finish],
    }
    return {
        "traceId": f"t{i}",
        "spanId": f"s{i}",
        "name": "chat big",
        "startTimeUnixNano": str(call.seconds * 10**9),
        "endTimeUnixNano": str(call.seconds * 10**9),
        "attributes": _attributes(about | held),
        "status": {},
    }


def _parts(turns: list[tuple[str, str]]) -> list[Row]:
    return [{"role": role, "parts": [{"type": "text", "content": text}]} for role, text in turns]


def _enveloped(spans: list[Row]) -> Row:
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": spans}]}]}


def _otlp(calls: Sequence[Call]) -> Files:
    """All spans of a log on one line, messages as structure."""
    spans = [
        _span(
            i,
            call,
            {
                "gen_ai.input.messages": _parts(call.turns),
                "gen_ai.output.messages": _parts([("assistant", call.answer)]),
            },
        )
        for i, call in enumerate(calls)
    ]
    return {"traces.jsonl": [_enveloped(spans)]}


def _flat(calls: Sequence[Call]) -> Files:
    """One span a line, messages as JSON texts, the system prompt apart."""
    rows = []
    for i, call in enumerate(calls):
        held = {
            "gen_ai.request.model": "big",
            "gen_ai.input.messages": json.dumps(_parts([("user", call.asked)])),
            "gen_ai.output.messages": json.dumps(_parts([("assistant", call.answer)])),
            "gen_ai.response.finish_reasons": [call.finish],
            "gen_ai.usage.input_tokens": call.tokens[0],
            "gen_ai.usage.output_tokens": call.tokens[1],
        }
        if call.system:
            held["gen_ai.system_instructions"] = json.dumps([{"type": "text", "content": call.system}])
        context = {"trace_id": f"0xt{i}", "span_id": f"0xs{i}"}
        rows.append({"name": "chat", "context": context, "start_time": call.iso, "attributes": held, "events": []})
    return {"spans.jsonl": rows}


def _events(calls: Sequence[Call]) -> Files:
    """Spans, and what was said in log records of another file."""
    records = []
    for i, call in enumerate(calls):
        told = [(f"gen_ai.{role}.message", {"content": text}) for role, text in call.turns]
        choice = {"index": 0, "finish_reason": call.finish, "message": {"role": "assistant", "content": call.answer}}
        for name, body in [*told, ("gen_ai.choice", choice)]:
            records.append(
                {"eventName": name, "body": any_value(body), "attributes": [], "traceId": f"t{i}", "spanId": f"s{i}"}
            )
    logs = {"resourceLogs": [{"resource": {}, "scopeLogs": [{"logRecords": records}]}]}
    spans = [_span(i, call, {"gen_ai.system": "openai"}) for i, call in enumerate(calls)]
    return {"logs.jsonl": [logs], "traces.jsonl": [_enveloped([span]) for span in spans]}


def _openllmetry(calls: Sequence[Call]) -> Files:
    rows = []
    for i, call in enumerate(calls):
        held: Row = {"gen_ai.request.model": "big", "gen_ai.completion.0.role": "assistant"}
        for j, (role, text) in enumerate(call.turns):
            held |= {f"gen_ai.prompt.{j}.role": role, f"gen_ai.prompt.{j}.content": text}
        held |= {"gen_ai.completion.0.content": call.answer, "gen_ai.completion.0.finish_reason": call.finish}
        held |= {"gen_ai.usage.prompt_tokens": call.tokens[0], "gen_ai.usage.completion_tokens": call.tokens[1]}
        rows.append({"name": "c", "spanId": f"s{i}", "traceId": f"t{i}", "startTime": call.iso, "attributes": held})
    return {"spans.jsonl": rows}


def _openinference(calls: Sequence[Call]) -> Files:
    rows = []
    for i, call in enumerate(calls):
        held: Row = {"openinference.span.kind": "LLM", "llm.model_name": "big", "llm.finish_reason": call.finish}
        for j, (role, text) in enumerate(call.turns):
            held |= {f"llm.input_messages.{j}.message.role": role, f"llm.input_messages.{j}.message.content": text}
        held |= {"llm.output_messages.0.message.role": "assistant"}
        held |= {"llm.output_messages.0.message.content": call.answer}
        held |= {"llm.token_count.prompt": call.tokens[0], "llm.token_count.completion": call.tokens[1]}
        rows.append({"name": "c", "span_id": f"s{i}", "trace_id": f"t{i}", "start_time": call.iso, "attributes": held})
    return {"spans.jsonl": rows}


def _bedrock(calls: Sequence[Call]) -> Files:
    rows = []
    for i, call in enumerate(calls):
        asked: Row = {"messages": [{"role": "user", "content": [{"text": call.asked}]}]}
        if call.system:
            asked["system"] = [{"text": call.system}]
        said = {
            "output": {"message": {"role": "assistant", "content": [{"text": call.answer}]}},
            "stopReason": call.finish,
        }
        rows.append(
            {
                "schemaType": "ModelInvocationLog",
                "timestamp": call.iso,
                "requestId": f"r{i}",
                "operation": "Converse",
                "modelId": "big",
                "input": {"inputBodyJson": asked, "inputTokenCount": call.tokens[0]},
                "output": {"outputBodyJson": said, "outputTokenCount": call.tokens[1]},
            }
        )
    return {"log.jsonl": rows}


def _tensorzero(calls: Sequence[Call]) -> Files:
    asked, sent = [], []
    for i, call in enumerate(calls):
        said = json.dumps([{"type": "text", "text": call.answer}])
        given = json.dumps({"messages": [{"role": "user", "content": [{"type": "text", "text": call.asked}]}]})
        at = call.at.strftime("%Y-%m-%d %H:%M:%S")
        about = {"function_name": "f", "variant_name": "v", "episode_id": f"e{i}", "timestamp": at}
        asked.append({"id": f"i{i}", **about, "input": given, "output": said, "tags": {}})
        sent.append(
            {
                "id": f"m{i}",
                "inference_id": f"i{i}",
                "raw_response": "",
                "model_name": "big",
                "system": call.system or None,
                "input_messages": [{"role": "user", "content": [{"type": "text", "text": call.asked}]}],
                "output": said,
                "finish_reason": call.finish,
                "input_tokens": call.tokens[0],
                "output_tokens": call.tokens[1],
            }
        )
    return {"ChatInference.jsonl": asked, "ModelInference.jsonl": sent}


def _flywheel(calls: Sequence[Call]) -> Files:
    rows = []
    for i, call in enumerate(calls):
        bodies = {"request": {"model": "big", "messages": call.messages}, "response": call.response(f"c{i}")}
        source = {"timestamp": call.seconds, "workload_id": "w", "client_id": "c", **bodies}
        rows.append({"_index": "flywheel", "_id": f"d{i}", "_source": source})
    return {"dump.jsonl": rows}


WRITERS: dict[str, tuple[str, Callable[[Sequence[Call]], Files]]] = {
    "OpenAI pairs": ("openai", _openai),
    "OpenAI pairs, streamed": ("openai", _chunks),
    "OpenAI batch": ("openai_batch", _batch),
    "stored completions": ("openai_stored", _stored),
    "LiteLLM spend logs": ("litellm", _spend),
    "LiteLLM payload": ("litellm", _payload),
    "Langfuse blob": ("langfuse", _langfuse),
    "Langfuse API": ("langfuse", _camel),
    "OTLP": ("otel", _otlp),
    "OTel, flat": ("otel", _flat),
    "OTel, log records": ("otel", _events),
    "OpenLLMetry": ("otel", _openllmetry),
    "OpenInference": ("openinference", _openinference),
    "Bedrock": ("bedrock", _bedrock),
    "TensorZero": ("tensorzero", _tensorzero),
    "flywheel": ("flywheel", _flywheel),
}
"""Name of the format that must be recognised, and what writes it."""
