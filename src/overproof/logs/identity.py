"""Give every exchange an id of its own: repeated rows are set aside, a second row under one id gets a new one."""

from __future__ import annotations

import polars as pl

from overproof.logs.jsonl import EXCERPT


def settle(exchanges: pl.DataFrame, once: pl.Expr | None = None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the exchanges with unique ids, and those set aside because an earlier row is the same in all fields.

    `once` gives rows of a store in which an id names one call the number of that store, and null to all others: of
    several copies the last counts, for such stores export a call again when it changes.

    The second table has the columns of `SetAside` and whatever else `exchanges` has that starts with an underscore.
    """
    fields = [name for name in exchanges.columns if name != "source" and not name.startswith("_")]
    extra = [name for name in exchanges.columns if name.startswith("_")]
    if once is not None:
        exchanges, older = _latest(exchanges, once, extra)
        kept, repeated = settle(exchanges)
        return kept, pl.concat([older, repeated])
    order = exchanges.with_row_index("_row")
    shared = order.filter(pl.col("id").is_duplicated())
    if shared.is_empty():
        return exchanges, _duplicates(shared.with_columns(_first=pl.col("source")), extra)
    shared = shared.with_columns(_first=pl.col("source").first().over(fields))
    repeated = shared.filter(pl.col("_first") != pl.col("source"))
    kept = order.join(repeated, on="_row", how="anti", maintain_order="left").drop("_row")
    return _unique(kept), _duplicates(repeated, extra)


def _latest(exchanges: pl.DataFrame, once: pl.Expr, extra: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Set aside every row of a store that has a later copy in it."""
    order = exchanges.with_row_index("_row").with_columns(_store=once)
    stored = order.filter(pl.col("_store").is_not_null())
    last = pl.col("source").last().over("id", "_store")
    older = stored.with_columns(_first=last).filter(~pl.struct("id", "_store").is_last_distinct())
    kept = order.join(older, on="_row", how="anti", maintain_order="left").drop("_row", "_store")
    return kept, _duplicates(older, extra)


def _unique(exchanges: pl.DataFrame) -> pl.DataFrame:
    """Name every later row under a taken id after the place it stands in."""
    later = ~pl.col("id").is_first_distinct()
    renamed = exchanges.filter(later)
    taken = set(exchanges["id"])
    names = []
    for source in renamed["source"]:
        name = source
        while name in taken:  # some log's own ids look like places
            name += "'"
        taken.add(name)
        names.append(name)
    places = exchanges.select(later.arg_true()).to_series()
    return exchanges.with_columns(id=exchanges["id"].scatter(places, names))


def _duplicates(repeated: pl.DataFrame, extra: list[str]) -> pl.DataFrame:
    return repeated.select(
        "source",
        pl.concat_str(pl.lit("duplicate of "), "_first").alias("reason"),
        pl.col("messages").str.slice(0, EXCERPT).alias("excerpt"),
        *extra,
    )
