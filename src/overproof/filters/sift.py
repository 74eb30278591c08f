"""Sift the teacher's answers into examples and rejections, rule by rule; nothing is lost in between.

`sift` does it in one go for answers that are all there. Where doubtful prompts are asked again in between, the pipeline
takes the steps one by one: `dealt`, `judge`, and `sifted` with what was decided about the doubtful ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from overproof.core import tables
from overproof.core.protocols import Rule, Task
from overproof.core.types import Completion, Example, Funnel, FunnelRow, Prompt, Reading, Rejection
from overproof.filters.agreement import ballots, shares, tally
from overproof.tasks.reading import read_column

MISSING: Final = "answered"
UNREAD: Final = "readable"
AGREEMENT: Final = "agreement"
DOUBT: Final = "doubt"
"""Objections that do not come from the contract: no text, no meaning after all rules, no majority, too doubtful."""
SPLIT_VOTE: Final = "no majority among the samples"


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
    asked = dealt(prompts, requests)
    judged = judge(prompts, asked, completions, task, rules)
    return sifted(asked, judged, majorities(judged), rules)


def dealt(prompts: pl.DataFrame, requests: pl.DataFrame) -> pl.DataFrame:
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
    found = texts.join(asked, on="prompt_id", maintain_order="left")
    if found.height != asked.height:
        raise ValueError("a request's prompt is missing from the prompts, or stands there twice")
    return found


def judge(
    prompts: pl.DataFrame, dealt: pl.DataFrame, completions: pl.DataFrame, task: Task, rules: Sequence[Rule]
) -> pl.DataFrame:
    """Return the answers to `dealt` prompts with what they mean and the first objection to them.

    The columns of `completions` and of `dealt`, then `answer`, `recovered`, `rule` and `reason` (null: accepted).
    """
    answers = completions.join(dealt, on="prompt_id", maintain_order="left")
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


def majorities(judged: pl.DataFrame) -> pl.DataFrame:
    """Return what becomes of each prompt by its vote alone, as `sifted` wants it."""
    counted = tally(ballots(judged))
    tied = pl.col("top") * 2 <= pl.col("samples")
    return counted.select(
        "prompt_id",
        pl.when(~tied).then("leader").alias("answer"),
        shares(counted),
        pl.when(tied).then(pl.lit(AGREEMENT)).alias("rule"),
        pl.when(tied).then(pl.lit(SPLIT_VOTE)).alias("reason"),
    )


def sifted(dealt: pl.DataFrame, judged: pl.DataFrame, fates: pl.DataFrame, rules: Sequence[Rule]) -> Sifted:
    """Return the two halves and the count of everything.

    `fates` has one row for each prompt with an accepted answer: `prompt_id`; `answer`, the one to learn, null when the
    prompt is left out; `votes`, the share of each answer as JSON text; `rule` and `reason` why it is left out.
    """
    dropped = fates.filter(pl.col("answer").is_null())
    examples = _examples(dealt, fates)
    rejections = _rejections(judged, dropped)
    by_slice = _by_slice(dealt, examples)
    funnel = Funnel(
        prompts=dealt.height,
        completions=judged.height,
        recovered=int(judged.get_column("recovered").sum()),
        resampled=judged.filter(pl.col("prompt_id").is_duplicated()).get_column("prompt_id").n_unique(),
        rejected=rejections.height,
        disagreed=dropped.filter(pl.col("rule") == AGREEMENT).height,
        examples=examples.height,
        rows=_rows(rejections, [rule.name for rule in rules], list(by_slice)),
        by_slice=by_slice,
    )
    return Sifted(examples=examples, rejections=rejections, funnel=funnel)


def _examples(dealt: pl.DataFrame, fates: pl.DataFrame) -> pl.DataFrame:
    won = fates.filter(pl.col("answer").is_not_null())
    return dealt.join(won, on="prompt_id", maintain_order="left").select(
        pl.col(name).cast(kind) for name, kind in tables.schema(Example).items()
    )


def _rejections(judged: pl.DataFrame, dropped: pl.DataFrame) -> pl.DataFrame:
    """Return what a rule objected to, and every sample of a prompt that is left out."""
    whole = dropped.select("prompt_id", pl.col("rule").alias("left_out"), pl.col("reason").alias("because"))
    rejected = (
        judged.join(whole, on="prompt_id", how="left", maintain_order="left")
        .with_columns(
            pl.when(pl.col("rule").is_null()).then("left_out").otherwise("rule").alias("rule"),
            pl.when(pl.col("rule").is_null()).then("because").otherwise("reason").alias("reason"),
        )
        .filter(pl.col("rule").is_not_null())
    )
    return rejected.select(pl.col(name).cast(kind) for name, kind in tables.schema(Rejection).items())


def _rows(rejections: pl.DataFrame, rules: Sequence[str], slices: Sequence[str]) -> tuple[FunnelRow, ...]:
    """Return what every rule, in the order it was asked, did to every slice; zeros are told, too."""
    counts: dict[tuple[str, str], dict[str, int]] = {}
    counted = rejections.explode("slices").group_by("rule", "slices", "reason").len().sort("reason")
    for rule, name, reason, count in counted.iter_rows():
        counts.setdefault((rule, name), {})[reason] = count
    return tuple(
        FunnelRow(rule=rule, slice=name, rejected=sum(reasons.values()), reasons=reasons)
        for rule in dict.fromkeys((MISSING, *rules, UNREAD, AGREEMENT, DOUBT))
        for name in slices
        for reasons in [counts.get((rule, name), {})]
    )


def _by_slice(dealt: pl.DataFrame, examples: pl.DataFrame) -> dict[str, tuple[int, int]]:
    """Return prompts in and examples out, by slice."""
    into = dict(dealt.explode("slices").group_by("slices").len().sort("slices").drop_nulls().iter_rows())
    out = dict(examples.explode("slices").group_by("slices").len().iter_rows())
    return {name: (count, out.get(name, 0)) for name, count in into.items()}
