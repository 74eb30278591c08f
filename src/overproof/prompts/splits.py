"""Four splits, dealt by a hash of the unit; an assignment, once made, is kept."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from overproof.core.chance import draws
from overproof.core.tables import numbered
from overproof.prompts.options import PromptsOptions

WINDOW = {"train": "training", "tune": "training", "calibrate": "evaluation", "test": "evaluation"}
STAYS = ("tune", "train", "calibrate", "test")
"""Where units merged and two splits of one window meet, the later of these stays and the other is dropped."""


@dataclass(frozen=True)
class Dealt:
    """The split of each request, and what to remember for the next run."""

    window: pl.Series
    """Window each request counts for: that of its remembered split, where it has one."""
    side: pl.Series
    """Window that the request's unit is dealt in; the same, unless units belong to one as a whole."""
    split: pl.Series
    """`train`, `tune`, `calibrate` or `test`; null where the request was dropped."""
    assignments: pl.DataFrame
    """`request_id`, `split`: everything remembered so far, this run included."""
    moved: int = 0
    """Requests that count for another window than their time says, for an earlier run had dealt them."""


def deal(requests: pl.DataFrame, options: PromptsOptions, remembered: pl.DataFrame | None = None) -> Dealt:
    """Deal requests (`id`, `unit`, `window`) to splits, each window's units whole.

    A remembered request keeps its split and counts for that split's window, whatever its time: what was once judged
    upon is never learned from. New requests of a unit follow what is remembered of it in their window. Where units
    merged and both splits of a window meet in one, `test` stays rather than `calibrate`, and `train` rather than
    `tune`; the other side is dropped: its split is null.

    With a column `side` (a window, one for each unit, or null) a unit belongs to one window as a whole, and its
    requests in the other are dropped; without a side, all are. What is remembered of a unit decides its side, the later
    in the order tune, train, calibrate, test.
    """
    known = _memory(remembered)
    rows = requests.rename({"window": "timed"}).join(
        known.rename({"split": "kept"}), left_on="id", right_on="request_id", how="left", maintain_order="left"
    )
    rows = rows.with_columns(window=_window_of("kept").fill_null(pl.col("timed")), rank=_rank("kept"))
    rows = rows.with_columns(side=_side() if "side" in rows.columns else pl.col("window"))
    rows = rows.with_columns(_unit_splits(rows, options))
    stays = pl.col("kept").is_null() | (pl.col("kept") == pl.col("split"))
    rows = rows.with_columns(split=pl.when(stays & (pl.col("window") == pl.col("side"))).then("split"))
    return Dealt(
        window=rows["window"],
        side=rows["side"],
        split=rows["split"],
        assignments=_remember(known, rows),
        moved=rows.filter(pl.col("window") != pl.col("timed")).height,
    )


def _memory(remembered: pl.DataFrame | None) -> pl.DataFrame:
    none = pl.DataFrame(schema={"request_id": pl.String, "split": pl.String})
    if remembered is None:
        return none
    return pl.concat([none, remembered.select("request_id", "split").drop_nulls()]).unique("request_id", keep="first")


def _window_of(split: str) -> pl.Expr:
    return pl.col(split).replace_strict(WINDOW, default=None, return_dtype=pl.String)


def _rank(split: str) -> pl.Expr:
    order = {name: i for i, name in enumerate(STAYS)}
    return pl.col(split).replace_strict(order, default=None, return_dtype=pl.Int8)


def _side() -> pl.Expr:
    """Return the side that a unit's memory decides, else its own; of units without one only `test` is remembered."""
    last = pl.col("rank").max().over("unit")
    remembered = last.replace_strict(
        {i: WINDOW[name] for i, name in enumerate(STAYS)}, default=None, return_dtype=pl.String
    )
    known = pl.col("side").is_not_null() | (last == STAYS.index("test"))
    return pl.when(known).then(pl.coalesce(remembered, "side"))


def _unit_splits(rows: pl.DataFrame, options: PromptsOptions) -> pl.Series:
    """Return the `split` that the unit of each row has on its side, the remembered one or a draw, if it has a side."""
    number, first = numbered(rows.select("unit", "side"))
    units = rows.select("unit", "side")[first]
    rank = rows.select("rank").group_by(pl.Series("number", number), maintain_order=True).agg(pl.col("rank").max())
    known = (units["side"] + "/" + units["unit"]).fill_null("")
    draw = pl.Series("draw", draws(f"{options.seed}/split", known), dtype=pl.Float64)
    dealt = (
        pl.when(pl.col("side") == "training")
        .then(pl.when(pl.col("draw") < options.tune_share).then(pl.lit("tune")).otherwise(pl.lit("train")))
        .otherwise(pl.when(pl.col("draw") < options.test_share).then(pl.lit("test")).otherwise(pl.lit("calibrate")))
    )
    stays = pl.col("rank").replace_strict(dict(enumerate(STAYS)), default=None, return_dtype=pl.String)
    return units.with_columns(draw, rank["rank"]).select(split=stays.fill_null(dealt))["split"].gather(number)


def _remember(known: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Add what was dealt now; a dropped request keeps what was remembered of it, so it is dropped again."""
    new = rows.filter(pl.col("kept").is_null()).select(request_id="id", split="split").drop_nulls("split")
    return pl.concat([known, new]).sort("request_id")
