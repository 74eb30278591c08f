"""Infer the JSON Schema of objects: which keys they need, of what type, and which values are one of a few."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

REQUIRED = 0.98
"""Share of the objects a key must be in to be required: a slip of the teacher does not make it optional."""
KNOWN = 0.02
"""Keys in fewer of the objects are left out: they are slips, or names that are data."""
MOST_KEYS = 60
MOST_VALUES = 20
"""Different texts that are an enumeration, at most."""
TIMES_EACH = 5
"""Times each of them was given, at least, on average."""
LONGEST_VALUE = 40
DEEPEST = 6


def infer(objects: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a schema that these objects fit but for slips; `objects` is not empty."""
    return {"type": "object"} | _object(objects, DEEPEST)


def _object(objects: Sequence[Mapping[str, Any]], depth: int) -> dict[str, Any]:
    values: defaultdict[str, list[Any]] = defaultdict(list)
    for each in objects:
        for key, value in each.items():
            values[key].append(value)
    enough = {
        key: found for key, found in values.items() if len(found) >= max(2, KNOWN * len(objects)) or len(objects) < 20
    }
    frequent = sorted(enough, key=lambda key: -len(enough[key]))[:MOST_KEYS]
    kept = [key for key in values if key in frequent]
    return {
        "properties": {key: _value(values[key], depth - 1) for key in kept},
        "required": [key for key in kept if len(values[key]) >= REQUIRED * len(objects)],
    }


def _value(values: Sequence[Any], depth: int) -> dict[str, Any]:
    by_type: defaultdict[str, list[Any]] = defaultdict(list)
    for value in values:
        by_type[_type(value)].append(value)
    if "number" in by_type and "integer" in by_type:
        by_type["number"] += by_type.pop("integer")
    types = sorted(by_type, key=lambda name: (name == "null", -len(by_type[name]), name))
    found: dict[str, Any] = {"type": types[0] if len(types) == 1 else types}
    if set(types) <= {"string", "null"} and "string" in by_type and (few := _few(by_type["string"])):
        named = {"type": "string", "enum": few}
        return named if len(types) == 1 else {"anyOf": [named, {"type": "null"}]}  # TOML could not list a null
    if depth > 0 and "object" in by_type:
        found |= _object(by_type["object"], depth)
    if depth > 0 and (items := [item for value in by_type.get("array", ()) for item in value]):
        found["items"] = _value(items, depth - 1)
    return found


def _type(value: object) -> str:
    if value is None:
        return "null"
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names[type(value)]


def _few(texts: Sequence[str]) -> list[str]:
    """Return the values of an enumeration, the most frequent first; none where the texts are no such thing.

    A value given once among many is a slip and left out.
    """
    counts = Counter(texts)
    if len(texts) >= 100:
        counts = Counter({text: n for text, n in counts.items() if n > 1})
    once = len(set(texts)) - len(counts)
    if not 1 <= len(counts) <= MOST_VALUES or counts.total() < TIMES_EACH * len(counts) or once > 0.01 * len(texts):
        return []
    return [text for text, _ in counts.most_common()] if max(map(len, counts)) <= LONGEST_VALUE else []
