"""Count what each task's calls cost, how long they took, how often they repeat and how often their answers fail."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overproof.discovery.kinds import Nature
from overproof.discovery.records import LEVEL, Faults, Rate, rate
from overproof.models.prices import BYTES_PER_TOKEN, price
from overproof.proof.ceiling import upper_bound
from overproof.tasks.cached import from_cache
from overproof.tasks.evidence import CUT

JUDGED = 5_000
"""Calls drawn to be read one by one."""
PAIRS = 2_000
"""Prompts asked twice that are compared, at most."""
OUTPUT_WEIGHT = 4
"""What an output token costs in input tokens, where no price is known."""
WHOLE = ~pl.col("finish_reason").is_in(CUT).fill_null(value=False)

Cluster = Callable[[pl.Series], NDArray[np.int64]]
"""Returns the group of near-duplicates each text is in."""
Declines = Callable[[str], bool]
"""Says whether a text is a refusal."""


def with_costs(exchanges: pl.DataFrame) -> pl.DataFrame:
    """Add `tokens_in`, `tokens_out` (estimated where the log has none), `usd` (null where unknown) and `weight`."""
    said = {name: pl.col(name).str.len_bytes() / BYTES_PER_TOKEN for name in ("messages", "answer")}
    rows = exchanges.with_columns(
        tokens_in=pl.coalesce("input_tokens", said["messages"].ceil().cast(pl.Int64)).fill_null(0),
        tokens_out=pl.coalesce("output_tokens", said["answer"].ceil().cast(pl.Int64)).fill_null(0),
        cached=from_cache(),
    )
    names = rows.select("model", "answered_by").unique(maintain_order=True)
    prices = [price(model) or price(answered) for model, answered in names.iter_rows()]
    names = names.with_columns(
        price_in=pl.Series([each and each.input for each in prices], dtype=pl.Float64),
        price_out=pl.Series([each and each.output for each in prices], dtype=pl.Float64),
    )
    rows = rows.join(names, on=["model", "answered_by"], how="left", maintain_order="left")
    listed = (pl.col("tokens_in") * pl.col("price_in") + pl.col("tokens_out") * pl.col("price_out")) / 1e6
    logged = pl.when(pl.col("cost_usd") > 0).then("cost_usd")  # 0 stands for "not said"
    failed = pl.col("answer").is_null()
    return rows.with_columns(
        usd=pl.coalesce(logged, pl.when(pl.col("cached") | failed).then(0.0), listed),
        weight=pl.when(pl.col("cached") | failed)
        .then(0)
        .otherwise(pl.col("tokens_in") + OUTPUT_WEIGHT * pl.col("tokens_out")),
    ).drop("price_in", "price_out")


def dollars(rows: pl.DataFrame) -> float | None:
    """Return what the calls with a known price cost; None where only calls that cost nothing have one."""
    total = float(rows["usd"].sum())
    return total if total or not rows["usd"].null_count() else None


def repeats(rows: pl.DataFrame) -> Rate:
    """Return how many of a task's calls ask exactly what an earlier one asked."""
    return rate(rows.height - rows["request"].n_unique(), rows.height)


def consistency(rows: pl.DataFrame, nature: Nature, teacher: str, cluster: Cluster) -> tuple[Rate, float | None]:
    """Return how often the teacher gave one prompt the same answer twice, and the ceiling on agreement that follows.

    The first two answers to each prompt that was asked twice, one prompt for each group of near-duplicates. Answers
    are compared in normal form, and one without agrees with nothing.
    """
    answered = rows.filter(pl.col("answer").is_not_null() & (pl.col("model") == teacher) & ~pl.col("cached"))
    twice = answered.group_by("request", maintain_order=True).agg(
        first=pl.col("answer").first(),
        second=pl.col("answer").get(1, null_on_oob=True),
        asked=pl.col("asked").first(),
        place=pl.col("place").first(),
    )
    pairs = twice.filter(pl.col("second").is_not_null()).sort("place").head(PAIRS)
    if pairs.is_empty():
        return rate(0, 0), None
    pairs = pairs.with_columns(unit=pl.Series(cluster(pairs["asked"]))).unique(
        "unit", keep="first", maintain_order=True
    )
    forms = ((nature.normal(one), nature.normal(other)) for one, other in pairs.select("first", "second").iter_rows())
    agreeing = sum(one is not None and one == other for one, other in forms)
    return rate(agreeing, pairs.height), upper_bound(agreeing, pairs.height, LEVEL)


def faults(rows: pl.DataFrame, nature: Nature, declines: Declines) -> Faults:
    """Return how often calls fail, are cut off, refused, or answered in another form than the kind's."""
    answered = rows["answer"].len() - rows["answer"].null_count()
    cut = int((rows["answer"].is_not_null() & rows.select(~WHOLE).to_series()).sum())
    drawn = rows.sort("place").head(JUDGED)
    said = drawn.filter(pl.col("answer").is_not_null())
    read = _judged(said["answer"], nature, declines)
    judged = said.select("place", "answer", whole=WHOLE).join(read, on="answer", how="left", maintain_order="left")
    formed = judged.filter(pl.col("whole") & ~pl.col("refused"))
    well = formed.filter("formed").height
    return Faults(
        failed=rate(rows.height - answered, rows.height),
        cut=rate(cut, answered),
        refused=rate(int(judged["refused"].sum()), judged.height),
        format=rate(formed.height - well, formed.height),
        any=rate(drawn.height - well, drawn.height),
    )


def _judged(answers: pl.Series, nature: Nature, declines: Declines) -> pl.DataFrame:
    """Return `answer`, `refused`, `formed`; each distinct answer is read once. A label is no refusal."""
    distinct = answers.unique().to_list()
    labels = frozenset(nature.labels)
    refused = [text not in labels and declines(text) for text in distinct]
    formed = [nature.is_of_form(text) for text in distinct]
    schema = {"answer": pl.String, "refused": pl.Boolean, "formed": pl.Boolean}
    return pl.DataFrame({"answer": distinct, "refused": refused, "formed": formed}, schema=schema)
