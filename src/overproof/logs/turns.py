"""The turns of a conversation in every dialect that logs hold: parts, tool calls, system prompts in either place.

What comes out speaks the OpenAI dialect: tool calls stand in `extra["tool_calls"]`, their results are turns of role
`tool`. Parts that are no text (pictures, files) are kept as they were in `extra["content"]`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from overproof.core.chance import canonical
from overproof.core.types import Message
from overproof.logs import rows
from overproof.logs.rows import BadRow

_TEXT = ("text", "content", "value", "refusal")
_TEXT_TYPES = frozenset({"text", "input_text", "output_text", "raw_text", "refusal"})
_CALL_TYPES = frozenset({"tool_use", "tool_call", "function_call", "tool-call", "custom_tool_call"})
_RESULT_TYPES = frozenset({"tool_result", "tool_call_response", "function_call_output", "tool-result"})
_THOUGHTS = frozenset({"reasoning", "thinking", "redacted_thinking", "thought"})
_ROLES = {"human": "user", "ai": "assistant", "model": "assistant", "bot": "assistant"}
_OWN = frozenset({"role", "content", "parts", "tool_calls", "finish_reason", "type", "message"})


@dataclass
class Turn:
    """What the parts of one turn hold, sorted by kind."""

    texts: list[str] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    """Tool calls in the OpenAI shape: id, type, function.name, function.arguments (JSON text)."""
    results: list[tuple[str | None, str]] = field(default_factory=list)
    """Results of tools: id of the call, text."""
    thoughts: list[str] = field(default_factory=list)
    others: list[Any] = field(default_factory=list)
    """Parts of any other kind, as they were."""

    @property
    def text(self) -> str:
        """All texts, joined by newlines."""
        return "\n".join(self.texts)


def turns(value: object, system: object = None) -> tuple[Message, ...]:
    """Return the turns of a conversation, the system prompt first where it is kept apart; raise BadRow without any."""
    before = instructions(system)
    found = _turns(value)
    if not found:
        raise BadRow("no messages")
    return found if found[: len(before)] == before else before + found


def instructions(system: object) -> tuple[Message, ...]:
    """Return a system prompt that is kept apart (a text, parts, or a message) as a turn; () for none."""
    if isinstance(system, str):
        system = _json_of(system)
    if isinstance(system, dict):
        system = system.get("content", [system])
    said = sort(system).text if system else ""
    return (Message(role="system", content=said),) if said else ()


def message(raw: object) -> tuple[Message, ...]:
    """Return the turns one message makes: more than one where it holds results of tools."""
    if isinstance(raw, str):
        return (Message(role="user", content=raw),)
    if not isinstance(raw, dict):
        raise BadRow("a message that is not a JSON object")
    if "role" not in raw and _kind(raw) in _CALL_TYPES | _RESULT_TYPES:  # an item of the Responses API
        return _made("assistant", sort([raw]), {})
    role = raw.get("role", raw.get("type"))
    if not isinstance(role, str) or not role:
        raise BadRow("a message without a role")
    turn = sort(raw["parts"] if raw.get("content") is None and "parts" in raw else raw.get("content"))
    turn.calls += [tool_call(each) for each in _items(raw.get("tool_calls"))]
    rest = {key: item for key, item in raw.items() if key not in _OWN and item is not None}
    return _made(_ROLES.get(role, role), turn, rest)


def sort(content: object) -> Turn:
    """Return the parts of a turn's content, sorted by kind; raise BadRow for what cannot be one."""
    turn = Turn()
    if content is None:
        return turn
    if isinstance(content, str):
        turn.texts.append(content)
        return turn
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        raise BadRow("a content that is neither text nor parts")
    for part in content:
        _sort(part, turn)
    return turn


def tool_call(raw: object) -> dict[str, Any]:
    """Return a tool call in the OpenAI shape, from any dialect's."""
    if not isinstance(raw, dict):
        raise BadRow("a tool call that is not a JSON object")
    function = raw.get("function")
    inner: dict[str, Any] = function if isinstance(function, dict) else raw
    named = next((inner[key] for key in ("name", "raw_name", "toolName") if inner.get(key)), "")
    given = next((inner[key] for key in ("arguments", "raw_arguments", "input", "args") if key in inner), None)
    call = {"type": "function", "function": {"name": rows.text(named) or "", "arguments": rows.text(given) or "{}"}}
    found = next((raw[key] for key in ("call_id", "id", "toolUseId", "toolCallId") if raw.get(key)), None)
    return call if found is None else {"id": rows.text(found), **call}


def spoken(text: str, calls: list[dict[str, Any]]) -> str:
    """Return an answer as one text: what was said, or JSON of it and the tools called, without the calls' own ids."""
    if not calls:
        return text
    named = [
        {"name": each["function"]["name"], "arguments": rows.unpacked(each["function"]["arguments"])} for each in calls
    ]
    return canonical(rows.shallow({"tool_calls": named} | ({"content": text} if text else {}))).decode()


def tools(value: object) -> list[dict[str, Any]]:
    """Return definitions of tools in the OpenAI shape, from any dialect's; what is none is left as it is."""
    if isinstance(value, str):
        value = rows.unpacked(value)
    return [_tool(each) for each in _items(value)]


def _tool(raw: object) -> Any:  # noqa: ANN401 - whatever stood there
    if isinstance(raw, str):
        raw = rows.unpacked(raw)
    if isinstance(raw, dict) and isinstance(raw.get("toolSpec"), dict):
        raw = raw["toolSpec"]
    if not isinstance(raw, dict) or "function" in raw or not raw.get("name"):
        return raw
    schema = next((raw[key] for key in ("parameters", "input_schema", "inputSchema") if key in raw), None)
    if isinstance(schema, dict) and set(schema) == {"json"}:
        schema = schema["json"]
    if isinstance(schema, str):
        schema = rows.unpacked(schema)
    told = {"name": raw["name"], "description": raw.get("description"), "parameters": schema}
    return {"type": "function", "function": {key: item for key, item in told.items() if item is not None}}


def _turns(value: object) -> tuple[Message, ...]:
    if isinstance(value, str):
        value = _json_of(value)
    if isinstance(value, dict):
        inner = value.get("messages")
        value = inner if isinstance(inner, list) else [value]
    if isinstance(value, str):
        return (Message(role="user", content=value),) if value else ()
    if not isinstance(value, list):
        return ()
    if len(value) == 1 and isinstance(value[0], list):  # LangChain's batch of one
        value = value[0]
    return tuple(turn for each in value for turn in message(each))


def _json_of(text: str) -> object:
    """Return what a text holds, if that is a JSON object or list."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    found = rows.unpacked(text)
    return found if isinstance(found, dict | list) else text


def _made(role: str, turn: Turn, rest: dict[str, Any]) -> tuple[Message, ...]:
    if role == "tool" and not turn.texts and len(turn.results) == 1:
        known = turn.results[0][0]
        extra = rest if known is None else {"tool_call_id": known, **rest}
        return (Message(role="tool", content=turn.results[0][1], extra=rows.shallow(extra)),)
    found = [
        Message(role="tool", content=text, extra={} if known is None else {"tool_call_id": known})
        for known, text in turn.results
    ]
    extra = dict(rest)
    if turn.calls:
        extra["tool_calls"] = turn.calls
    if turn.thoughts:
        extra["reasoning"] = "\n".join(turn.thoughts)
    if turn.others:
        extra["content"] = [{"type": "text", "text": text} for text in turn.texts] + turn.others
    if turn.texts or extra or not found:
        found.append(Message(role=role, content=turn.text, extra=rows.shallow(extra)))
    return tuple(found)


def _sort(part: object, turn: Turn) -> None:
    """Add one part to what it belongs to."""
    if isinstance(part, str):
        turn.texts.append(part)
        return
    if not isinstance(part, dict):
        turn.others.append(part)
        return
    kind = _kind(part)
    if isinstance(part.get("toolUse") or part.get("functionCall"), dict):
        turn.calls.append(tool_call(part.get("toolUse") or part["functionCall"]))
    elif isinstance(part.get("toolResult") or part.get("functionResponse"), dict):
        turn.results.append(_result(part.get("toolResult") or part["functionResponse"]))
    elif kind in _CALL_TYPES:
        turn.calls.append(tool_call(part))
    elif kind in _RESULT_TYPES:
        turn.results.append(_result(part))
    elif kind in _THOUGHTS or "reasoningContent" in part:
        turn.thoughts.append(_thought(part))
    elif (said := _said(part, kind)) is not None:
        turn.texts.append(said)
    else:
        turn.others.append(part)


def _kind(part: dict[str, Any]) -> str | None:
    kind = part.get("type")
    return kind if kind is None or isinstance(kind, str) else ""


def _said(part: dict[str, Any], kind: str | None) -> str | None:
    """Return the text of a part that is one."""
    if kind is not None and kind not in _TEXT_TYPES:
        return None
    if kind is None and "text" not in part:
        return None
    found = next((part[key] for key in _TEXT if isinstance(part.get(key), str)), None)
    if found is None and kind == "text" and isinstance(part.get("arguments") or part.get("text"), dict):
        return rows.text(part.get("arguments") or part["text"])  # TensorZero: variables of a template
    return found


def _result(part: dict[str, Any]) -> tuple[str | None, str]:
    keys = ("tool_use_id", "toolUseId", "call_id", "toolCallId", "id", "name")
    known = next((rows.text(part[key]) for key in keys if part.get(key)), None)
    given = next((part[key] for key in ("content", "response", "result", "output") if part.get(key) is not None), "")
    if isinstance(given, list):
        given = "\n".join(_single(each) for each in given)
    return known, rows.text(given) or ""


def _single(part: object) -> str:
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return str(part["text"])
    if isinstance(part, dict) and "json" in part:
        part = part["json"]
    return rows.text(part) or ""


def _thought(part: dict[str, Any]) -> str:
    inner = part.get("reasoningContent")
    if isinstance(inner, dict):
        inner = inner.get("reasoningText", inner)
        part = inner if isinstance(inner, dict) else {"text": inner}
    found = next((part[key] for key in ("content", "thinking", "text", "summary") if part.get(key)), "")
    return rows.text(found) or ""


def _items(value: object) -> list[Any]:
    if isinstance(value, str):
        value = rows.unpacked(value)
    return value if isinstance(value, list) else []
