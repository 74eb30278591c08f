"""Group requests into cells, each of one wording: instructions, tools, response format and the user's template."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from overproof.discovery.skeletons import FEWEST, LEAST_SHARE, SAMPLE, Skeleton, skeletons

LEAST_CALLS = 20
LEAST_OF_ALL = 1e-4
"""Calls of a wording, at least, and its share of all; rarer ones are in no task."""
MOST_CELLS = 200
"""Wordings looked at, those with the most calls."""
VARIANTS = 8
"""A part that takes so many values is a slot; with fewer it is as many wordings."""
MOST_VARIANTS = 30
"""With more frequent values than this, nobody looks at each of them by itself."""
RARE_TOOLS = 0.01
"""Share of the calls with the same instructions below which a set of tools is rare."""
VARY = "*"
"""Stands for tools that differ from call to call."""
KEY = ("system", "family", "tools", "format")


@dataclass(frozen=True)
class Cell:
    """Requests of one wording."""

    system: str | None
    """Instructions; None where they have a slot and each value of it is rare."""
    family: str
    """What instructions made from one template, with one setting of parameters, have in common; "" for none."""
    opening: Skeleton
    """What is constant about the instructions of the family."""
    user: Skeleton | None
    """What is constant about the user's turn; None where it is free text."""
    tools: str
    """Names, comma between; `VARY`."""
    format: str
    calls: int

    @property
    def constant(self) -> str:
        """All that is constant about the request."""
        instructions = self.opening.constant if self.system is None else self.system
        return f"{instructions}\n{self.user.constant if self.user else ''}".strip()


@dataclass(frozen=True)
class Grouped:
    """Cells, and which of them each request is in."""

    cells: Sequence[Cell]
    cell: pl.Series
    """Int32, aligned with the requests; null for those in none."""


def group(parts: pl.DataFrame) -> Grouped:
    """Group a table of `requests.parts`."""
    families = _families(parts)
    keyed = _with_varying_tools(_with_families(parts, families))
    least = max(LEAST_CALLS, LEAST_OF_ALL * parts.height)
    counts = keyed.group_by(KEY).len("calls").filter(pl.col("calls") >= least)
    large = counts.sort("calls", *KEY, descending=[True] + [False] * len(KEY)).head(MOST_CELLS).with_row_index("key")
    keys = keyed.join(large, on=KEY, how="left", nulls_equal=True, maintain_order="left")["key"]
    found: list[Cell] = []
    cell = pl.repeat(None, parts.height, dtype=pl.Int32, eager=True).alias("cell")
    for row in large.iter_rows(named=True):
        mine = (keys == row["key"]).arg_true()
        for skeleton, inside in _by_template(parts["asked"].gather(mine), parts["place"].gather(mine)):
            rows = mine.filter(inside)
            cell = cell.scatter(rows, len(found))
            opening = families[int(row["family"].partition("/")[0])] if row["family"] else Skeleton()
            found.append(Cell(row["system"], row["family"], opening, skeleton, row["tools"], row["format"], len(rows)))
    return Grouped(found, cell)


def _families(parts: pl.DataFrame) -> list[Skeleton]:
    """Return what is constant about instructions that come in many variants."""
    distinct = parts.group_by("system").agg(pl.col("place").min())
    if distinct.height < VARIANTS:
        return []
    sample = distinct.sort("place", "system").head(SAMPLE)["system"].to_list()
    return skeletons([text for text in sample if text], max(VARIANTS, int(LEAST_SHARE * len(sample))))


def _with_families(parts: pl.DataFrame, families: Sequence[Skeleton]) -> pl.DataFrame:
    """Add `family` and set `system` to null where only the family counts."""
    if not families:
        return parts.with_columns(family=pl.lit(""))
    distinct = parts.group_by("system").agg(calls=pl.len())
    number = pl.lit(None, dtype=pl.String)
    for i, family in reversed(list(enumerate(families))):  # the most particular is asked first, so it is put on last
        number = pl.when(family.matches("system")).then(pl.lit(str(i))).otherwise(number)
    distinct = distinct.with_columns(skeleton=number)
    frequent = ((pl.col("calls") >= LEAST_CALLS).sum() <= MOST_VARIANTS).over("skeleton")
    stands = pl.col("skeleton").is_null() | ((pl.col("calls") >= LEAST_CALLS) & frequent)
    distinct = distinct.with_columns(stands=stands)
    rows = parts.join(distinct.drop("calls"), on="system", how="left", maintain_order="left")
    return rows.with_columns(
        family=pl.when(pl.col("skeleton").is_null())
        .then(pl.lit(""))
        .otherwise(pl.format("{}/{}", "skeleton", "settings")),
        system=pl.when("stands").then("system"),
    ).drop("skeleton", "stands")


def _with_varying_tools(keyed: pl.DataFrame) -> pl.DataFrame:
    """Replace tools by `VARY` where, under the same instructions, rare sets of tools are many."""
    counts = keyed.group_by("system", "family", "tools").len("calls")
    seldom = pl.col("calls") < RARE_TOOLS * pl.col("calls").sum().over("system", "family")
    rare = ((pl.col("calls") < LEAST_CALLS) | seldom) & (pl.col("tools") != "")
    many = rare.sum().over("system", "family") >= VARIANTS
    counts = counts.with_columns(varied=pl.when(rare & many).then(pl.lit(VARY)).otherwise("tools")).drop("calls")
    rows = keyed.join(counts, on=["system", "family", "tools"], how="left", nulls_equal=True, maintain_order="left")
    return rows.with_columns(tools="varied").drop("varied")


def _by_template(users: pl.Series, places: pl.Series) -> Iterator[tuple[Skeleton | None, pl.Series]]:
    """Yield each template that enough of the user's turns were made from, and which rows those are; then the rest."""
    table = pl.DataFrame({"asked": users, "place": places})
    sample = table.group_by("asked").agg(pl.col("place").min()).sort("place", "asked").head(SAMPLE)["asked"].to_list()
    left = pl.repeat(value=True, n=len(users), eager=True)
    fewest = max(FEWEST, int(LEAST_SHARE * len(sample)))
    for skeleton in skeletons(sample, fewest) if len(sample) >= fewest else ():
        inside = table.select(skeleton.matches("asked")).to_series() & left
        if inside.sum() >= LEAST_CALLS:
            left &= ~inside
            yield skeleton, inside
    if left.sum() >= LEAST_CALLS:
        yield None, left
