"""From regular rows to columns of `Exchange`, many at once.

Everything here gives what the readers give one by one (`pairs.exchange`, `openai.exchange`), to the byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

import msgspec
import polars as pl
from msgspec import UNSET

from overproof.core import tables
from overproof.core.chance import canonical
from overproof.core.types import Exchange
from overproof.logs import rows
from overproof.logs.rows import SYNONYMS, BadRow
from overproof.logs.shapes import OpenAIShape, PairsShape, Shape, Turn

Rows = Sequence[Any]
"""What a shape decoded."""
Values = list[Any]
"""One value for each row."""
ISO = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?Z$"
"""Times that Polars reads as Python does."""
_encode = msgspec.json.Encoder().encode_lines
_encode_sorted = msgspec.json.Encoder(order="sorted").encode_lines


def table(decoded: Rows, sources: pl.Series, shape: PairsShape | OpenAIShape) -> tuple[pl.DataFrame, pl.Series]:
    """Return a table of `Exchange` for rows that `shape` decoded, and which of them its reader must look at itself."""
    columns, irregular = _of_pairs(decoded, shape) if isinstance(shape, PairsShape) else _of_openai(decoded, shape)
    schema = tables.schema(Exchange)
    found = pl.DataFrame({"source": sources} | {name: each for name, each in columns.items() if each is not None})
    found = found.with_columns(pl.lit(None, kind).alias(name) for name, kind in schema.items() if name not in found)
    found = found.with_columns(
        pl.coalesce("id", "source").alias("id"),
        pl.col("status").fill_null(200),
        pl.col("model", "answered_by").fill_null(""),
    )
    return found.select(list(schema)).cast(schema), irregular


def _of_pairs(decoded: Rows, shape: PairsShape) -> tuple[dict[str, pl.Series | None], pl.Series]:
    asked = _take(decoded, shape.asked)
    system = _take(decoded, shape.fields.at["system"]) if "system" in shape.fields else None
    given = _take(decoded, shape.fields.at["parameters"]) if "parameters" in shape.fields else []
    parameters, wrong = _parameters([("", given)] if given else [], len(asked), "pairs")
    at, late = _times(_known(decoded, shape, "at"), len(asked))
    columns = _around(decoded, shape, []) | {
        "at": at,
        "messages": "[" + _before(system, len(asked)) + _turn(asked, "user") + "]",
        "parameters": parameters,
        "answer": pl.Series(_take(decoded, shape.answered), dtype=pl.String),
        "finish_reason": _texts(_known(decoded, shape, "finish_reason")),
    }
    return columns, pl.Series(asked, dtype=pl.String).str.starts_with("[") | late | wrong


def _of_openai(decoded: Rows, shape: OpenAIShape) -> tuple[dict[str, pl.Series | None], pl.Series]:
    requests, responses = _take(decoded, shape.asked), _take(decoded, shape.answered)
    choices = [each.choices[0] for each in responses]
    at_request = shape.request.at
    given = [(key, _take(requests, at_request[key])) for key in shape.parameters]
    parameters, wrong = _parameters(given, len(requests), "openai")
    own = _take(requests, at_request["metadata"]) if "metadata" in shape.request else None
    columns = _around(decoded, shape, [own] if own else [])
    at, late = _times(_first(_known(decoded, shape, "at"), _take(responses, "created")), len(requests))
    users = [_take(requests, at_request[key]) for key in SYNONYMS["user"] if key in shape.request]
    models = _take(requests, at_request["model"]) if "model" in shape.request else [UNSET] * len(requests)
    return columns | {
        "id": _texts(_first(_known(decoded, shape, "id"), _take(responses, "id"))),
        "at": at,
        "model": _texts(_first_set(models, _known(decoded, shape, "model"))),
        "answered_by": _texts(_take(responses, "model")),
        "messages": _messages(_take(requests, at_request["messages"])),
        "parameters": parameters,
        "answer": pl.Series([each.message.content or each.message.refusal or "" for each in choices], dtype=pl.String),
        "finish_reason": pl.Series(_take(choices, "finish_reason"), dtype=pl.String),
        "user": _texts(_first(*users, _known(decoded, shape, "user"))),
        **_spent(responses, columns),
    }, late | wrong


def _spent(responses: Rows, columns: dict[str, pl.Series | None]) -> dict[str, pl.Series]:
    """Return what the response says was used, before what the row says; of the cost the row's goes first."""
    usage = _take(responses, "usage")
    found = {}
    for name in ("input_tokens", "output_tokens"):
        said = _first(*(_take(usage, key) for key in SYNONYMS[name]))
        found[name] = _coalesced(pl.Series(said, dtype=pl.Int64), columns[name])
    cost = pl.Series(_take(usage, "cost"), dtype=pl.Float64)
    return found | {"cost_usd": cost if columns["cost_usd"] is None else _coalesced(columns["cost_usd"], cost)}


def _around(decoded: Rows, shape: Shape, of_request: list[Values]) -> dict[str, pl.Series | None]:
    """Return the columns that both formats read alike."""
    found: dict[str, pl.Series | None] = {
        name: _texts(_known(decoded, shape, name)) for name in ("id", "model", "user", "gold")
    }
    for name in ("status", "input_tokens", "output_tokens"):
        found[name] = _numbers(_known(decoded, shape, name), pl.Int64)
    found["cost_usd"] = _numbers(_known(decoded, shape, "cost_usd"), pl.Float64)
    ms, s = (_numbers(_known(decoded, shape, name), pl.Float64) for name in ("latency_ms", "latency_s"))
    found["latency_ms"] = ms if s is None else s * 1000 if ms is None else _coalesced(ms, s * 1000)
    found["metadata"], merged = _metadata(decoded, shape, of_request)
    for name in ("release", "conversation"):
        said, told = _texts(_known(decoded, shape, name)), _texts(_told(merged, name))
        found[name] = said if told is None else told if said is None else _coalesced(said, told)
    return found


def _take(decoded: Rows, name: str) -> Values:
    return list(map(attrgetter(name), decoded))


def _known(decoded: Rows, shape: Shape, place: str) -> Values | None:
    """Return what stands in a place of `SYNONYMS`: of several names the first that holds something."""
    return _first(*(_take(decoded, name) for name in shape.known(place)))


def _first(*columns: Values | None) -> Values | None:
    """Return the first value of each row that is something, None where no column is there."""
    there = [column for column in columns if column]
    if len(there) < 2:
        return there[0] if there else None
    return [next((v for v in values if v is not None and v != ""), None) for values in zip(*there, strict=True)]


def _first_set(values: Values, otherwise: Values | None) -> Values:
    """Return values, and those of `otherwise` where a row has none: an empty text is one."""
    if UNSET not in values:
        return values
    spare = otherwise or [None] * len(values)
    return [other if value is UNSET else value for value, other in zip(values, spare, strict=True)]


def _texts(values: Values | None) -> pl.Series | None:
    """Return values as texts, null where they say nothing."""
    if values is None:
        return None
    column = pl.Series(_as_texts(values), dtype=pl.String)
    return column.set(empty, None) if (empty := column == "").any() else column


def _as_texts(values: Values) -> Sequence[str | None]:
    kinds = set(map(type, values))
    if kinds <= {str, type(None)}:
        return values
    return list(map(str, values)) if kinds == {int} else list(map(rows.text, values))


def _numbers(values: Values | None, kind: type[pl.DataType]) -> pl.Series | None:
    return None if values is None else pl.Series(values, dtype=kind)


def _coalesced(first: pl.Series, second: pl.Series | None) -> pl.Series:
    return first if second is None else first.zip_with(first.is_not_null(), second)


def _times(values: Values | None, n: int) -> tuple[pl.Series, pl.Series]:
    """Return times in UTC, and which rows' cannot be read."""
    none = pl.repeat(None, n, dtype=tables.TIME, eager=True)
    good = pl.repeat(value=False, n=n, eager=True)
    if values is None:
        return none, good
    kinds = set(map(type, values))
    if kinds == {int} and min(values) > 0 and max(values) < 10**10:
        return (pl.Series(values, dtype=pl.Int64) * 1_000_000).cast(tables.TIME), good
    if kinds == {str}:
        texts = pl.Series(values, dtype=pl.String)
        if texts.str.contains(ISO).all():
            found = texts.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", time_zone="UTC", strict=False)
            if not found.has_nulls():
                return found, good
    times: list[datetime | None] = []
    bad: list[bool] = []
    for value in values:
        try:
            times.append(None if value == "" else rows.when(value))
            bad.append(False)
        except BadRow:
            times.append(None)
            bad.append(True)
    return pl.Series(times, dtype=tables.TIME), pl.Series(bad, dtype=pl.Boolean)


def _turn(texts: Values, role: str) -> pl.Series:
    return '{"content":' + _json(_encode(texts)) + f',"extra":{{}},"role":"{role}"}}'


def _before(system: Values | None, n: int) -> pl.Series:
    """Return what stands before the user's turn: the system's, where there is one."""
    none = pl.repeat("", n, eager=True)
    if system is None:
        return none
    said = pl.Series(system, dtype=pl.String)
    return (_turn(system, "system") + ",").zip_with((said != "").fill_null(value=False), none)


def _messages(turns: Sequence[Sequence[Turn]]) -> pl.Series:
    """Return conversations as canonical JSON. No quote inside a text is bare, so the pattern is only found between."""
    return _json(_encode(turns).replace(b'","role":"', b'","extra":{},"role":"'))


def _json(lines: bytes) -> pl.Series:
    return pl.Series(lines.decode().split("\n")[:-1], dtype=pl.String)


def _metadata(decoded: Rows, shape: Shape, of_request: list[Values]) -> tuple[pl.Series, list[dict[str, str]]]:
    """Return the row's own fields, its metadata and its request's, the later before the earlier, as JSON.

    What may tell more than metadata (the row's own fields never do) is returned beside it, as it is.
    """
    columns = [_as_texts(_take(decoded, shape.fields.at[key])) for key in shape.extras]
    given = [_known(decoded, shape, "metadata")] if shape.known("metadata") else []
    owns = [[each if each is None else rows.strings(each) for each in own or []] for own in [*given, *of_request]]
    said = [[text or None for text in column] if "" in column else column for column in columns]
    if not owns:
        kind = msgspec.defstruct(
            "Extras",
            [(f"f{i}", str | None, None) for i in range(len(said))],
            omit_defaults=True,
            rename={f"f{i}": key for i, key in enumerate(shape.extras)},
            gc=False,
        )
        return _json(_encode(list(map(kind, *said)) if said else [kind()] * len(decoded))), []
    merged = [
        {key: text for key, text in zip(shape.extras, row, strict=True) if text} for row in zip(*said, strict=True)
    ]
    for own in owns:
        merged = [a | b if b else a for a, b in zip(merged, own, strict=True)] if merged else [b or {} for b in own]
    return _json(_encode_sorted(merged)), merged


def _told(merged: list[dict[str, str]], place: str) -> Values | None:
    """Return what metadata say of a place, None where they never do."""
    keys = set[str]().union(*merged)
    return [rows.first(place, each) for each in merged] if keys.intersection(SYNONYMS[place]) else None


def _parameters(given: list[tuple[str, Values]], n: int, form: str) -> tuple[pl.Series, pl.Series]:
    """Return parameters as canonical JSON, each distinct set of them written once, and which cannot be read."""
    if not given:
        return pl.repeat("{}", n, eager=True), pl.repeat(value=False, n=n, eager=True)
    known: dict[tuple[bytes, ...], str | None] = {}
    found: list[str | None] = []
    names = [name for name, _ in given]
    raws = [[b"" if raw is UNSET else bytes(raw) for raw in column] for _, column in given]
    for key in zip(*raws, strict=True):
        if key not in known:
            known[key] = _canonical(names, key, form)
        found.append(known[key])
    column = pl.Series(found, dtype=pl.String)
    return column, column.is_null()


def _canonical(names: list[str], raws: tuple[bytes, ...], form: str) -> str | None:
    """Return one set of parameters as the reader writes it, None when it is for the reader to say what is wrong."""
    try:
        said = {name: msgspec.json.decode(raw) for name, raw in zip(names, raws, strict=True) if raw}
        if form == "pairs":
            said = rows.mapping(said.get(""), "parameters")
        else:
            said = {name: value for name, value in said.items() if value is not None}
        return canonical(rows.shallow(said)).decode()
    except (BadRow, msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
