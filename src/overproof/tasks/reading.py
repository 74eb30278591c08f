"""Read a whole column of answers: every distinct text once, whatever the task."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from overproof.core.protocols import Task


class Readings(NamedTuple):
    """What a column of texts means, aligned with it."""

    answer: pl.Series
    """Normal form; null where the text is null or cannot be read."""
    recovered: pl.Series
    """Whether it took the normaliser."""


def read_column(task: Task, texts: pl.Series) -> Readings:
    """Return what each of `texts` (strings, nulls allowed) means to `task`."""
    column = texts.cast(pl.String).alias("text").to_frame()
    distinct = column.get_column("text").unique()
    readings = [task.read(text) for text in distinct]
    meaning = pl.DataFrame(
        {"text": distinct, "answer": [r.answer for r in readings], "recovered": [r.recovered for r in readings]},
        schema={"text": pl.String, "answer": pl.String, "recovered": pl.Boolean},
    )
    read = column.join(meaning, on="text", how="left", nulls_equal=True, maintain_order="left")
    return Readings(read.get_column("answer"), read.get_column("recovered"))
