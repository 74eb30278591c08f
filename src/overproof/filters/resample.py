"""Which prompts are asked again, how often at most, and how far each has come."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from overproof.filters.agreement import ballots, tally


def targets(
    dealt: pl.DataFrame, doubted: pl.DataFrame, *, hard: int, critical: int, slices: Collection[str]
) -> pl.DataFrame:
    """Return who may be asked again: `prompt_id` and `cap`, answers at most, the first included.

    Doubted prompts may have `hard`, training prompts in one of the critical `slices` may have `critical`, whichever is
    more. Whoever may have one answer only is left out: nothing is bought for it.
    """
    is_doubted = pl.col("prompt_id").is_in(doubted["prompt_id"].implode())
    in_critical = pl.col("slices").list.set_intersection(list(slices)).list.len() > 0
    cap = pl.max_horizontal(
        pl.when(is_doubted).then(hard).otherwise(1),
        pl.when(in_critical & (pl.col("split") == "train")).then(critical).otherwise(1),
    )
    return dealt.select("prompt_id", cap.cast(pl.Int64).alias("cap")).filter(pl.col("cap") > 1)


def progress(judged: pl.DataFrame, targets: pl.DataFrame) -> pl.DataFrame:
    """Return how far the vote on each of `targets` has come: what `agreement.open_votes` reads.

    Repeats in the log that have no voice of their own do not count as answers asked for; rejected answers do.
    """
    voices = ballots(judged)
    silent = judged.filter(pl.col("rule").is_not_null()).group_by("prompt_id").agg(pl.len().alias("rejected"))
    counted = tally(voices).select("prompt_id", "top", "samples")
    table = targets.join(counted, on="prompt_id", how="left", maintain_order="left")
    table = table.join(silent, on="prompt_id", how="left", maintain_order="left").with_columns(
        pl.col("top", "samples", "rejected").fill_null(0).cast(pl.Int64)
    )
    return table.with_columns((pl.col("samples") + pl.col("rejected")).alias("asked")).drop("rejected")
