"""Find the tasks in a table of exchanges, and say of each what it is, what it costs, and what a student could take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from overproof.discovery import measure, merging, scope
from overproof.discovery.describe import ANSWERS, Frame, Help, describe, sampled
from overproof.discovery.grouping import group
from overproof.discovery.kinds import Nature, nature
from overproof.discovery.measure import WHOLE
from overproof.discovery.records import Discovery
from overproof.discovery.requests import parts

PROBED = 5
"""Tasks that are probed, those with the largest share of spend first."""
UNPRICED = 0.05
"""Share of unpriced calls up to which shares of spend are of dollars."""


@dataclass(frozen=True)
class Discovered:
    """What was found, and where each call belongs."""

    record: Discovery
    task: pl.Series
    """The number of each exchange's task, aligned with the table; null for those in none."""


def discover(
    exchanges: pl.DataFrame, help_: Help, *, alpha: float = 0.05, confidence: float = 0.95, seed: str = "discover"
) -> Discovered:
    """Return the tasks in `exchanges` (a table of `Exchange`).

    Calls are grouped by instructions, tools, response format and the template of the user's turn; wordings that differ
    by little and are answered alike are versions of one task. Samples are drawn by hash of the calls' ids under `seed`.
    """
    rows = measure.with_costs(exchanges).hstack(parts(exchanges, seed))
    grouped = group(rows)
    rows = rows.with_columns(grouped.cell)
    natures = _natures(rows, len(grouped.cells), help_)
    merged = merging.merge(grouped.cells, natures)
    dollars = rows["usd"].null_count() <= UNPRICED * rows.height
    spend = pl.col("usd").fill_null(0.0) if dollars else pl.col("weight").cast(pl.Float64)
    rows = rows.with_columns(spend=spend, task=_mapped(rows["cell"], dict(enumerate(merged))))
    number = _by_spend(rows)
    rows = rows.with_columns(task=_mapped(rows["task"], number))
    wheres = scope.conditions(rows["metadata"], rows["task"], len(number))
    named = scope.naming(wheres)
    about = Frame(rows.height, float(rows["spend"].sum()), help_, alpha, confidence, seed)
    tables = rows.partition_by("task", as_dict=True)
    found = []
    probed = 0
    for task in range(1, len(number) + 1):
        cells = {i: cell for i, cell in enumerate(grouped.cells) if number[merged[i]] == task}
        own = tables[(task,)]
        its = natures[next(iter(cells))] if len(cells) == 1 else nature(sampled(own), help_.find_labels)
        worth = len(its.labels) > 1 and probed < PROBED
        probed += worth
        found.append(
            describe(
                task, own, cells, its, about, where=wheres[task - 1], named=wheres[task - 1] in named, probed=worth
            )
        )
    record = Discovery(
        calls=rows.height,
        usd=measure.dollars(rows),
        unpriced=rows["usd"].null_count(),
        spend_by="dollars" if dollars else "tokens",
        tasks=tuple(found),
        rest=rows["task"].null_count(),
    )
    return Discovered(record, rows["task"])


def _natures(rows: pl.DataFrame, cells: int, help_: Help) -> list[Nature]:
    """Return what the answers to each wording are, from those of the model that answered most of its calls."""
    counts = rows.group_by("cell", "model").len().sort("len", "model", descending=[True, False])
    teachers = counts.unique("cell", keep="first", maintain_order=True).select("cell", "model")
    whole = rows.lazy().filter(WHOLE & pl.col("answer").is_not_null()).select("cell", "model", "place", "answer")
    drawn = (
        whole.join(teachers.lazy(), on=["cell", "model"], how="semi")
        .sort("place")
        .group_by("cell", maintain_order=True)
        .head(ANSWERS)
        .collect()
    )
    answers = drawn.partition_by("cell", as_dict=True)
    none = pl.Series("answer", [], dtype=pl.String)
    return [nature(answers[(i,)]["answer"] if (i,) in answers else none, help_.find_labels) for i in range(cells)]


def _by_spend(rows: pl.DataFrame) -> dict[int, int]:
    """Return the number of each task, from 1: those of the largest spend first, then of the most calls."""
    totals = rows.filter(pl.col("task").is_not_null()).group_by("task").agg(pl.col("spend").sum(), pl.len())
    order = totals.sort("spend", "len", "task", descending=[True, True, False])["task"].to_list()
    return {task: place + 1 for place, task in enumerate(order)}


def _mapped(column: pl.Series, values: Mapping[int, int]) -> pl.Series:
    return column.replace_strict(values, default=None, return_dtype=pl.Int32)
