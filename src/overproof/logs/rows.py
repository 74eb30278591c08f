"""The pieces of a row, in every spelling that logs really have: texts, messages, times, numbers."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from overproof.core.chance import canonical
from overproof.core.types import Message

Row = dict[str, Any]
"""One decoded row: JSON, or the columns of a Parquet file."""

SYNONYMS = {
    "id": ("custom_id", "id", "request_id", "call_id", "uuid"),
    "at": ("timestamp", "created_at", "time", "created", "start_time", "startTime", "ts", "date"),
    "model": ("model", "model_name"),
    "user": ("user", "user_id", "end_user", "safety_identifier"),
    "conversation": ("conversation_id", "session_id", "thread_id", "conversation"),
    "release": ("overproof_release",),
    "status": ("status", "status_code"),
    "latency_ms": ("latency_ms", "duration_ms", "latency"),
    "latency_s": ("latency_s", "latency_seconds", "duration_s"),
    "cost_usd": ("cost_usd", "cost", "response_cost", "total_cost"),
    "input_tokens": ("input_tokens", "prompt_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens"),
    "finish_reason": ("finish_reason",),
    "error": ("error",),
    "gold": ("gold",),
    "metadata": ("metadata",),
    "usage": ("usage",),
}
"""What fields of a row are called in logs, by what they are here; of several the first counts."""
PLACES = {name: place for place, names in SYNONYMS.items() for name in names}

DEEPEST = 100
"""Levels of nesting kept. No request needs a tenth of it, and every recursive reader stops somewhere."""
_WELL = frozenset({"ok", "success", "succeeded", "successful", "completed", "complete"})
_ILL = frozenset({"error", "fail", "failed", "failure", "timeout", "cancelled", "canceled"})
_TEXT_PARTS = frozenset({"text", "input_text", "output_text"})


class BadRow(Exception):
    """Why a row cannot be used; it never leaves the readers, which set the row aside with this reason."""


def fields(row: Row, own: frozenset[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what `SYNONYMS` knows of `row`, by its name here, and all other single values as metadata.

    `own` names the fields that the caller reads by itself. Empty texts count as nothing.
    """
    known: dict[str, Any] = {}
    rest: dict[str, str] = {}
    for key, value in row.items():
        if value is None or value == "" or key in own:
            continue
        place = PLACES.get(key)
        if place is not None:
            known[place] = first(place, row) if place in known else value
        elif not isinstance(value, (dict, list, bytes)) and (single := text(value)) is not None:
            rest[key] = single
    return known, rest


def first(place: str, row: Row) -> Any:  # noqa: ANN401 - a log's field may hold anything
    """Return the first of the place's names that holds something in `row`, None when none does."""
    for name in SYNONYMS[place]:
        value = row.get(name)
        if value is not None and value != "":
            return value
    return None


def mapping(value: object, what: str) -> Row:
    """Return a JSON object that may also have been logged as its text; {} for nothing."""
    if value is None or value == "":
        return {}
    if isinstance(value, str):
        value = unpacked(value)
    if not isinstance(value, dict):
        raise BadRow(f"{what} is not a JSON object")
    return value


def unpacked(text: str) -> object:
    """Return what `text` holds as JSON, or the text itself when it is not JSON."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text


def text(value: object) -> str | None:
    """Return a value as text: scalars as JSON writes them, anything nested as canonical JSON, None for nothing."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return canonical(value).decode() if math.isfinite(value) else None
    if isinstance(value, date):  # a datetime is one too
        return value.isoformat()
    if isinstance(value, dict | list):
        return canonical(shallow(value)).decode()
    return str(value)


def strings(value: object) -> dict[str, str]:
    """Return metadata with every value as text; entries without a value are left out."""
    if isinstance(value, str):
        value = unpacked(value)
    if isinstance(value, list):  # what Parquet makes of a map
        value = {item["key"]: item.get("value") for item in value if isinstance(item, dict) and "key" in item}
    if not isinstance(value, dict):
        return {} if value is None or value == "" else {"metadata": text(value) or ""}
    return {
        key: found for key, item in value.items() if (found := item if type(item) is str else text(item)) is not None
    }


def shallow(value: Any, left: int = DEEPEST) -> Any:  # noqa: ANN401 - JSON may hold anything
    """Return `value`; raise BadRow when it is nested deeper than can be written and read again."""
    if isinstance(value, dict | list):
        if left == 0:
            raise BadRow("nested too deeply")
        for item in value.values() if isinstance(value, dict) else value:
            if isinstance(item, dict | list):
                shallow(item, left - 1)
    return value


def messages(value: object) -> tuple[Message, ...]:
    """Return the turns of a conversation."""
    if isinstance(value, str):
        value = unpacked(value)
    if not isinstance(value, list) or not value:
        raise BadRow("no messages")
    return tuple([_message(each) for each in value])


def content(value: object) -> tuple[str, bool]:
    """Return the text of a turn's content, and whether that is all there is to it."""
    if value is None:
        return "", True
    if isinstance(value, str):
        return value, True
    if not isinstance(value, list):
        raise BadRow("a content that is neither text nor parts")
    texts, whole = [], True
    for part in value:
        found, plain = _part(part)
        whole = whole and plain
        if found is not None:
            texts.append(found)
    return "\n".join(texts), whole


def when(value: object) -> datetime | None:
    """Return a time in UTC from ISO 8601 (without a zone: UTC), or an epoch in s, ms, us or ns; None for nothing."""
    if value is None or value == 0:
        return None
    try:
        if isinstance(value, str):
            if (found := _iso(value)) is not None:
                return found
            value = number(value)
        if isinstance(value, datetime):
            return _utc(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(_seconds(value), UTC)
    except (ValueError, OverflowError, OSError) as wrong:
        raise BadRow("a time out of range") from wrong
    raise BadRow("a time in an unknown form")


def number(value: object) -> float | None:
    """Return a finite number, also when it was logged as text; None otherwise."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def count(value: object) -> int | None:
    """Return a number of things, None for what cannot be one."""
    if value is None or (type(value) is int and 0 <= value < 2**53):
        return value
    found = number(value)
    return int(found) if found is not None and 0 <= found < 2**53 else None


def latency_ms(known: Row) -> float | None:
    """Return how long the call took, in milliseconds, from what `fields` found."""
    found = number(known.get("latency_ms"))
    seconds = number(known.get("latency_s")) if found is None else None
    return seconds * 1000 if seconds is not None else found


def logprob(response: Row) -> float | None:
    """Return the sum of the log-probabilities of the first choice's tokens; None where one is missing.

    `choices[0].logprobs.content[].logprob`, or `choices[0].logprobs.token_logprobs` of the older completions API.
    """
    choices = response.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    told = choice.get("logprobs") if isinstance(choice, dict) else None
    if not isinstance(told, dict):
        return None
    content = told.get("content")
    if isinstance(content, list):
        found = [number(token.get("logprob")) if isinstance(token, dict) else None for token in content]
    else:
        plain = told.get("token_logprobs")
        found = [number(token) for token in plain] if isinstance(plain, list) else []
    known = [each for each in found if each is not None]
    return sum(known) if known and len(known) == len(found) else None


def status(value: object, *, failed: bool) -> int:
    """Return an HTTP status from a number or a word; `failed` decides where the log says nothing."""
    found = count(value)
    if found is not None:
        return found
    word = value.lower() if isinstance(value, str) else ""
    if word in _WELL:
        return 200
    return 500 if failed or word in _ILL else 200


def error(value: object) -> str | None:
    """Return what went wrong as one text: the message of an error object, else all of it."""
    if not value:
        return None
    if isinstance(value, str) and value.startswith("{"):
        packed = unpacked(value)
        value = packed if isinstance(packed, dict) and packed.get("message") else value
    if isinstance(value, dict):
        value = value.get("message") or value
    return text(value)


def _message(raw: object) -> Message:
    if not isinstance(raw, dict):
        raise BadRow("a message that is not a JSON object")
    role = raw.get("role")
    if not isinstance(role, str) or not role:
        raise BadRow("a message without a role")
    body = raw.get("content")
    if len(raw) == 2 and isinstance(body, str):
        return Message(role=role, content=body)
    found, whole = content(body)
    extra = {key: value for key, value in raw.items() if key not in ("role", "content") and value is not None}
    if not whole:
        extra["content"] = body
    return Message(role=role, content=found, extra=shallow(extra))


def _part(part: object) -> tuple[str | None, bool]:
    """Return a part's text, if it has one, and whether there is nothing else in it."""
    if isinstance(part, str):
        return part, True
    if not isinstance(part, dict):
        return None, False
    found = part.get("text")
    kind = part.get("type", "text")
    if not isinstance(kind, str) or kind not in _TEXT_PARTS or not isinstance(found, str):
        return None, False
    return found, all(value is None or key in ("type", "text") for key, value in part.items())


def _iso(value: str) -> datetime | None:
    """Return the time an ISO 8601 text names; a text of digits alone is an epoch unless it is a date (8 of them)."""
    if value.isdigit() and len(value) != 8:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        bare = value.strip().removesuffix("UTC").rstrip()
        return None if bare == value else _iso(bare)
    return _utc(found)


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value if value.tzinfo is UTC else value.astimezone(UTC)


def _seconds(value: float) -> float:
    """Tell the unit of an epoch by its size: 1e11 seconds lie in the year 5138, 1e11 milliseconds in 1973."""
    for limit, unit in ((1e11, 1), (1e14, 1e3), (1e17, 1e6)):
        if abs(value) < limit:
            return value / unit
    return value / 1e9
