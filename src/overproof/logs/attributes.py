"""Attributes of spans: OTLP's typed values, dotted names, and what exporters make of either."""

from __future__ import annotations

import base64
from typing import Any

from overproof.logs import rows
from overproof.logs.rows import BadRow, Row

_NESTED = ("gen_ai", "llm", "openinference", "input", "output", "session", "user", "traceloop", "tag")
"""First parts of names that some exporter nests instead of dotting."""
_DEEP = 40
"""Levels of AnyValue and of nested attributes that are taken apart."""
_SCALARS = frozenset({"stringValue", "boolValue", "intValue", "doubleValue", "bytesValue"})


def attributes(value: object) -> Row:
    """Return attributes as a mapping, from OTLP's list of keys and values, a mapping, or the JSON text of either."""
    if isinstance(value, str):
        value = rows.unpacked(value)
    if isinstance(value, dict):
        return value
    if not isinstance(value, list):
        return {}
    return {
        each["key"]: any_value(each.get("value"))
        for each in value
        if isinstance(each, dict) and isinstance(each.get("key"), str)
    }


def any_value(value: Any, left: int = _DEEP) -> Any:  # noqa: ANN401 - JSON may hold anything
    """Return what OTLP's AnyValue holds; any other JSON is itself."""
    if left == 0:
        raise BadRow("nested too deeply")
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        kind, inner = next(iter(value.items()))
        if kind in _SCALARS:
            return _scalar(kind, inner)
        if kind == "arrayValue" and isinstance(inner, dict):
            return [any_value(each, left - 1) for each in _values(inner)]
        if kind == "kvlistValue" and isinstance(inner, dict):
            return {
                rows.text(each.get("key")) or "": any_value(each.get("value"), left - 1) for each in _objects(inner)
            }
    return value


def _scalar(kind: str, inner: object) -> object:
    if kind == "intValue" and isinstance(inner, str):  # 64 bits do not fit into JSON's numbers
        return int(inner) if inner.removeprefix("-").isdecimal() and len(inner) < 21 else None
    if kind == "bytesValue" and isinstance(inner, str):
        try:
            return base64.b64decode(inner).decode("utf-8", "replace")
        except ValueError:
            return inner
    return inner


def flat(held: Row) -> Row:
    """Return attributes with dotted names where some exporter nested them."""
    found: Row = {}
    for key, value in held.items():
        if isinstance(value, dict) and key.split(".")[0] in _NESTED:
            _flatten(key, value, found, _DEEP)
        else:
            found[key] = value
    return found


def _flatten(prefix: str, value: Row, into: Row, left: int) -> None:
    for key, item in value.items():
        if isinstance(item, dict) and left and not prefix.endswith("parameters"):
            _flatten(f"{prefix}.{key}", item, into, left - 1)
        else:
            into[f"{prefix}.{key}"] = item


def tree(held: Row, prefix: str) -> Any:  # noqa: ANN401 - JSON may hold anything
    """Return what stands under `prefix` as nested JSON: `a.0.b` is the field `b` of the first element of `a`.

    A value at the prefix itself goes before; JSON text is unpacked there. None when there is nothing.
    """
    if (whole := held.get(prefix)) is not None:
        return rows.unpacked(whole) if isinstance(whole, str) and whole.lstrip().startswith(("[", "{")) else whole
    found: Row = {}
    start = prefix + "."
    for key, value in held.items():
        if key.startswith(start):
            _plant(found, key[len(start) :].split("."), value)
    return _lists(found) if found else None


def _plant(into: Row, path: list[str], value: object) -> None:
    for step in path[:-1][:_DEEP]:
        inner = into.setdefault(step, {})
        if not isinstance(inner, dict):
            return
        into = inner
    into[path[-1]] = value


def _lists(value: Any) -> Any:  # noqa: ANN401 - JSON may hold anything
    if not isinstance(value, dict):
        return value
    if value and all(key.isdecimal() and len(key) < 9 for key in value):
        return [_lists(value[key]) for key in sorted(value, key=int)]
    return {key: _lists(item) for key, item in value.items()}


def _values(array: Row) -> list[Any]:
    found = array.get("values")
    return found if isinstance(found, list) else []


def _objects(array: Row) -> list[Row]:
    return [each for each in _values(array) if isinstance(each, dict)]
