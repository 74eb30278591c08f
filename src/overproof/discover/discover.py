"""Find the tasks in a table of exchanges, and say of each what it is, what it costs, and what a student could take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import polars as pl

from overproof.core.protocols import StudentKind
from overproof.discover import measure, merging, scope, skeletons
from overproof.discover.grouping import VARIANTS, VARY, Cell, group
from overproof.discover.kinds import FindLabels, Nature, nature
from overproof.discover.measure import WHOLE, Cluster, Declines
from overproof.discover.probe import probe
from overproof.discover.records import Discovery, Found, LabelShare, Probe, Version, rate
from overproof.discover.requests import parts
from overproof.discover.says import name_of, sentence
from overproof.tasks.classify import Classify
from overproof.tasks.templates import Template, parse

ANSWERS = 3_000
"""Answers of a wording that its kind is read from, and from which labels' shares are counted."""
FITTING = 0.999
"""Share of the user's turns that must fit a template for it to be the task's."""
PROBED = 5
"""Tasks that are probed, those of the largest share of spend first."""
UNPRICED = 0.05
"""Share of unpriced calls up to which shares of spend are of dollars."""


@dataclass(frozen=True)
class Tools:
    """What discovery is handed: the work of other stages."""

    find_labels: FindLabels
    declines: Declines
    cluster: Cluster
    student: StudentKind | None
    """None: no task is probed."""


@dataclass(frozen=True)
class Discovered:
    """What was found, and where each call belongs."""

    record: Discovery
    task: pl.Series
    """The number of each exchange's task, aligned with the table; null for those in none."""


@dataclass(frozen=True)
class _Draft:
    """A task before it has a number."""

    cells: Sequence[Cell]
    nature: Nature
    teacher: str
    rows: pl.DataFrame


def discover(
    exchanges: pl.DataFrame, tools: Tools, *, alpha: float = 0.05, confidence: float = 0.95, seed: str = "discover"
) -> Discovered:
    """Return the tasks in `exchanges` (a table of `Exchange`).

    Calls are grouped by instructions, tools, response format and the template of the user's turn; wordings that differ
    by little and are answered alike are versions of one task. Samples are drawn by hash of the calls' ids under `seed`.
    """
    rows = measure.with_costs(exchanges).hstack(parts(exchanges, seed))
    grouped = group(rows)
    rows = rows.with_columns(grouped.cell)
    natures = [_nature(each, tools) for each in _each(rows, "cell", len(grouped.cells))]
    merged = merging.merge(grouped.cells, natures)
    rows = rows.with_columns(draft=rows["cell"].replace_strict(list(range(len(merged))), merged, return_dtype=pl.Int32, default=None))
    by_dollars = rows["usd"].null_count() <= UNPRICED * rows.height
    rows = rows.with_columns(spend=pl.col("usd").fill_null(0.0) if by_dollars else pl.col("weight").cast(pl.Float64))
    order = _order(rows)
    number = rows["draft"].replace_strict(order, list(range(1, len(order) + 1)), return_dtype=pl.Int32, default=None)
    wheres = scope.conditions(exchanges["metadata"], number - 1, len(order))
    tables = _each(rows, "draft", len(order))
    total = rows["spend"].sum()
    found: list[Found] = []
    for place, draft in enumerate(order):
        mine = [i for i, task in enumerate(merged) if task == draft]
        its = _Draft([grouped.cells[i] for i in mine], *_settled(tables[draft], [natures[i] for i in mine], tools), tables[draft])
        share = its.rows["spend"].sum() / total if total else 0.0
        its = _described(its)
        found.append(_found(its, place + 1, wheres[place], share, rows.height))
    found = [_probed(each, tables[draft], tools, alpha, confidence, seed) for each, draft in zip(found, order, strict=True)]
    return Discovered(_record(rows, found, by_dollars), number.alias("task"))
