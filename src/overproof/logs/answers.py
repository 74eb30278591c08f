"""What came back, in every dialect that logs hold: a response told apart by its shape, its answer as one text."""

from __future__ import annotations

from typing import Any, NamedTuple

from overproof.logs import rows, streams, turns
from overproof.logs.rows import BadRow, Row

_INPUT = ("prompt_tokens", "input_tokens", "inputTokens", "prompt_token_count", "promptTokenCount", "input")
_OUTPUT = (
    *("completion_tokens", "output_tokens", "outputTokens", "completion_token_count", "candidatesTokenCount"),
    *("generation_token_count", "output"),
)
_FINISH = ("finish_reason", "stop_reason", "stopReason", "finishReason", "completionReason")
_TEXTS = ("generation", "completion", "outputText", "text", "answer")


class Answer(NamedTuple):
    """An answer with what its response says about itself."""

    text: str
    finish: str | None = None
    id: str | None = None
    model: str = ""
    created: object = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None


def read(value: object, *, loose: bool = False) -> Answer:
    """Return the answer that a response holds; raise BadRow where its shape is not known.

    With `loose`, any JSON that is no response is the answer itself: what an application said, it may have said as JSON.
    """
    if isinstance(value, str):
        return _of_text(value)
    whole = _listed(value) if isinstance(value, list) else value
    if isinstance(whole, str):
        return Answer(whole)
    take = next((take for fits, take in _SHAPES if fits(whole)), None) if isinstance(whole, dict) else None
    if take is not None and isinstance(whole, dict):
        return take(whole)
    if loose and value is not None:
        return Answer(rows.text(value) or "")
    raise BadRow("a response in no shape known here" if value else "no response")


def _of_text(value: str) -> Answer:
    """Return the answer of a response that was logged as its text; a text that is no response is the answer."""
    packed = _packed(value)
    if packed is None:
        return Answer(value)
    try:
        return read(packed)
    except BadRow:
        return Answer(value)


def tokens(usage: object) -> tuple[int | None, int | None]:
    """Return tokens in and out, by any provider's names."""
    if not isinstance(usage, dict):
        return None, None
    return rows.count(_first(usage, _INPUT)), rows.count(_first(usage, _OUTPUT))


def _packed(value: str) -> object:
    """Return the response that a text holds: JSON, or server-sent events; None for a text that is only that."""
    bare = value.lstrip()
    if bare.startswith("data:"):
        return streams.events(bare)
    if not bare.startswith(("{", "[")):
        return None
    found = rows.unpacked(value)
    return found if isinstance(found, dict | list) else None


def _listed(value: list[Any]) -> object:
    """Return one response for a list: chunks of a stream put together, the last turn of several, or parts."""
    whole = streams.assembled(value)
    if whole is not None:
        return whole
    if not value:
        return None
    if all(isinstance(each, str) for each in value):
        return value[0]
    if not all(isinstance(each, dict) for each in value):
        return None
    if all("role" in each or "message" in each for each in value):
        return value[-1]
    return {"role": "assistant", "content": value} if all("type" in each or "text" in each for each in value) else None


def _about(value: Row, finish: object = None) -> dict[str, Any]:
    usage = value.get("usage") or value.get("usageMetadata") or {}
    found_in, found_out = tokens(usage)
    return {
        "finish": rows.text(finish if finish is not None else _first(value, _FINISH)),
        "id": rows.text(value.get("id")),
        "model": rows.text(value.get("model")) or "",
        "created": value.get("created", value.get("created_at")),
        "input_tokens": found_in,
        "output_tokens": found_out,
        "cost": rows.number(usage.get("cost")) if isinstance(usage, dict) else None,
    }


def _spoken(raw: object) -> str:
    """Return what a message says, tool calls included."""
    if isinstance(raw, str):
        return raw
    if not isinstance(raw, dict):
        raise BadRow("a choice without a message")
    turn = turns.sort(raw["parts"] if raw.get("content") is None and "parts" in raw else raw.get("content"))
    called = raw.get("tool_calls")
    if isinstance(called, str):
        called = rows.unpacked(called)
    turn.calls += [turns.tool_call(each) for each in called or ()] if isinstance(called, list) else []
    if isinstance(raw.get("function_call"), dict):
        turn.calls.append(turns.tool_call(raw["function_call"]))
    refusal = raw.get("refusal")
    return turns.spoken(turn.text or (refusal if isinstance(refusal, str) else ""), turn.calls)


def _choices(value: Row) -> Answer:
    choices = value["choices"]
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise BadRow("a response without choices")
    choice = choices[0]
    said = choice.get("message", choice.get("text"))
    return Answer(_spoken(said), **_about(value, choice.get("finish_reason", choice.get("stop_reason"))))


def _responses_api(value: Row) -> Answer:
    turn = turns.Turn()
    for item in value["output"]:
        if isinstance(item, dict) and item.get("type") == "message":
            turn.texts += turns.sort(item.get("content")).texts
        else:
            turn.calls += turns.sort([item]).calls
    reason = value.get("incomplete_details")
    finish = reason.get("reason") if isinstance(reason, dict) and reason.get("reason") else value.get("status")
    return Answer(turns.spoken(turn.text, turn.calls), **_about(value, finish))


def _converse(value: Row) -> Answer:
    return Answer(_spoken(value["output"]["message"]), **_about(value))


def _message(value: Row) -> Answer:
    return Answer(_spoken(value), **_about(value))


def _wrapped(value: Row) -> Answer:
    return Answer(_spoken(value["message"]), **_about(value))


def _gemini(value: Row) -> Answer:
    candidate = _of(value["candidates"])
    return Answer(_spoken(candidate.get("content")), **_about(value, candidate.get("finishReason")))


def _plain(value: Row) -> Answer:
    """Bodies of one text: Llama's, Claude's older ones, and what Titan, Cohere and Mistral list."""
    listed = next((value[key] for key in ("results", "outputs", "generations") if key in value), None)
    inner = value if listed is None else _of(listed)
    said = next((inner[key] for key in _TEXTS if isinstance(inner.get(key), str)), None)
    if said is None:
        raise BadRow("a response in no shape known here")
    found = _about(value, _first(inner, _FINISH))
    found["input_tokens"] = found["input_tokens"] or rows.count(value.get("inputTextTokenCount"))
    found["output_tokens"] = found["output_tokens"] or rows.count(inner.get("tokenCount"))
    if "prompt_token_count" in value:
        found["input_tokens"], found["output_tokens"] = tokens(value)
    return Answer(said, **found)


def _of(listed: object) -> Row:
    if not isinstance(listed, list) or not listed or not isinstance(listed[0], dict):
        raise BadRow("a response without choices")
    return listed[0]


def _first(value: Row, names: tuple[str, ...]) -> Any:  # noqa: ANN401 - a field may hold anything
    return next((value[name] for name in names if value.get(name) is not None), None)


def _is_converse(value: Row) -> bool:
    return isinstance(value.get("output"), dict) and isinstance(value["output"].get("message"), dict)


_SHAPES = (
    (lambda value: "choices" in value, _choices),
    (_is_converse, _converse),
    (lambda value: isinstance(value.get("output"), list), _responses_api),
    (lambda value: "candidates" in value, _gemini),
    (lambda value: isinstance(value.get("message"), dict) and "role" in value["message"], _wrapped),
    (lambda value: "role" in value and ("content" in value or "parts" in value or "tool_calls" in value), _message),
    (lambda value: isinstance(value.get("tool_calls"), list) and bool(value["tool_calls"]), _message),
    (lambda value: isinstance(value.get("content"), list | str) and set(value) <= {"content", "type"}, _message),
    (lambda value: any(key in value for key in ("results", "outputs", "generations")), _plain),
    (lambda value: any(isinstance(value.get(key), str) for key in ("generation", "completion", "outputText")), _plain),
)
"""How a response is told apart, and how it is read; the first that fits counts."""
