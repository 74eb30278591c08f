"""Put streamed answers together: chunks of the chat API, events of Anthropic, Converse and the Responses API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from overproof.logs import rows
from overproof.logs.rows import Row

_CONVERSE = ("messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop")
_TEXTS = ("generation", "completion", "outputText")


def events(text: str) -> list[Any]:
    """Return the JSON that server-sent events carry, in order; what is no JSON ([DONE]) is left out."""
    found = [rows.unpacked(line[5:].strip()) for line in text.splitlines() if line.startswith("data:")]
    return [each for each in found if isinstance(each, dict)]


def assembled(chunks: Sequence[Any]) -> Row | None:
    """Return the response that streamed `chunks` make together; None when they are no stream."""
    found = [each for each in chunks if isinstance(each, dict)]
    if not found or len(found) < len(chunks):
        return None
    join = _way(found)
    return None if join is None else join(found)


def _way(found: Sequence[Row]) -> Callable[[Sequence[Row]], Row] | None:
    """Tell by its events how a stream is put together."""
    kinds = {each.get("type") for each in found if isinstance(each.get("type"), str)}
    if any(_deltas(each) for each in found):
        return _chat
    if kinds & {"message_start", "content_block_delta", "content_block_start"}:
        return _anthropic
    if any(str(kind).startswith("response.") for kind in kinds) and _finals(found):
        return lambda found: _finals(found)[-1]
    if any(isinstance(each.get(key), dict) for each in found for key in _CONVERSE):
        return _converse
    if all(any(isinstance(each.get(key), str) for key in _TEXTS) for each in found):
        return _texts
    return None


def _finals(found: Sequence[Row]) -> list[Row]:
    """Return the whole responses that events of the Responses API carry."""
    return [each["response"] for each in found if isinstance(each.get("response"), dict)]


def _deltas(chunk: Row) -> list[Row]:
    choices = chunk.get("choices")
    first = [each for each in choices if isinstance(each, dict)] if isinstance(choices, list) else []
    return [each for each in first if isinstance(each.get("delta"), dict)]


def _chat(chunks: Sequence[Row]) -> Row:
    """Join chat.completion.chunk: the first choice; finish reason and usage stand in the last ones."""
    whole: Row = {}
    message: Row = {"role": "assistant", "content": ""}
    calls: dict[object, Row] = {}
    finish = None
    for chunk in chunks:
        whole.update({key: value for key, value in chunk.items() if key not in ("choices", "object") and value})
        for choice in _deltas(chunk):
            if choice.get("index") not in (0, None):
                continue
            delta = choice["delta"]
            finish = choice.get("finish_reason") or finish
            for key in ("content", "refusal"):
                if isinstance(delta.get(key), str):
                    message[key] = message.get(key, "") + delta[key]
            for place, call in enumerate(delta.get("tool_calls") or () if _is_list(delta.get("tool_calls")) else ()):
                _add_call(calls, place, call)
    if calls:
        message["tool_calls"] = list(calls.values())
    return {**whole, "choices": [{"index": 0, "message": message, "finish_reason": finish}]}


def _add_call(calls: dict[object, Row], place: int, call: object) -> None:
    if not isinstance(call, dict):
        return
    key = call["index"] if isinstance(call.get("index"), int) else place
    known = calls.setdefault(key, {"type": "function", "function": {"name": "", "arguments": ""}})
    if call.get("id"):
        known["id"] = call["id"]
    said = call.get("function")
    for name in ("name", "arguments"):
        if isinstance(said, dict) and isinstance(said.get(name), str):
            known["function"][name] += said[name]


def _anthropic(found: Sequence[Row]) -> Row:
    """Join message_start, content_block_*, message_delta."""
    whole: Row = {"role": "assistant", "content": []}
    blocks: dict[object, Row] = {}
    usage: Row = {}
    for event in found:
        start, delta = event.get("message"), event.get("delta")
        if event.get("type") == "message_start" and isinstance(start, dict):
            whole.update({key: value for key, value in start.items() if key not in ("content", "usage")})
        for told in (start if isinstance(start, dict) else {}, event):
            usage.update(told["usage"] if isinstance(told.get("usage"), dict) else {})
        if isinstance(event.get("content_block"), dict):
            blocks[_place(event)] = {"type": "text", "text": "", **event["content_block"]}
        if isinstance(delta, dict) and event.get("type") == "content_block_delta":
            _add_delta(blocks.setdefault(_place(event), {"type": "text", "text": ""}), delta)
        if isinstance(delta, dict) and delta.get("stop_reason"):
            whole["stop_reason"] = delta["stop_reason"]
        usage |= _metrics(event)
    whole["content"] = [_parsed(block) for block in blocks.values()]
    return {**whole, "usage": usage}


def _place(event: Row) -> object:
    for key in ("index", "contentBlockIndex"):
        if isinstance(event.get(key), int | str):
            return event[key]
    return 0


def _add_delta(block: Row, delta: Row) -> None:
    for key, name in (("text", "text"), ("partial_json", "_json"), ("thinking", "thinking")):
        if isinstance(delta.get(key), str):
            block[name] = (block.get(name) if isinstance(block.get(name), str) else "") + delta[key]


def _parsed(block: Row) -> Row:
    packed = block.pop("_json", None)
    return block if packed is None else {**block, "input": packed}


def _converse(found: Sequence[Row]) -> Row:
    """Join messageStart, contentBlock*, messageStop, metadata."""
    blocks: dict[object, Row] = {}
    whole: Row = {}
    for event in found:
        started, delta = event.get("contentBlockStart"), event.get("contentBlockDelta")
        if isinstance(started, dict) and isinstance(started.get("start"), dict):
            tool = started["start"].get("toolUse")
            if isinstance(tool, dict):
                blocks[_place(started)] = {"toolUse": {**tool, "input": ""}}
        if isinstance(delta, dict) and isinstance(delta.get("delta"), dict):
            _add_converse(blocks, _place(delta), delta["delta"])
        if isinstance(event.get("messageStop"), dict):
            whole["stopReason"] = event["messageStop"].get("stopReason")
        if isinstance(event.get("metadata"), dict):
            whole |= {key: event["metadata"][key] for key in ("usage", "metrics") if key in event["metadata"]}
        if metrics := _metrics(event):
            whole["usage"] = metrics | (whole.get("usage") or {})
    return {**whole, "output": {"message": {"role": "assistant", "content": list(blocks.values())}}}


def _add_converse(blocks: dict[object, Row], place: object, delta: Row) -> None:
    tool = delta.get("toolUse")
    if isinstance(tool, dict) and isinstance(tool.get("input"), str):
        known = blocks.setdefault(place, {"toolUse": {"name": "", "input": ""}})
        if "toolUse" in known:
            known["toolUse"]["input"] += tool["input"]
    elif isinstance(delta.get("text"), str):
        known = blocks.setdefault(place, {"text": ""})
        known["text"] = known.get("text", "") + delta["text"]


def _texts(found: Sequence[Row]) -> Row:
    """Join bodies of one text each: Llama, Titan, Claude's older completions."""
    key = next(key for key in _TEXTS if isinstance(found[0].get(key), str))
    whole: Row = {}
    for each in found:
        whole.update({name: value for name, value in each.items() if value is not None})
        whole["usage"] = whole.get("usage", {}) | _metrics(each)
    whole[key] = "".join(each[key] for each in found if isinstance(each.get(key), str))
    return whole


def _metrics(event: Row) -> Row:
    """Return the token counts Bedrock adds to a stream's last event."""
    told = event.get("amazon-bedrock-invocationMetrics")
    if not isinstance(told, dict):
        return {}
    named = {"inputTokens": told.get("inputTokenCount"), "outputTokens": told.get("outputTokenCount")}
    return {key: value for key, value in named.items() if value is not None}


def _is_list(value: object) -> bool:
    return isinstance(value, list)
