"""Decide what is learned from: after the votes, after the verifier. What stays doubtful is left out, with the reason.

A prompt stays doubtful when

- it was asked again, and its samples differ without being settled; or
- it was doubted, and the chance that its answer is wrong, as far as it can be shown (`doubt.weigh`: `at_least`), is
  above one half: a person would bet against it.

A verifier is shown those, votes without a majority, and what was doubted and is wrong with a chance of one in ten or
more: there one wrong answer found is worth the few right ones that a verifier refutes by mistake. Its yes or no
decides; where it said neither, the above does. Nothing here reads gold.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from overproof.core import tables
from overproof.core.types import Doubtful
from overproof.filters.agreement import settled, shares
from overproof.filters.sift import AGREEMENT, DOUBT, SPLIT_VOTE

BET: Final = 0.5
SECOND_LOOK: Final = 0.1
REFUTED: Final = "the verifier says it is wrong"
UNSETTLED: Final = "its samples did not settle"
"""Reasons for leaving out, beside those of `filters/doubt.py`."""


def standing(weighed: pl.DataFrame, targets: pl.DataFrame, doubted: pl.DataFrame) -> pl.DataFrame:
    """Return how every prompt stands after the sampling: `weighed`, and what follows from it.

    `weighed` comes from `doubt.weigh` on all answers, `targets` from `resample.targets`, `doubted` from `doubt.doubted`
    on the first answers. Adds `votes`, the shares as JSON text; `settled`; and four claims: `tied`; `unsettled`, asked
    again in vain; `doubtful`; `questionable`, to be shown to a verifier.
    """
    asked_again = pl.col("prompt_id").is_in(targets["prompt_id"].implode())
    suspected = pl.col("prompt_id").is_in(doubted["prompt_id"].implode())
    convicted = suspected & (pl.col("at_least") > BET)
    table = weighed.with_columns(
        shares(weighed),
        settled().alias("settled"),
        (pl.col("top") * 2 <= pl.col("samples")).alias("tied"),
        (asked_again & ~settled() & (pl.col("samples") > 1)).alias("unsettled"),
    )
    return table.with_columns(
        (pl.col("tied") | pl.col("unsettled") | convicted).alias("doubtful"),
        (pl.col("tied") | pl.col("unsettled") | (suspected & (pl.col("doubt") >= SECOND_LOOK))).alias("questionable"),
    )


def fates(standing: pl.DataFrame, verdicts: pl.DataFrame) -> pl.DataFrame:
    """Return what becomes of each prompt, as `sift.sifted` wants it.

    `verdicts` has `prompt_id` and `confirmed`; null or no row where a verifier said nothing. A confirmed leader is
    learned although its vote is tied.
    """
    table = standing.join(verdicts, on="prompt_id", how="left", maintain_order="left")
    refuted, silent = pl.col("confirmed") == False, pl.col("confirmed").is_null()  # noqa: E712 - three values, not two
    out = refuted.fill_null(value=False) | (silent & pl.col("doubtful"))
    rule = pl.when(silent & pl.col("tied")).then(pl.lit(AGREEMENT)).otherwise(pl.lit(DOUBT))
    reason = (
        pl.when(~silent)
        .then(pl.lit(REFUTED))
        .when("tied")
        .then(pl.lit(SPLIT_VOTE))
        .when("unsettled")
        .then(pl.lit(UNSETTLED))
        .otherwise("because")
    )
    return table.select(
        "prompt_id",
        pl.when(~out).then("leader").alias("answer"),
        "votes",
        pl.when(out).then(rule).alias("rule"),
        pl.when(out).then(reason).alias("reason"),
    )


def review(dealt: pl.DataFrame, standing: pl.DataFrame, fates: pl.DataFrame) -> pl.DataFrame:
    """Return what was left out as a table of `Doubtful`, dearest first: doubt times how often it is asked."""
    out = fates.filter(pl.col("answer").is_null()).select("prompt_id", "reason")
    known = standing.select("prompt_id", "doubt", "votes", pl.col("leader").alias("answer"))
    table = dealt.join(out, on="prompt_id").join(known, on="prompt_id")
    order = table.sort(pl.col("doubt") * pl.col("weight"), "prompt_id", descending=[True, False])
    return order.select(pl.col(name).cast(kind) for name, kind in tables.schema(Doubtful).items())
