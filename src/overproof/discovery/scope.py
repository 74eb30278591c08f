"""Find metadata that is true for one task's calls and for no others."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import msgspec
import polars as pl

from overproof.core.quoting import sql_name, sql_text

LOOKED_AT = 5_000
"""Calls whose metadata is read to find keys of few values."""
FEW = 50
"""Different values of a key that may name tasks."""
MOST_VALUES = 4
"""Values of one task that a condition lists."""
_VALUED = re.compile(r"([^=]+) = '(?:[^']|'')+'")
_HIDDEN = frozenset({"length", "language", "topic", "repeat", "new", "model", "label", "predicted_label"})
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
    by_key = [
        _own(key, pl.DataFrame({"task": task, "value": column(metadata, key)}), tasks)
        for key in keys(metadata)
        if key not in _HIDDEN
    ]
    best = sorted(by_key, key=lambda each: -len(each))  # a key that names several tasks is more likely made for it
    return [next((each[number] for each in best if number in each), None) for number in range(1, tasks + 1)]


def _own(key: str, rows: pl.DataFrame, tasks: int) -> dict[int, str]:
    """Return a condition over `key` for each task whose values of it are its own."""
    table = rows.group_by("task", "value").len()
    if table["value"].n_unique() > FEW + 1:
        return {}
    shared = table.group_by("value").agg(tasks=pl.col("task").fill_null(0).n_unique())
    own = table.join(shared, on="value", nulls_equal=True)
    found: dict[int, str] = {}
    for number in range(1, tasks + 1):
        mine = own.filter(pl.col("task") == number)
        clean = mine.height > 0 and (mine["tasks"] == 1).all() and mine["value"].null_count() == 0
        if clean and mine.height <= MOST_VALUES:
            found[number] = condition(key, sorted(mine["value"].to_list()))
    return found


def condition(key: str, values: Sequence[str]) -> str:
    """Return `key = 'value'`, or `key IN (...)`, all of it quoted; `values` are as JSON writes them."""
    name = sql_name(key)
    texts = [sql_text(msgspec.json.decode(f'"{value}"', type=str)) for value in values]
    return f"{name} = {texts[0]}" if len(texts) == 1 else f"{name} IN ({', '.join(texts)})"


def naming(wheres: Iterable[str | None]) -> frozenset[str]:
    """Return the conditions `key = 'value'` of keys that name several tasks: such a value is a task's name."""
    valued = [(match[1], where) for where in wheres if where and (match := _VALUED.fullmatch(where))]
    counts = Counter(key for key, _ in valued)
    return frozenset(where for key, where in valued if counts[key] > 1)
