"""Join right answers known from elsewhere to the exchanges they are for."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from overproof.core.errors import UserError
from overproof.logs import containers, files, jsonl, rows
from overproof.logs.options import GoldOptions
from overproof.tasks.redact import redact_record


def read_gold(options: GoldOptions, root: Path) -> dict[str, str]:
    """Return the right answers by what they are matched on; rows whose answer is null are left out.

    A row that cannot be read is an error, not set aside: every figure in the proof would rest on what is left.
    """
    gold: dict[str, str] = {}
    for path in files.expand(options.path, root):
        with containers.open_rows(path) as stream:
            try:
                for number, line in enumerate(stream, 1):
                    if not line.isspace():
                        _add(gold, options, line, f"gold: {files.name(path, root)}:{number}")
            except files.Torn as tear:
                raise UserError(f"gold: {files.name(path, root)} breaks off ({tear}); get a whole copy") from tear
    if not gold:
        raise UserError(f"gold: {options.path!r} holds no right answer in field {options.field!r}")
    return gold


def table(gold: dict[str, str]) -> pl.DataFrame:
    """Return right answers (`_gold`) by what they are matched on (`_on`)."""
    return pl.DataFrame(
        {"_on": list(gold.keys()), "_gold": list(gold.values())}, schema={"_on": pl.String, "_gold": pl.String}
    )


def join(exchanges: pl.DataFrame, gold: pl.DataFrame, on: str) -> pl.DataFrame:
    """Return `exchanges` with `gold` found by the metadata key `on`, or by `id`; gold of their own stays."""
    key = (
        pl.col("id")
        if on == "id"
        else pl.col("metadata").str.json_path_match(f"$[{json.dumps(on, ensure_ascii=False)}]")
    )
    return (
        exchanges.with_columns(key.alias("_on"))
        .join(gold, on="_on", how="left", maintain_order="left")
        .with_columns(gold=pl.coalesce("gold", "_gold"))
        .drop("_on", "_gold")
    )


def _add(gold: dict[str, str], options: GoldOptions, line: bytes, place: str) -> None:
    try:
        row = jsonl.decode(line)
    except rows.BadRow as why:
        raise UserError(f"{place} cannot be read: {why}") from why
    for field in (options.on, options.field):
        if field not in row:
            raise UserError(f"{place} has no field {field!r}; it has: {', '.join(row)}")
    key, answer = rows.text(row[options.on]), rows.text(row[options.field])
    if key is None or answer is None:
        return
    if gold.setdefault(key, answer) != answer:
        said, name, before = redact_record([answer, key, gold[key]])[0]  # an error ends up in other people's terminals
        raise UserError(f"{place} says {said!r} for {options.on} {name!r}, and an earlier row says {before!r}")
