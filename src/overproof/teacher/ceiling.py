"""How often the teacher agrees with itself: the ceiling over every student that is held against its answers."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from overproof.core.chance import draws
from overproof.core.types import Ceiling, PromptId, Reading
from overproof.proof.ceiling import upper_bound
from overproof.teacher.answers import Missing

LEARNING = ("train", "tune")


def drawn(requests: pl.DataFrame, count: int, seed: str) -> tuple[PromptId, ...]:
    """Return `count` prompts of train and tune, drawn by hash, each from another unit; fewer when there are fewer."""
    learning = requests.filter(pl.col("split").is_in(LEARNING)).select("prompt_id", "unit").unique()
    places = learning.with_columns(pl.Series("place", draws(seed, learning["prompt_id"]), dtype=pl.Float64))
    chosen = places.sort("place", "prompt_id").unique("unit", keep="first", maintain_order=True).head(count)
    return tuple(map(PromptId, chosen["prompt_id"]))


def pairs_to_ask(requests: pl.DataFrame, completions: pl.DataFrame, count: int, seed: str) -> Missing:
    """Return the samples to ask for so that `count` drawn prompts have two answers each.

    `completions` are what there is or will be without this: a drawn prompt that was logged twice costs nothing. Prompts
    of the evaluation window are never asked twice for this.
    """
    held = dict(completions.group_by("prompt_id").agg(pl.col("sample").max() + 1).iter_rows())
    return tuple((name, sample) for name in drawn(requests, count, seed) for sample in range(held.get(name, 0), 2))


def ceiling(
    completions: pl.DataFrame, prompts: pl.DataFrame, read: Callable[[str | None], Reading], level: float
) -> Ceiling:
    """Return how often two answers of the teacher to one prompt agree, and the bound that follows for any student.

    One pair a prompt, its first two answers, and one prompt a unit, for pairs of one unit are not independent.
    `prompts` (a table of `Prompt`) says which may count. Answers are compared in normal form; one that cannot be read
    agrees with nothing. The bound is exact and too low with probability at most `level`.
    """
    pairs = _pairs(completions, prompts)
    readings = {text: read(text).answer for text in pl.concat([pairs["first"], pairs["second"]]).unique()}
    forms = ((readings[first], readings[second]) for first, second in pairs.select("first", "second").iter_rows())
    agreeing = sum(first is not None and first == second for first, second in forms)
    return Ceiling(
        pairs=pairs.height,
        agreeing=agreeing,
        agreement=agreeing / pairs.height if pairs.height else None,
        upper=upper_bound(agreeing, pairs.height, level) if pairs.height else 1.0,
        level=level,
        source=_source(pairs),
    )


def _pairs(completions: pl.DataFrame, prompts: pl.DataFrame) -> pl.DataFrame:
    """Return `first`, `second` (texts) and `asked` (whether the second was bought for it), one row a unit."""
    units = prompts.select(pl.col("id").alias("prompt_id"), "unit")
    answered = completions.filter(pl.col("error").is_null() & pl.col("text").is_not_null()).sort("prompt_id", "sample")
    twice = answered.group_by("prompt_id", maintain_order=True).agg(
        pl.col("text").first().alias("first"),
        pl.col("text").get(1, null_on_oob=True).alias("second"),
        pl.col("source").get(1, null_on_oob=True).ne("log").alias("asked"),
    )
    pairs = twice.filter(pl.col("second").is_not_null()).join(units, on="prompt_id", how="inner", maintain_order="left")
    return pairs.unique("unit", keep="first", maintain_order=True)


def _source(pairs: pl.DataFrame) -> str:
    asked = int(pairs["asked"].sum())
    if not pairs.height:
        return "nothing was asked twice"
    if asked == pairs.height:
        return "asked again"
    return f"repeats in the log, and {asked} asked again" if asked else "repeats in the log"
