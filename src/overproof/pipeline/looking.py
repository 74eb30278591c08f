"""Draw prompts of the prompt set to look at, and show one whole."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
import polars as pl

from overproof.core import tables
from overproof.core.errors import UserError
from overproof.core.protocols import Task
from overproof.core.types import Doubtful, Example, Message, Record, Rejection
from overproof.pipeline.opened import Opened, opened
from overproof.pipeline.plugged import task_of
from overproof.pipeline.project import Project
from overproof.pipeline.versions import Version
from overproof.prompts.drawing import drawn
from overproof.prompts.match import EVERY_REQUEST

LEARNING = ("train", "tune")
"""Splits that may be looked at freely."""
SPLITS = (*LEARNING, "calibrate", "test")
LOOKED_AT = (
    "calibrate and test are what students are judged by: what is chosen after seeing them is no longer judged by them, "
    "and to prove it takes fresh traffic"
)
Strata = Literal["slice", "label", "language"]
NO_SLICE, UNSURE, NO_ANSWER = "(none)", "(unsure)", "(no answer)"


class Drawn(Record):
    """A prompt that was drawn."""

    id: str
    input: str
    """As it is stored: masked where the logs were."""
    answer: str | None
    """What students learn, or the teacher's logged answer in normal form; None where there is neither."""
    learned: bool
    """Whether the answer was accepted to be learned."""
    refused: str
    """Rule that refused it; "" where it is learned, is not to be (`calibrate` and `test`), or was not sifted."""
    splits: tuple[str, ...]
    slices: tuple[str, ...]
    language: str
    """"" when unsure."""
    seen: int
    """Requests that asked exactly this, in the whole log."""


class Sample(Record):
    """Prompts drawn from a prompt set."""

    version: Version
    splits: tuple[str, ...]
    matching: int
    """Prompts that could have been drawn."""
    prompts: tuple[Drawn, ...]


class Asked(Record):
    """One request that asked a prompt."""

    id: str
    at: datetime | None
    split: str | None
    slices: tuple[str, ...]
    model: str
    by_teacher: bool
    answer: str | None
    finish_reason: str | None


class Mate(Record):
    """A prompt of the same unit: a near duplicate, or of one conversation or user."""

    id: str
    input: str | None
    """None where it stands in `calibrate` or `test` alone: it was not asked for by name."""
    seen: int
    splits: tuple[str, ...]


class Whole(Record):
    """One prompt with all that is known of it."""

    version: Version
    id: str
    unit: str
    input: str
    messages: tuple[Message, ...]
    parameters: dict[str, Any]
    metadata: dict[str, str]
    seen: int
    language: str
    requests: tuple[Asked, ...]
    """Oldest first."""
    sifted: bool
    """Whether what the stage `filters` made of this prompt set is on disk."""
    examples: tuple[Example, ...]
    """What students learn from it."""
    rejections: tuple[Rejection, ...]
    doubts: tuple[Doubtful, ...]
    """Why it was left out, where its answer stayed doubtful."""
    mates: tuple[Mate, ...]


def sample(
    root: Path | str = ".",
    n: int = 10,
    *,
    splits: Collection[str] = LEARNING,
    slices: Collection[str] = (),
    labels: Collection[str] = (),
    uniform: Strata | None = None,
    seed: str = "overproof",
    which: str | None = None,
) -> Sample:
    """Return `n` prompts of these splits, drawn as often as traffic asks them, each once; the same for the same seed.

    `slices` and `labels` keep prompts in any of them; `uniform` draws from each slice, label or language in turn
    instead, however small. `which` names a version.

    Raises:
        UserError: no such project, version, split, slice or label.
    """
    if n < 1:
        raise UserError(f"{n} prompts cannot be drawn: ask for one at least")
    found = opened(Project(root), which)
    rows = in_splits(found, splits, slices)
    prompts = _described(found, rows)
    if labels:
        refuse_unknown("label", labels, prompts["answer"].drop_nulls())
        prompts = prompts.filter(pl.col("answer").is_in(list(labels)))
    if uniform is not None:
        prompts = prompts.with_columns(strata=_strata(prompts, uniform))
    places = {name: place for place, name in enumerate(drawn(prompts, n, seed))}
    chosen = prompts.filter(pl.col("id").is_in(list(places))).rows(named=True)
    kinds = [{name: row[name] for name in Drawn.__struct_fields__} for row in chosen]
    ordered = sorted(msgspec.convert(kinds, list[Drawn]), key=lambda each: places[each.id])
    return Sample(version=found.version, splits=tuple(splits), matching=prompts.height, prompts=tuple(ordered))


def in_splits(found: Opened, splits: Collection[str], slices: Collection[str]) -> pl.DataFrame:
    """Return the requests of these splits that are in any of these slices; none named, in any at all."""
    for split in splits:
        if split not in SPLITS:
            raise UserError(f"no split is called {split!r}; there are: {', '.join(SPLITS)}")
    requests = found.requests()
    rows = requests.filter(pl.col("split").is_in(list(splits)))
    if not slices:
        return rows
    refuse_unknown("slice", slices, requests["slices"].explode().drop_nulls())
    return rows.filter(pl.col("slices").list.set_intersection(list(slices)).list.len() > 0)


def refuse_unknown(kind: str, named: Collection[str], known: pl.Series) -> None:
    """Raise a UserError that lists what there is, if something named is not there."""
    there = known.unique().sort().to_list()
    for name in named:
        if name not in there:
            raise UserError(f"no {kind} is called {name!r}; there are: {', '.join(map(repr, there))}")


def _described(found: Opened, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the prompts that these requests ask, one row each."""
    asked = rows.group_by("prompt_id", maintain_order=True).agg(
        times=pl.len(),
        splits=pl.col("split").unique().sort(),
        slices=pl.col("slices").explode().drop_nulls().unique().sort(),
        language=pl.col("language").first(),
        said=pl.col("answer").filter("by_teacher").first(),
    )
    asked = asked.join(found.prompts().select("id", "input", "seen"), left_on="prompt_id", right_on="id", how="left")
    accepted = found.made("filters", "examples.parquet")
    if accepted is None:
        accepted = tables.frame((), Example)
    accepted = accepted.select("prompt_id", accepted="answer").unique("prompt_id", keep="first", maintain_order=True)
    asked = asked.join(accepted, on="prompt_id", how="left", maintain_order="left")
    asked = asked.join(_refused(found), on="prompt_id", how="left", maintain_order="left")
    logged = normal_forms(asked["said"], task_of(found.project.contract))
    return asked.with_columns(
        answer=pl.coalesce("accepted", logged, "said"),
        learned=pl.col("accepted").is_not_null(),
        refused=pl.when(pl.col("accepted").is_null()).then("refused").fill_null(""),
    ).rename({"prompt_id": "id"})


def _refused(found: Opened) -> pl.DataFrame:
    """Return the prompts with an answer that was refused, and the rule that refused the first such."""
    rejections = found.made("filters", "rejections.parquet")
    if rejections is None:
        rejections = tables.frame((), Rejection)
    return rejections.sort("sample").unique("prompt_id", keep="first").select("prompt_id", refused="rule")


def normal_forms(texts: pl.Series, task: Task) -> pl.Series:
    """Return answers in normal form, null where they cannot be read; each text is read once."""
    known = texts.drop_nulls().unique()
    forms = pl.Series([task.read(text).answer for text in known], dtype=pl.String)
    return texts.replace_strict(known, forms, default=None, return_dtype=pl.String).alias("normal")


def _strata(prompts: pl.DataFrame, uniform: Strata) -> pl.Series:
    if uniform == "slice":
        named = pl.col("slices").list.set_difference(list(EVERY_REQUEST))
        strata = pl.when(named.list.len() > 0).then(named).otherwise(pl.lit([NO_SLICE]))
    elif uniform == "label":
        strata = pl.concat_list(pl.col("answer").fill_null(NO_ANSWER))
    else:
        strata = pl.concat_list(pl.col("language").replace("", UNSURE))
    return prompts.select(strata=strata)["strata"]


def show(root: Path | str, prompt: str, *, which: str | None = None) -> Whole:
    """Return one prompt with all that is known of it; `prompt` is its id or the beginning of one.

    Raises:
        UserError: no such project or version; no prompt's id begins so, or several do.
    """
    found = opened(Project(root), which)
    prompts = found.prompts()
    row = _one(prompts, prompt)
    requests = found.requests()
    mine = requests.filter(pl.col("prompt_id") == row["id"]).sort("at", nulls_last=True, maintain_order=True)
    return Whole(
        version=found.version,
        id=row["id"],
        unit=row["unit"],
        input=row["input"],
        messages=msgspec.json.decode(row["messages"], type=tuple[Message, ...]),
        parameters=msgspec.json.decode(row["parameters"]),
        metadata=msgspec.json.decode(row["metadata"]),
        seen=row["seen"],
        language=mine.row(0, named=True)["language"],
        requests=tuple(tables.records(mine, Asked)),
        sifted=found.artefact("filters") is not None,
        examples=_about(found, "examples.parquet", Example, row["id"]),
        rejections=_about(found, "rejections.parquet", Rejection, row["id"]),
        doubts=_about(found, "review.parquet", Doubtful, row["id"]),
        mates=_mates(prompts, requests, row["id"], row["unit"]),
    )


def _one(prompts: pl.DataFrame, beginning: str) -> dict[str, Any]:
    matching = prompts.filter(pl.col("id").str.starts_with(beginning))
    if matching.height == 1:
        return matching.row(0, named=True)
    wrong = f"{matching.height} prompts have ids that begin with" if matching.height else "no prompt has an id like"
    raise UserError(f"{wrong} {beginning!r}: take one from `overproof prompts sample`")


def _about(found: Opened, file: str, kind: type[tables.R], prompt: str) -> tuple[tables.R, ...]:
    table = found.made("filters", file)
    return () if table is None else tuple(tables.records(table.filter(pl.col("prompt_id") == prompt), kind))


def _mates(prompts: pl.DataFrame, requests: pl.DataFrame, own: str, unit: str) -> tuple[Mate, ...]:
    others = prompts.filter((pl.col("unit") == unit) & (pl.col("id") != own)).select("id", "input", "seen")
    splits = requests.drop_nulls("split").group_by("prompt_id").agg(splits=pl.col("split").unique().sort())
    rows = others.join(splits, left_on="id", right_on="prompt_id", how="left", maintain_order="left")
    rows = rows.with_columns(pl.col("splits").fill_null(pl.lit([], pl.List(pl.String))))
    judging = pl.col("splits").list.set_difference(list(LEARNING)).list.len() == pl.col("splits").list.len()
    hidden = judging & (pl.col("splits").list.len() > 0)
    rows = rows.with_columns(input=pl.when(~hidden).then("input"))
    return tuple(msgspec.convert(rows.sort("seen", descending=True).to_dicts(), list[Mate]))
