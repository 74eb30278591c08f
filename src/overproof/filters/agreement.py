"""Votes: what several samples of one prompt say together."""

from __future__ import annotations

import polars as pl

from overproof.core.chance import canonical


def vote(ballots: pl.DataFrame) -> pl.DataFrame:
    """Count the samples of each prompt.

    `ballots` has columns `prompt_id` and `answer`, one row per accepted sample. Returns one row per prompt, in order
    of first appearance: `prompt_id`; `answer`, given by more than half of the samples (null where none was: a tie or a
    mere plurality is disagreement); `samples`, how many voted; and `votes`, the share of each answer as JSON text.
    """
    counts = ballots.group_by("prompt_id", "answer", maintain_order=True).agg(pl.len().alias("count"))
    tallies = (
        counts.sort("answer")
        .group_by("prompt_id")
        .agg(
            pl.col("answer").sort_by("count", descending=True).first().alias("leader"),
            pl.col("count").max().alias("most"),
            pl.col("count").sum().alias("samples"),
            pl.col("answer").alias("answers"),
            pl.col("count").alias("counts"),
        )
    )
    order = ballots.select(pl.col("prompt_id").unique(maintain_order=True))
    counted = order.join(tallies, on="prompt_id", how="left", maintain_order="left")
    majority = pl.when(pl.col("most") * 2 > pl.col("samples")).then("leader")
    return counted.select("prompt_id", majority.alias("answer"), "samples", _shares(counted))


def _shares(counted: pl.DataFrame) -> pl.Series:
    """Return the share of each answer as JSON; the same ballots come up again and again, so each is written once."""
    written: dict[tuple[tuple[str, ...], tuple[int, ...]], str] = {}
    column = []
    for answers, counts in counted.select("answers", "counts").iter_rows():
        ballot = (tuple(answers), tuple(counts))
        if ballot not in written:
            total = sum(counts)
            shares = {answer: count / total for answer, count in zip(answers, counts, strict=True)}
            written[ballot] = canonical(shares).decode()
        column.append(written[ballot])
    return pl.Series("votes", column, dtype=pl.String)
