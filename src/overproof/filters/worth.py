"""What asking again was worth, held against gold. It only describes: it is called after everything is decided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

from overproof.core.types import Kept
from overproof.proof import binomial

LEVEL: Final = 0.025
"""On each side of an interval."""


@dataclass(frozen=True)
class Way:
    """One way of sampling, and the labels it leaves."""

    name: Literal["first answer", "targeted", "random"]
    labels: pl.DataFrame
    """`prompt_id` and `answer` of what is kept."""
    costs: pl.DataFrame
    """`prompt_id`, `answers` beyond the first ones and `usd` spent on it; prompts that cost nothing may be missing."""
    among: pl.Series | None = None
    """Ids of the prompts it is measured on; None for all."""


def worth(dealt: pl.DataFrame, requests: pl.DataFrame, ways: Iterable[Way], slices: Iterable[str]) -> Iterator[Kept]:
    """Yield a row for each way and each of `slices` that holds prompts gold is known for, `all` first.

    `dealt` comes from `sift.dealt`; `requests` is a table of `Request`, and this is the one place of the stage that
    reads its gold. Every prompt counts once, whatever its weight; intervals are exact for prompts that are independent.
    The first of `ways` says what was right before.
    """
    gold = requests.filter(pl.col("gold").is_not_null()).group_by("prompt_id").agg(pl.col("gold").first())
    known = dealt.select("prompt_id", "slices").join(gold, on="prompt_id", maintain_order="left")
    ways = list(ways)
    first = ways[0].labels.select("prompt_id", pl.col("answer").alias("before"))
    known = known.join(first, on="prompt_id", how="left", maintain_order="left")
    for name in dict.fromkeys(("all", *slices)):
        inside = known if name == "all" else known.filter(pl.col("slices").list.contains(name))
        for way in ways:
            mine = inside if way.among is None else inside.filter(pl.col("prompt_id").is_in(way.among.implode()))
            if mine.height:
                yield _kept(way, name, mine)


def _kept(way: Way, name: str, prompts: pl.DataFrame) -> Kept:
    table = prompts.join(way.labels.select("prompt_id", "answer"), on="prompt_id", how="left")
    table = table.join(way.costs, on="prompt_id", how="left")
    kept = table["answer"].len() - table["answer"].null_count()
    right = int((table["answer"] == table["gold"]).sum())
    return Kept(
        way=way.name,
        slice=name,
        prompts=table.height,
        right_before=int((table["before"] == table["gold"]).sum()),
        kept=kept,
        right=right,
        lower=float(binomial.lower(right, kept, LEVEL)),
        upper=float(binomial.upper(right, kept, LEVEL)),
        resampled=int((table["answers"] > 0).sum()),
        usd=float(table["usd"].sum()),
    )
