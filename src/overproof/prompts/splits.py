"""Four splits, dealt by a hash of the unit; an assignment, once made, is kept."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from overproof.core.chance import draws
from overproof.prompts.options import PromptsOptions

WINDOW = {"train": "training", "tune": "training", "calibrate": "evaluation", "test": "evaluation"}
STAYS = ("tune", "train", "calibrate", "test")
"""Where units merged and two splits of one window meet, the later of these stays and the other is dropped."""


@dataclass(frozen=True)
class Dealt:
    """The split of each request, and what to remember for the next run."""

    window: pl.Series
    """Window each request counts for: that of its remembered split, where it has one."""
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
    """
    known = _memory(remembered)
    rows = requests.select("id", "unit", timed="window").join(
        known, left_on="id", right_on="request_id", how="left", maintain_order="left"
    )
    rows = rows.rename({"split": "kept"}).with_columns(
        window=pl.col("kept").replace_strict(WINDOW, default=None, return_dtype=pl.String).fill_null(pl.col("timed"))
    )
    units = _unit_splits(rows, options)
    rows = rows.join(units, on=["unit", "window"], how="left", maintain_order="left")
    split = pl.when(pl.col("kept").is_null() | (pl.col("kept") == pl.col("split"))).then("split")
    rows = rows.with_columns(split=split)
    return Dealt(
        window=rows["window"],
        split=rows["split"],
        assignments=_remember(known, rows),
        moved=rows.filter(pl.col("window") != pl.col("timed")).height,
    )


def _memory(remembered: pl.DataFrame | None) -> pl.DataFrame:
    none = pl.DataFrame(schema={"request_id": pl.String, "split": pl.String})
    if remembered is None:
        return none
    return pl.concat([none, remembered.select("request_id", "split").drop_nulls()]).unique("request_id", keep="first")


def _unit_splits(rows: pl.DataFrame, options: PromptsOptions) -> pl.DataFrame:
    """Return the one split that each unit has in each window it stands in: the remembered one, or a draw."""
    rank = pl.col("kept").replace_strict({name: i for i, name in enumerate(STAYS)}, default=None, return_dtype=pl.Int8)
    units = rows.group_by("unit", "window").agg(rank.max().alias("rank")).sort("unit", "window")
    draw = pl.Series("draw", draws(f"{options.seed}/split", units["window"] + "/" + units["unit"]), dtype=pl.Float64)
    dealt = (
        pl.when(pl.col("window") == "training")
        .then(pl.when(pl.col("draw") < options.tune_share).then(pl.lit("tune")).otherwise(pl.lit("train")))
        .otherwise(pl.when(pl.col("draw") < options.test_share).then(pl.lit("test")).otherwise(pl.lit("calibrate")))
    )
    stays = pl.col("rank").replace_strict(dict(enumerate(STAYS)), default=None, return_dtype=pl.String)
    return units.with_columns(draw).select("unit", "window", split=stays.fill_null(dealt))


def _remember(known: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Add what was dealt now; a dropped request keeps what was remembered of it, so it is dropped again."""
    new = rows.filter(pl.col("kept").is_null()).select(request_id="id", split="split")
    return pl.concat([known, new]).sort("request_id")
