"""Give every exchange an id of its own: repeated rows are set aside, a second row under one id gets a new one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl


@dataclass(frozen=True)
class Settled:
    """What becomes of rows by what stands in others; all places count the rows from 0, in order."""

    repeated: pl.DataFrame
    """`place` of a row that is set aside, and `of`, the row it repeats; in order of place."""
    renamed: pl.Series
    """Places of rows that need another id."""


def settle(marks: pl.DataFrame) -> Settled:
    """Find repeated rows and taken ids among rows with the columns `pieces.MARKS`.

    A row that is the same in all fields as an earlier one repeats it. In a store in which an id names one call, the
    last of several counts, for such stores export a call again when it changes.
    """
    ids = np.sort(marks["_id"].to_numpy())  # far faster than to look for every one of them
    taken = pl.Series(np.unique(ids[1:][ids[1:] == ids[:-1]]))
    rows = (marks if len(taken) else marks.clear()).with_row_index("place")
    shared = rows.filter(pl.col("_id").is_in(taken.implode()))
    if shared.is_empty():
        return Settled(shared.select("place", of="place"), shared["place"])
    another = pl.col("place") != pl.col("of")
    stored = shared.filter(pl.col("_store").is_not_null())
    older = stored.select("place", of=pl.col("place").last().over("_id", "_store")).filter(another)
    left = shared.join(older, on="place", how="anti", maintain_order="left")
    same = left.select("place", of=pl.col("place").first().over("_row")).filter(another)
    left = left.join(same, on="place", how="anti", maintain_order="left")
    return Settled(pl.concat([older, same]).sort("place"), left.filter(~pl.col("_id").is_first_distinct())["place"])


def names(sources: Sequence[str], marks: pl.DataFrame) -> list[str]:
    """Name rows after the places they stand in; `marks` are those of all rows, whose ids are taken."""
    found = pl.Series(sources, dtype=pl.String)
    if found.is_empty():
        return []
    while (taken := found.hash(0).is_in(marks["_id"].implode())).any():  # some log's own ids look like places
        found = found.zip_with(~taken, found + "'")
    return found.to_list()
