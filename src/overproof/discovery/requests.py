"""The parts of each request that tell tasks apart: instructions, the user's turn, tools, response format, settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import polars as pl

from overproof.core.chance import canonical, digest, draws
from overproof.tasks.inputs import INSTRUCTIONS

AT_ONCE = 2_500
"""Requests decoded together: of many more, Python's collector of garbage goes through all again and again."""
_TOOLS = ("tools", "functions")
_FORMATS = ("response_format", "text", "guided_json", "json_schema", "output_schema")
_PARTICULAR = ("user", "seed", "stream", "stream_options", "metadata", "store", "prompt_cache_key", "safety_identifier")
"""Parameters that say nothing about the task."""


class _Turn(msgspec.Struct, gc=False):
    role: str
    content: str = ""


def parts(exchanges: pl.DataFrame, seed: str) -> pl.DataFrame:
    """Return, row by row of a table of `Exchange`, the parts of its request.

    Columns: `system` and `asked` (the instructions and the user's last turn, "" where there is none, without white
    space at the ends), `turns` (how many are no instructions), `tools` (names, sorted, comma between), `format`,
    `settings` (a digest of other parameters), `request` (hash of all that was asked) and `place`, the row's draw in
    [0, 1).
    """
    batches = exchanges.select("messages").iter_slices(AT_ONCE)
    spoken = pl.concat([_none(), *(_spoken(batch["messages"]) for batch in batches)])
    return spoken.hstack(_settings(exchanges["parameters"])).with_columns(
        request=exchanges.select(pl.struct("messages", "parameters").hash()).to_series(),
        place=pl.Series(draws(seed, exchanges["id"]), dtype=pl.Float64),
    )


def _none() -> pl.DataFrame:
    return pl.DataFrame(schema={"system": pl.String, "asked": pl.String, "turns": pl.Int64})


def _spoken(messages: pl.Series) -> pl.DataFrame:
    decoded = msgspec.json.decode(f"[{messages.str.join(',').item()}]", type=list[list[_Turn]])
    columns = zip(*map(_of, decoded), strict=True)
    return pl.DataFrame(dict(zip(_none().columns, columns, strict=True)), schema=_none().schema)


def _of(turns: Sequence[_Turn]) -> tuple[str, str, int]:
    """Return the instructions, the user's last turn and the number of other turns."""
    instructions, asked, others = list[str](), "", 0
    for turn in turns:
        if turn.role in INSTRUCTIONS:
            instructions.append(turn.content)
            continue
        others += 1
        if turn.role == "user":
            asked = turn.content
    return "\n\n".join(instructions).strip(), asked.strip(), others


def _settings(parameters: pl.Series) -> pl.DataFrame:
    """Return `tools`, `format` and `settings` of each row; every distinct text is read once."""
    distinct = parameters.unique()
    decoded = msgspec.json.decode(f"[{','.join(distinct.to_list())}]", type=list[dict[str, Any]])
    known: dict[bytes, str] = {}
    rows = [(_tools(each), _format(each), _rest(each, known)) for each in decoded]
    table = pl.DataFrame(rows, schema={"tools": pl.String, "format": pl.String, "settings": pl.String}, orient="row")
    table = table.with_columns(distinct.alias("parameters"))
    return (
        parameters.alias("parameters")
        .to_frame()
        .join(table, on="parameters", how="left", maintain_order="left")
        .drop("parameters")
    )


def _tools(parameters: dict[str, Any]) -> str:
    names = set[str]()
    for key in _TOOLS:
        for tool in parameters.get(key) or () if isinstance(parameters.get(key), list) else ():
            inner = tool.get("function", tool) if isinstance(tool, dict) else None
            name = (inner.get("name") or inner.get("type")) if isinstance(inner, dict) else None
            names.add(str(name).replace(",", " ") if name else "?")
    return ",".join(sorted(names))


def _format(parameters: dict[str, Any]) -> str:
    """Return the kind of answer that was asked for, with a digest of the schema where there is one."""
    for key in _FORMATS:
        value = parameters.get(key)
        if not isinstance(value, dict):
            continue
        value = value.get("format", value) if key == "text" else value
        kind = str(value.get("type", "json_schema")) if isinstance(value, dict) else ""
        if kind in ("", "text"):
            continue
        named = value.get("json_schema", value)
        name = named.get("name") if isinstance(named, dict) else None
        if kind == "json_schema":
            return f"json_schema:{name or digest(canonical(value), size=4)}"
        return kind
    return ""


def _rest(parameters: dict[str, Any], known: dict[bytes, str]) -> str:
    left = {key: value for key, value in parameters.items() if key not in (*_TOOLS, *_FORMATS, *_PARTICULAR)}
    key = msgspec.json.encode(left)
    return known.setdefault(key, digest(key, size=4))
