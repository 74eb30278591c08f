"""Find metadata that is true for one task's calls and for no others."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

import msgspec
import polars as pl

LOOKED_AT = 5_000
"""Calls whose metadata is read to find keys of few values."""
FEW = 50
"""Different values of a key that may name tasks."""
MOST_VALUES = 4
"""Values of one task that a condition lists."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HIDDEN = frozenset({"length", "language", "repeat", "new", "model", "label", "predicted_label"})
"""Names that mean something else in a condition."""


def keys(metadata: pl.Series) -> list[str]:
    """Return the keys of metadata (JSON objects of texts) that take a few values only, from a part of the rows."""
    step = max(1, len(metadata) // LOOKED_AT)
    values: defaultdict[str, set[str]] = defaultdict(set)
    for text in metadata.gather_every(step).unique():
        for key, value in msgspec.json.decode(text, type=dict[str, str]).items():
            values[key].add(value)
    return sorted(key for key, found in values.items() if len(found) <= FEW)


def column(metadata: pl.Series, key: str) -> pl.Series:
    """Return the value of `key` in each row as JSON writes it without quotes; null where there is none.

    Metadata is canonical JSON of texts, where a quote inside a text never stands without a backslash: what looks like
    a key at its place is one.
    """
    name = re.escape(msgspec.json.encode(key).decode())
    return metadata.str.extract(rf'[{{,]{name}:"((?:[^"\\]|\\.)*)"')


def conditions(metadata: pl.Series, task: pl.Series, tasks: int) -> list[str | None]:
    """Return for each task a condition that is true for its rows and for no other, or None.

    `task` numbers the rows' tasks from 1 to `tasks`, null for those in none.
    """
    found: list[str | None] = [None] * tasks
    for key in keys(metadata):
        if key in _HIDDEN:
            continue
        table = pl.DataFrame({"task": task, "value": column(metadata, key)}).group_by("task", "value").len()
        if table["value"].n_unique() > FEW + 1:
            continue
        shared = table.group_by("value").agg(pl.col("task").fill_null(0).n_unique().alias("tasks"))
        own = table.join(shared, on="value", nulls_equal=True)
        for number in range(tasks):
            mine = own.filter(pl.col("task") == number + 1)
            clean = mine.height and (mine["tasks"] == 1).all() and mine["value"].null_count() == 0
            if found[number] is None and clean and mine.height <= MOST_VALUES:
                found[number] = condition(key, sorted(mine["value"].to_list()))
    return found


def condition(key: str, values: Sequence[str]) -> str:
    """Return `key = 'value'`, or `key IN (...)`; `values` are as JSON writes them. Mined names and values are quoted."""
    name = key if _NAME.fullmatch(key) else '"' + key.replace('"', '""') + '"'
    texts = ["'" + msgspec.json.decode(f'"{value}"', type=str).replace("'", "''") + "'" for value in values]
    return f"{name} = {texts[0]}" if len(texts) == 1 else f"{name} IN ({', '.join(texts)})"
