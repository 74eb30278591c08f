"""Hold a candidate's predictions against the evidence, request by request, and group what comes out by unit.

`score` says how right everybody is; `route` says who answers at a threshold and what the system of student and teacher
is then worth; `Units` turns request columns into the unit-level arrays that bounds and bets read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overproof.core import chance
from overproof.core.protocols import Task
from overproof.core.types import Reference
from overproof.proof import betting, confidence

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]

_DAY = 86_400e6
"""Microseconds."""


def score(
    evidence: pl.DataFrame,
    predictions: pl.DataFrame,
    task: Task,
    reference: Reference,
    shifts: Mapping[str, float] | None = None,
) -> pl.DataFrame:
    """Return `evidence` with what the candidate says and how right it and the teacher are.

    Adds `predicted`, `own_confidence` (as predicted, 0 where it has nothing to say), `confidence` (the same after
    `shifts`, what thresholds are held against), `own_cost`, `own_latency_ms`, `student` and `teacher_score` in [0, 1].
    Against reference `teacher` the teacher is right by definition. A request without a
    reference is wrong for both; one without a prediction is wrong for the student.

    Raises:
        ValueError: two predictions for one prompt, or a confidence outside [0, 1].
    """
    if predictions["prompt_id"].n_unique() != predictions.height:
        raise ValueError("a prompt has two predictions; which one counts must not be open")
    said = predictions.select(
        "prompt_id",
        predicted="answer",
        confidence=pl.when(pl.col("answer").is_not_null()).then("confidence").otherwise(0.0),
        own_cost="cost_usd",
        own_latency_ms="latency_ms",
    )
    if not said["confidence"].is_between(0.0, 1.0).all():
        raise ValueError("a confidence lies outside [0, 1], or is missing")
    rows = evidence.join(said, on="prompt_id", how="left", maintain_order="left")
    rows = rows.with_columns(pl.col("confidence", "own_cost").fill_null(0.0))
    rows = rows.with_columns(shifted(rows, shifts or {}), own_confidence="confidence")
    rows = _scored(rows, "predicted", "student", task)
    if reference == "teacher":
        return rows.with_columns(teacher_score=pl.col("reference").is_not_null().cast(pl.Float64))
    return _scored(rows, "teacher", "teacher_score", task)


def _scored(rows: pl.DataFrame, answer: str, name: str, task: Task) -> pl.DataFrame:
    """Add `name`: the task's score of column `answer`; each distinct (answer, reference) is scored once."""
    pairs = rows.filter(pl.col("reference").is_not_null()).select(answer, "reference").unique()
    scores = [task.score(said, right) for said, right in pairs.iter_rows()]
    pairs = pairs.with_columns(pl.Series(name, scores, dtype=pl.Float64))
    joined = rows.join(pairs, on=[answer, "reference"], how="left", nulls_equal=True, maintain_order="left")
    return joined.with_columns(pl.col(name).fill_null(0.0))


def shifted(rows: pl.DataFrame, shifts: Mapping[str, float]) -> pl.Series:
    """Return `confidence` of `rows` after `shifts`, which are log-odds by slice.

    A request in several of the slices gets the lowest of their shifts, one in none keeps its confidence.
    """
    lowest = np.full(rows.height, np.inf)
    for name, shift in shifts.items():
        inside = rows["slices"].list.contains(name).to_numpy()
        lowest[inside] = np.minimum(lowest[inside], shift)
    moved = confidence.shifted(rows["confidence"].to_numpy(), np.where(np.isinf(lowest), 0.0, lowest))
    return pl.Series("confidence", moved)


def route(scored: pl.DataFrame, threshold: float | None, always_teacher: Collection[str]) -> pl.DataFrame:
    """Return `scored` with who answers and what the system is worth.

    Adds `answered`, `system` (score), `system_cost` and `difference`, the system's score minus the teacher's. The
    candidate is charged for every request, also where the teacher answers in the end.

    Without a reference the system counts as wrong whoever answers, and the difference is what it is at worst: 0 where
    the system gives the teacher's own answer, -1 elsewhere.
    """
    sure = pl.col("predicted").is_not_null() & (pl.col("confidence") >= (2.0 if threshold is None else threshold))
    closed = pl.col("slices").list.eval(pl.element().is_in(list(always_teacher))).list.any()
    rows = scored.with_columns(answered=sure & ~closed if always_teacher else sure)
    same = ~pl.col("answered") | pl.col("predicted").eq_missing(pl.col("teacher"))
    at_worst = pl.when(same).then(0.0).otherwise(-1.0)
    rows = rows.with_columns(
        system=pl.when("answered").then("student").otherwise("teacher_score"),
        system_cost=pl.col("own_cost") + pl.when("answered").then(0.0).otherwise("teacher_cost"),
    )
    known = pl.col("reference").is_not_null()
    return rows.with_columns(
        difference=pl.when(known).then(pl.col("system") - pl.col("teacher_score")).otherwise(at_worst)
    )


@dataclass(frozen=True)
class Units:
    """Requests grouped into units of evidence. Nothing here has seen a score."""

    code: Rows
    """Unit of each request; units are numbered in the order they are bet on."""
    place: Floats
    """The request's own draw in [0, 1): the lowest of a unit is the one that stands for it."""
    member: Mapping[str, Mask]
    """For each slice, which requests are in it."""
    days: float | None = None
    """Time the requests span."""

    @classmethod
    def of(cls, evidence: pl.DataFrame, seed: str) -> Units:
        """Group `evidence`; order of units and draws of requests are hashes under `seed`."""
        names = evidence["unit"].unique().sort()
        position = np.empty(len(names), dtype=np.intp)
        position[betting.order(names.to_list(), seed)] = np.arange(len(names))
        code = position[evidence["unit"].rank("dense").to_numpy().astype(np.intp) - 1]
        place = np.array(chance.draws(f"{seed}/request", evidence["request_id"].to_list()))
        found = evidence["slices"].explode().drop_nulls().unique().to_list()
        member = {name: evidence["slices"].list.contains(name).to_numpy() for name in sorted(found)}
        member["all"] = np.ones(len(code), dtype=bool)
        return cls(code, place, member, _days(evidence["at"]))

    def mask(self, slice_: str) -> Mask:
        """Return which requests are in a slice; a slice nobody is in has none."""
        return self.member.get(slice_, np.zeros(len(self.code), dtype=bool))

    def count(self, slice_: str) -> int:
        """Return the number of units with a request in the slice."""
        return len(np.unique(self.code[self.mask(slice_)]))

    def means(self, values: NDArray[np.generic], slice_: str) -> tuple[Floats, Floats]:
        """Return mean of `values` and number of requests for each unit in the slice, in the order of the bet."""
        inside = self.mask(slice_)
        counts = np.bincount(self.code[inside]).astype(np.float64)
        sums = np.bincount(self.code[inside], values[inside].astype(np.float64))
        seen = counts > 0
        return sums[seen] / counts[seen], counts[seen]

    def drawn(self, slice_: str) -> Rows:
        """Return one request for each unit in the slice, drawn before anything was scored: exact tests read these."""
        by_draw = self._by_draw[self.mask(slice_)[self._by_draw]]
        _, first = np.unique(self.code[by_draw], return_index=True)
        return by_draw[first]

    @cached_property
    def _by_draw(self) -> Rows:
        return np.argsort(self.place, kind="stable")

    def days_for(self, more: int | None, slice_: str) -> float | None:
        """Return the days of traffic that bring `more` units to the slice, at the rate seen here."""
        seen = self.count(slice_)
        if more is None or not self.days or not seen:
            return None
        return more * self.days / seen


def _days(at: pl.Series) -> float | None:
    first, last = at.drop_nulls().dt.epoch("us").min(), at.drop_nulls().dt.epoch("us").max()
    if not isinstance(first, int) or not isinstance(last, int) or last <= first:
        return None
    return (last - first) / _DAY
