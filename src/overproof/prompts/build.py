"""Build the prompt set: from exchanges to requests that are dealt to splits, and to what was distinctly asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial

import polars as pl

from overproof.core.chance import digests
from overproof.core.errors import NotEnoughData
from overproof.core.tables import numbered, schema
from overproof.core.types import Match, Prompt, PromptSummary, Reading, Request
from overproof.core.where import parse
from overproof.models.topics import Topics
from overproof.prompts import groups, semantic
from overproof.prompts import slices as slicing
from overproof.prompts.join import join
from overproof.prompts.language import languages
from overproof.prompts.match import NEEDED, match
from overproof.prompts.options import PromptsOptions, SliceOptions
from overproof.prompts.splits import deal
from overproof.prompts.summary import summarise
from overproof.prompts.topics import fit
from overproof.prompts.units import near_duplicates
from overproof.prompts.windows import cut
from overproof.tasks.inputs import extract_each, instructed
from overproof.tasks.options import TaskOptions

UNREADABLE = "(not readable)"
AT_ONCE = 150_000
"""Requests held as Python objects at once. Few parts: each step of one thread waits for the interpreter."""


@dataclass(frozen=True)
class PromptSet:
    """What students may learn from and what they will be judged on."""

    prompts: pl.DataFrame
    """Table of `Prompt`."""
    requests: pl.DataFrame
    """Table of `Request`, in the order of the exchanges."""
    summary: PromptSummary
    compare: Callable[[], Match]
    """Hold the prompt set against live traffic."""
    assignments: pl.DataFrame
    """`request_id`, `split`: hand it to the next run, so that what was once dealt stays."""
    topics: Topics | None = None
    """What topics mean, where a slice speaks of them: hand it to the next run, so that the slice goes on meaning it."""

    @cached_property
    def match(self) -> Match:
        """How far it is from live traffic: worked out when first asked for, so that it can be beside other work."""
        return self.compare()


def build(
    exchanges: pl.DataFrame,
    task: TaskOptions,
    teacher: frozenset[str],
    options: PromptsOptions,
    slices: Sequence[SliceOptions],
    *,
    group: str | None = None,
    remembered: pl.DataFrame | None = None,
    topics: Topics | None = None,
    read: Callable[[str | None], Reading] | None = None,
    embed: semantic.Embed | None = None,
) -> PromptSet:
    """Return the prompt set of one task.

    Every exchange of the task is a request, answered or not: it is traffic. `exchanges` is a table of `Exchange`, in
    order of time; `teacher` holds the names its model goes by; `group` is the metadata key whose values are units, none
    of them both learned from and judged by; `remembered` are the assignments of earlier runs, and `topics` what topics
    meant to them (without it they are found in the training window, if a slice speaks of any); `read` gives answers
    their normal form, to compare the label mix (without it, labels are left out of the match); `embed` turns inputs
    into vectors, for `prompts.semantic` alone. The summary's `n_max` is left at 1 for the caller to choose.

    Raises:
        NotEnoughData: no exchange is of the task, and the sentence says what there is.
        UserError: `task.where`, `task.input` or a slice cannot be read, or no request carries `group`.
    """
    mine = _in_scope(exchanges, task)
    with ThreadPoolExecutor(1) as beside:
        rows, ids = _read(mine, task.input, beside)
        prompt, first = numbered(rows["prompt"])
        near = near_duplicates(rows["input"].gather(first), options.similarity)
        rows = rows.with_columns(prompt_id=ids.result().gather(rows["prompt"]), near_duplicate=pl.Series(near[prompt]))
        told = beside.submit(_spoken, rows.select("near_duplicate", "input"))
        alike = semantic.joined(rows["input"].gather(first), near, options, embed)
        rows = rows.with_columns(near_duplicate=pl.Series(alike.clusters[prompt]))
        joined = join(rows, options.unit)
        if group is not None:
            rows = rows.with_columns(groups.group_of(rows, group))
            joined = groups.join_groups(rows, joined, group)
        rows = rows.with_columns(unit=joined.units)
        windows = cut(rows, options.evaluation_share, options.seed)
        rows = rows.with_columns(window=windows.window)
        timed = rows.select("id", "unit", "window")
        dealt = deal(timed if group is None else timed.with_columns(groups.sides(rows, options)), options, remembered)
        rows = rows.with_columns(window=dealt.window, side=dealt.side, split=dealt.split)
        if group is not None:
            rows = rows.with_columns(groups.part_learning(rows, options))
        rows = _described(rows, teacher)
        decidable = slicing.split_by_need(slices).decidable
        rows = rows.with_columns(language=told.result(), topic=pl.lit(None, pl.String))
        if slicing.speak_of(slices, "topic"):
            topics = topics or fit(rows, options.seed, grouped=group is not None)
            rows = rows.with_columns(topics.named(rows["input"]))
        else:
            topics = None
        prompts = beside.submit(_prompts, rows)
        rows = rows.with_columns(slices=slicing.named(rows, decidable))
        return PromptSet(
            requests=rows.select(list(schema(Request))),
            summary=summarise(
                rows, exchanges.height, joined, windows, dealt, slices=decidable, group=group, notes=alike.notes
            ),
            prompts=prompts.result(),
            compare=partial(match, rows.select(NEEDED), labels(rows, read), options.seed),
            assignments=dealt.assignments,
            topics=topics,
        )


def _in_scope(exchanges: pl.DataFrame, task: TaskOptions) -> pl.DataFrame:
    """Return the exchanges of the task."""
    if exchanges.is_empty():
        raise NotEnoughData("the logs hold no call that could be read: look at the rows set aside and their reasons")
    mine = exchanges.filter(slicing.select(exchanges, parse(task.where))) if task.where else exchanges
    if mine.is_empty():
        raise NotEnoughData(
            f"no call matches task.where = {task.where!r}; the logs' metadata holds {_known(exchanges['metadata'])}"
        )
    if task.system:
        mine = mine.filter(instructed(mine, task.system))
        if mine.is_empty():
            raise NotEnoughData("no call has instructions that fit task.system: compare the two word by word")
    return mine


def _known(column: pl.Series, most: int = 4) -> str:
    """Describe metadata by its keys and, for each, its most frequent values."""
    metadata = slicing.Metadata(column)
    described = []
    for key in metadata.keys:
        counts = metadata.values(key).alias(key).drop_nulls().value_counts(name="times seen")
        values = counts.sort("times seen", key, descending=[True, False])[key]
        more = ", ..." if len(values) > most else ""
        described.append(f"{key}: {', '.join(map(repr, values.head(most)))}{more}")
    return "; ".join(described) or "nothing"


def _read(mine: pl.DataFrame, how: str, beside: ThreadPoolExecutor) -> tuple[pl.DataFrame, Future[pl.Series]]:
    """Return the requests that have the task's input, with it and `prompt`, the number of what each asked.

    The second is the id of each number, worked out beside: it needs the interpreter, what comes next hardly does.
    """
    asked = mine.select("messages", "parameters")
    prompt, first = numbered(asked)
    asked = asked[first]
    ids = beside.submit(_prompt_ids, asked)
    inputs = _in_parts(asked, lambda requests: extract_each(requests, how))
    found = mine.with_columns(prompt=pl.Series(prompt), input=inputs.gather(prompt))
    if found["input"].null_count():  # to leave none out would copy every column
        found = found.drop_nulls("input")
    if found.is_empty():
        raise NotEnoughData(f"none of {mine.height} calls has the part that task.input = {how!r} asks for")
    return found, ids


def _prompt_ids(asked: pl.DataFrame) -> pl.Series:
    """Return the digest of all that was asked in each request (`messages`, `parameters`), which is canonical JSON."""

    def ids(requests: pl.DataFrame) -> pl.Series:
        texts = zip(requests["messages"].to_list(), requests["parameters"].to_list(), strict=True)
        return pl.Series(digests(texts), dtype=pl.String)

    return _in_parts(asked, ids)


def _in_parts(asked: pl.DataFrame, work: Callable[[pl.DataFrame], pl.Series]) -> pl.Series:
    """Return what `work` makes of each request, some handed to it at a time."""
    return pl.concat([_copied(work(asked[start : start + AT_ONCE])) for start in range(0, asked.height, AT_ONCE)])


def _copied(texts: pl.Series) -> pl.Series:
    """Return texts that stand alone: else each part of a longer one keeps all of it in memory."""
    return pl.Series(dtype=pl.String).extend_constant(None, len(texts)).scatter(range(len(texts)), texts)


def _spoken(rows: pl.DataFrame) -> pl.Series:
    """Return the language of each input: that of the first of its near duplicates."""
    cluster, first = numbered(rows["near_duplicate"])
    return languages(rows["input"].gather(first)).gather(cluster)


def _described(rows: pl.DataFrame, teacher: frozenset[str]) -> pl.DataFrame:
    """Add what is derived of each request: repeat, length, whether the teacher answered it."""
    learned = rows.filter(pl.col("split").is_in(["train", "tune"]))["unit"].unique()
    names = sorted(teacher)
    unnamed = (pl.col("model") == "") & (pl.col("answered_by") == "")
    return rows.with_columns(
        repeat=(pl.col("window") == "evaluation") & pl.col("unit").is_in(learned.implode()),
        length=pl.col("input").str.len_chars().cast(pl.Int64),
        by_teacher=(pl.col("model").is_in(names) | pl.col("answered_by").is_in(names) | unnamed)
        & pl.col("release").is_null()
        & pl.col("answer").is_not_null(),
    )


def _prompts(rows: pl.DataFrame) -> pl.DataFrame:
    """Return a table of `Prompt`: each distinct request once, as it was first seen."""
    first = [pl.col(name).first() for name in ("input", "messages", "parameters", "metadata")]
    learning = pl.col("unit").filter(pl.col("split").is_in(["train", "tune"])).first()
    unit = pl.coalesce(learning, pl.col("unit").first())  # groups may share a prompt: who teaches it counts
    prompts = rows.group_by("prompt_id", maintain_order=True).agg(*first, unit=unit, seen=pl.len().cast(pl.Int64))
    return prompts.rename({"prompt_id": "id"}).select(list(schema(Prompt)))


def labels(rows: pl.DataFrame, read: Callable[[str | None], Reading] | None) -> pl.Series | None:
    """Return the teacher's answer to each request in normal form, null where it gave none; each text is read once."""
    if read is None:
        return None
    answers = rows.select(pl.when("by_teacher").then("answer"))["answer"]
    texts = answers.drop_nulls().unique()
    forms = pl.Series([read(text).answer or UNREADABLE for text in texts], dtype=pl.String)
    return answers.replace_strict(texts, forms, default=None, return_dtype=pl.String)
