"""What models wrap around an answer: quotes, Markdown, JSON, lead-ins. Takes it off, one layer at a time.

Knows nothing of labels: each function says what may stand inside, and the task decides whether that means anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

_PAIRS = {
    '"': '"',
    "'": "'",
    "`": "`",
    "*": "*",
    "_": "_",
    "~": "~",
    "(": ")",
    "[": "]",
    "{": "}",
    "<": ">",
    "“": "”",
    "„": "“",
    "\u2018": "\u2019",
    "«": "»",
    "»": "«",
    "「": "」",
}
ANSWER_KEY = re.compile(
    r"(?:predicted_)?(?:answer|category|class|classification|intent|label|output|prediction|response|result|topic|type|"
    r"antwort|kategorie|cat[eé]gorie|r[eé]ponse|categor[ií]a|respuesta)"
)
_FENCE = re.compile(r"```[\w+-]*\n(.*?)\n?```", re.DOTALL)
_TAG = re.compile(r"<([A-Za-z][\w-]*)>(.*)</\1>", re.DOTALL)
_BULLET = re.compile(r"((?:[-*+•>#]+|\d{1,2}[.)])\s+)(.+)", re.DOTALL)
_LEAD = re.compile(
    r"""(?P<mark>[*_"'`]*)(?P<words>[^\W\d_][\w'/ -]{0,40}?)"""
    r"""(?:(?P=mark)\s*(?:=>|->|→|[:=])|\s*(?:=>|->|→|[:=])(?P=mark))\s*(?P<inner>.+)""",
    re.DOTALL,
)


class Layer(NamedTuple):
    """One wrapping taken off."""

    inner: str
    lead: str = ""
    """Words that stood before the answer ("Category"), for whoever must judge them."""


def layers(text: str) -> Iterator[Layer]:
    """Yield what may stand inside `text` (stripped, not empty), by each kind of wrapping it shows."""
    if _PAIRS.get(text[0]) == text[-1] and len(text) > 2:
        yield Layer(text[1:-1])
    if text[-1] in ".!,;。" and not text.endswith(".."):  # dots at the end say that something was cut off
        yield Layer(text[:-1])
    if fenced := _FENCE.fullmatch(text):
        yield Layer(fenced[1])
    if tagged := _TAG.fullmatch(text):
        yield Layer(tagged[2])
    if text[0] in "{[" and (value := _json_answer(text)) is not None:
        yield Layer(value)
    if bulleted := _BULLET.fullmatch(text):
        yield Layer(bulleted[2], lead=bulleted[1])
    if led := _LEAD.fullmatch(text):
        yield Layer(led["inner"], lead=led["words"])


def _json_answer(text: str) -> str | None:
    """Return the one value of a JSON text that is meant as the answer, None when there is no such value."""
    try:
        value = json.loads(text, object_pairs_hook=_unequivocal)
    except (ValueError, RecursionError):  # not JSON, or no JSON that anyone means: both are simply no such wrapping
        return None
    if isinstance(value, dict):
        named = [item for key, item in value.items() if ANSWER_KEY.fullmatch(key.strip().casefold())]
        values = named or [item for item in value.values() if isinstance(item, str)]
    else:
        values = value
    return _as_text(values[0]) if len(values) == 1 else None


def _unequivocal(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _as_text(value: Any) -> str:  # noqa: ANN401 - JSON is anything
    """A nested value goes back to JSON text, so that the next layer can be taken off in the same way."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
