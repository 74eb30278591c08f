"""Lay out the evidence of a split: for every request, the right answer, the teacher's answer and what that cost.

No request leaves. Where no right answer can be had, `reference` is null and whoever answers is counted wrong, whatever
is said: the worst case. The one exception is declared by the user: gold known for a random sample of requests
(`gold_missing="random_sample"`), where requests outside the sample are left out; the height tells how many.
"""

from __future__ import annotations

from typing import Literal

import polars as pl

from overproof.core.errors import NotEnoughData
from overproof.core.protocols import Task
from overproof.core.types import Price, Reference
from overproof.tasks.cached import from_cache

COLUMNS = (
    "request_id",
    "prompt_id",
    "unit",
    "slices",
    "reference",
    "teacher",
    "teacher_cost",
    "teacher_latency_ms",
    "at",
)

CUT = ("length", "content_filter")
"""Finish reasons of answers that are not whole: they are no answer, even where the text can be read."""


def evidence(
    requests: pl.DataFrame,
    completions: pl.DataFrame,
    task: Task,
    reference: Reference,
    *,
    gold_missing: Literal["worst_case", "random_sample"] = "worst_case",
    price: Price | None = None,
) -> pl.DataFrame:
    """Return one row for each of `requests` (a table of `Request`, of one split), in their order.

    The teacher's answer is the request's own logged one where the teacher gave it whole and readable, else the first
    such answer to its prompt among `completions` (by sample), else null. Reference `teacher` is that answer; `gold` is
    the known right answer in normal form (one that the task cannot read stands as it is, and nothing equals it).

    The teacher's cost is what the log says, else nothing where a gateway's cache answered, else tokens x `price`, else
    the same of the prompt's completion, else the mean of all that are known here: an assumption, for requests that
    somebody else answered and nobody priced.

    Raises:
        NotEnoughData: no cost is known at all, or no request is left.
    """
    rows = with_teacher(requests.rename({"id": "request_id"}), completions, task, price)
    own = pl.col("by_teacher") & pl.col("read").is_not_null() & _whole()
    rows = rows.with_columns(
        teacher_latency_ms=pl.when(own).then("latency_ms").otherwise("asked_latency_ms"),
        known_cost=pl.coalesce(
            pl.when("by_teacher").then(pl.coalesce("cost_usd", _of_cache(), _from_tokens(price))), "asked_cost"
        ),
    )
    rows = _with_reference(rows, task, reference, gold_missing)
    if not rows.height:
        raise NotEnoughData("no request of this split has a right answer: widen gold.path or set gold.missing")
    return _with_cost(rows).select(COLUMNS)


def with_teacher(
    requests: pl.DataFrame, completions: pl.DataFrame, task: Task, price: Price | None = None
) -> pl.DataFrame:
    """Return `requests` in their order, with the `teacher`'s answer in normal form; null where none is usable."""
    answers = _read(pl.concat([requests["answer"], completions["text"]]), task)
    rows = requests.join(
        _first_usable(completions, answers, price), on="prompt_id", how="left", maintain_order="left"
    ).join(answers, left_on="answer", right_on="text", how="left", maintain_order="left")
    own = pl.col("by_teacher") & pl.col("read").is_not_null() & _whole()
    return rows.with_columns(teacher=pl.when(own).then("read").otherwise("asked"))


def _read(texts: pl.Series, task: Task) -> pl.DataFrame:
    """Return every distinct text with its normal form."""
    distinct = texts.drop_nulls().unique().to_list()
    read = [task.read(text).answer for text in distinct]
    return pl.DataFrame({"text": distinct, "read": read}, schema={"text": pl.String, "read": pl.String})


def _whole() -> pl.Expr:
    return ~pl.col("finish_reason").is_in(CUT).fill_null(value=False)


def _of_cache() -> pl.Expr:
    return pl.when(from_cache()).then(0.0)


def _from_tokens(price: Price | None) -> pl.Expr:
    if price is None:
        return pl.lit(None, dtype=pl.Float64)
    return (pl.col("input_tokens") * price.input + pl.col("output_tokens") * price.output) / 1e6


def _first_usable(completions: pl.DataFrame, answers: pl.DataFrame, price: Price | None) -> pl.DataFrame:
    """Return the lowest sample of each prompt that is whole and readable, with its cost where known."""
    paid = pl.when(pl.col("cost_usd") > 0).then("cost_usd")  # 0 stands for "not said" on logged answers
    return (
        completions.filter(_whole())
        .join(answers, on="text", how="inner", maintain_order="left")
        .filter(pl.col("read").is_not_null())
        .sort("prompt_id", "sample", maintain_order=True)
        .unique("prompt_id", keep="first", maintain_order=True)
        .select(
            "prompt_id",
            asked="read",
            asked_latency_ms="latency_ms",
            asked_cost=pl.coalesce(_from_tokens(price), paid),
        )
    )


def _with_reference(rows: pl.DataFrame, task: Task, reference: Reference, gold_missing: str) -> pl.DataFrame:
    if reference == "teacher":
        return rows.with_columns(reference="teacher")
    known = _read(rows["gold"], task).rename({"text": "gold", "read": "gold_read"})
    rows = rows.join(known, on="gold", how="left", maintain_order="left")
    rows = rows.with_columns(reference=pl.coalesce("gold_read", "gold"))
    return rows.filter(pl.col("reference").is_not_null()) if gold_missing == "random_sample" else rows


def _with_cost(rows: pl.DataFrame) -> pl.DataFrame:
    mean = rows["known_cost"].mean()
    if mean is None:
        raise NotEnoughData(
            "what the teacher costs is not known for a single request: the logs need costs, or token counts and "
            "`price = { input = ..., output = ... }` under [teacher] in overproof.toml"
        )
    return rows.with_columns(teacher_cost=pl.col("known_cost").fill_null(mean))
