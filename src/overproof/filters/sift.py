"""Sift the teacher's answers into examples and rejections, rule by rule; nothing is lost in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from overproof.core import tables
from overproof.core.protocols import Rule, Task
from overproof.core.types import Completion, Example, Funnel, FunnelRow, Prompt, Reading, Rejection
from overproof.filters.agreement import vote
from overproof.tasks.reading import read_column

MISSING: Final = "answered"
UNREAD: Final = "readable"
AGREEMENT: Final = "agreement"
"""Objections that do not come from the contract: no text, no meaning after all rules, no majority."""


@dataclass(frozen=True)
class Sifted:
    """What training may see, and what it must not with the reason."""

    examples: pl.DataFrame
    """Table of `Example`, in the order of the prompts."""
    rejections: pl.DataFrame
    """Table of `Rejection`, in the order of the completions."""
    funnel: Funnel


def sift(
    prompts: pl.DataFrame, requests: pl.DataFrame, completions: pl.DataFrame, task: Task, rules: Sequence[Rule]
) -> Sifted:
    """Keep the answers to train and tune prompts that every rule lets pass, and put them to the vote.

    `prompts`, `requests` and `completions` are tables of `Prompt`, `Request` and `Completion`. Prompts that no request
    of train or tune asked are left alone: filters thin training data, never the evidence. Gold is not read. The first
    rule to object is named; a prompt without an accepted answer, or whose accepted answers have no majority, yields no
    example.

    Raises:
        ValueError: a prompt stands in both train and tune, or a request's prompt is not among `prompts`.
    """
    dealt = _dealt(prompts, requests)
    judged = _judged(prompts, completions.join(dealt, on="prompt_id", maintain_order="left"), task, rules)
    votes = vote(judged.filter(pl.col("rule").is_null()))
    disagreed = votes.filter(pl.col("answer").is_null())
    examples = _examples(dealt, votes)
    rejections = _rejections(judged, disagreed)
    by_slice = _by_slice(dealt, examples)
    funnel = Funnel(
        prompts=dealt.height,
        completions=judged.height,
        recovered=int(judged.get_column("recovered").sum()),
        resampled=judged.filter(pl.col("prompt_id").is_duplicated()).get_column("prompt_id").n_unique(),
        rejected=rejections.height,
        disagreed=disagreed.height,
        examples=examples.height,
        rows=_rows(rejections, [rule.name for rule in rules], list(by_slice)),
        by_slice=by_slice,
    )
    return Sifted(examples=examples, rejections=rejections, funnel=funnel)


def _dealt(prompts: pl.DataFrame, requests: pl.DataFrame) -> pl.DataFrame:
    """Return the prompts of train and tune: `prompt_id`, `unit`, `input`, `split`, `weight`, `slices`."""
    asked = (
        requests.select("prompt_id", "split", "slices")  # gold and the logged answer stay outside
        .filter(pl.col("split").is_in(["train", "tune"]))
        .group_by("prompt_id", "split")
        .agg(
            pl.len().cast(pl.Float64).alias("weight"),
            pl.col("slices").explode(keep_nulls=False, empty_as_null=False).unique().sort(),
        )
    )
    if asked.get_column("prompt_id").is_duplicated().any():
        raise ValueError("a prompt stands in both train and tune")
    texts = prompts.select(pl.col("id").alias("prompt_id"), "unit", "input")
    dealt = texts.join(asked, on="prompt_id", maintain_order="left")
    if dealt.height != asked.height:
        raise ValueError("a request's prompt is missing from the prompts, or stands there twice")
    return dealt


def _judged(prompts: pl.DataFrame, answers: pl.DataFrame, task: Task, rules: Sequence[Rule]) -> pl.DataFrame:
    """Return `answers` with `answer`, `recovered`, `rule` and `reason` of the first objection (null: accepted)."""
    answer, recovered = read_column(task, answers.get_column("text"))
    judged = answers.with_columns(answer, recovered)
    asked = prompts.join(answers, left_on="id", right_on="prompt_id", how="semi")
    by_id = {prompt.id: prompt for prompt in tables.records(asked, Prompt)}
    objections = [
        _objection(by_id[completion.prompt_id], completion, Reading(answer=meaning, recovered=mended), rules)
        for completion, meaning, mended in zip(tables.records(answers, Completion), answer, recovered, strict=True)
    ]
    return judged.with_columns(
        pl.Series("rule", [rule for rule, _ in objections], dtype=pl.String),
        pl.Series("reason", [reason for _, reason in objections], dtype=pl.String),
    )


def _objection(
    prompt: Prompt, completion: Completion, reading: Reading, rules: Sequence[Rule]
) -> tuple[str | None, str | None]:
    """Return the first rule that objects, and why."""
    if completion.text is None:
        return MISSING, "no text" if completion.error is None else "the call failed"
    for rule in rules:
        reason = rule.reject(prompt, completion, reading)
        if reason is not None:
            return rule.name, reason
    if reading.answer is None:
        return UNREAD, "no meaning to the task"
    return None, None


def _examples(dealt: pl.DataFrame, votes: pl.DataFrame) -> pl.DataFrame:
    won = votes.filter(pl.col("answer").is_not_null())
    return dealt.join(won, on="prompt_id", maintain_order="left").select(
        pl.col(name).cast(kind) for name, kind in tables.schema(Example).items()
    )


def _rejections(judged: pl.DataFrame, disagreed: pl.DataFrame) -> pl.DataFrame:
    """Return what a rule objected to, and every sample of a prompt whose samples disagree."""
    split = pl.col("rule").is_null() & pl.col("prompt_id").is_in(disagreed.get_column("prompt_id").implode())
    rejected = judged.with_columns(
        pl.when(split).then(pl.lit(AGREEMENT)).otherwise("rule").alias("rule"),
        pl.when(split).then(pl.lit("no majority among the samples")).otherwise("reason").alias("reason"),
    ).filter(pl.col("rule").is_not_null())
    return rejected.select(pl.col(name).cast(kind) for name, kind in tables.schema(Rejection).items())


def _rows(rejections: pl.DataFrame, rules: Sequence[str], slices: Sequence[str]) -> tuple[FunnelRow, ...]:
    """Return what every rule, in the order it was asked, did to every slice; zeros are told, too."""
    counts: dict[tuple[str, str], dict[str, int]] = {}
    counted = rejections.explode("slices").group_by("rule", "slices", "reason").len().sort("reason")
    for rule, name, reason, count in counted.iter_rows():
        counts.setdefault((rule, name), {})[reason] = count
    return tuple(
        FunnelRow(rule=rule, slice=name, rejected=sum(reasons.values()), reasons=reasons)
        for rule in dict.fromkeys((MISSING, *rules, UNREAD, AGREEMENT))
        for name in slices
        for reasons in [counts.get((rule, name), {})]
    )


def _by_slice(dealt: pl.DataFrame, examples: pl.DataFrame) -> dict[str, tuple[int, int]]:
    """Return prompts in and examples out, by slice."""
    into = dict(dealt.explode("slices").group_by("slices").len().sort("slices").drop_nulls().iter_rows())
    out = dict(examples.explode("slices").group_by("slices").len().iter_rows())
    return {name: (count, out.get(name, 0)) for name, count in into.items()}
