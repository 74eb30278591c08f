"""Describe one task: what it is, what it costs, how it repeats and fails, and what a student could take of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from overproof.core.protocols import StudentKind
from overproof.discovery import measure
from overproof.discovery.grouping import Cell
from overproof.discovery.kinds import FindLabels, Nature
from overproof.discovery.measure import WHOLE, Cluster, Declines
from overproof.discovery.probe import probe
from overproof.discovery.records import Found, LabelShare, rate
from overproof.discovery.says import name_of, sentence
from overproof.discovery.versions import template, versions
from overproof.tasks.classify import Classify
from overproof.tasks.templates import Template

ANSWERS = 3_000
"""Answers of a wording that its kind is read from, and that labels' shares are counted in."""


@dataclass(frozen=True)
class Help:
    """What discovery is handed: the work of other stages."""

    find_labels: FindLabels
    declines: Declines
    cluster: Cluster
    student: StudentKind | None = None
    """None: no task is probed."""


@dataclass(frozen=True)
class Frame:
    """What is the same for all tasks."""

    calls: int
    spend: float
    help: Help
    alpha: float
    confidence: float
    seed: str


def sampled(rows: pl.DataFrame) -> pl.Series:
    """Return the whole answers that a kind is read from."""
    whole = rows.filter(WHOLE & pl.col("answer").is_not_null())
    return whole.sort("place").head(ANSWERS)["answer"]


def describe(
    number: int,
    rows: pl.DataFrame,
    cells: Mapping[int, Cell],
    nature: Nature,
    about: Frame,
    *,
    where: str | None,
    named: bool,
    probed: bool,
) -> Found:
    """Return the record of the task whose calls are `rows`: a table of `Exchange` with its costs and parts.

    `named` says that the condition's value is a name, `probed` that a student may be tried.
    """
    models = Counter(dict(rows["model"].value_counts().sort("count", "model", descending=[True, False]).iter_rows()))
    teacher = next(iter(models))
    wordings = versions(cells, rows)
    form = template(rows, "asked")
    slot = form if form is not None and len(form.slots) == 1 else None
    rows = rows.with_columns(input=inputs(rows["asked"], slot))
    agreed, ceiling = measure.consistency(rows, nature, teacher, about.help.cluster)
    tried = None
    if probed and about.help.student is not None and len(nature.labels) > 1:
        tried = probe(
            rows,
            nature.labels,
            teacher,
            student=about.help.student,
            cluster=about.help.cluster,
            alpha=about.alpha,
            confidence=about.confidence,
            seed=about.seed,
        )
    name = name_of(where if named else None, wordings, nature.kind, number)
    share = float(rows["spend"].sum()) / about.spend if about.spend else 0.0
    return Found(
        number=number,
        name=name,
        kind=nature.kind,
        calls=rows.height,
        share_of_calls=rows.height / about.calls,
        usd=measure.dollars(rows),
        unpriced=rows["usd"].null_count(),
        share_of_spend=share,
        input_tokens=int(rows["tokens_in"].sum()),
        output_tokens=int(rows["tokens_out"].sum()),
        latency_p50_ms=rows["latency_ms"].quantile(0.5, "nearest"),
        latency_p95_ms=rows["latency_ms"].quantile(0.95, "nearest"),
        latencies=rows.height - rows["latency_ms"].null_count(),
        models=dict(models),
        first=rows["at"].min(),  # type: ignore[arg-type]  # a column of times has the least time
        last=rows["at"].max(),  # type: ignore[arg-type]  # the same
        versions=wordings,
        where=where,
        template=slot.written if slot is not None else None,
        labels=_labels(rows, nature, teacher),
        schema=nature.schema,
        schema_from=nature.schema_from,
        repeats=measure.repeats(rows),
        consistency=agreed,
        ceiling=ceiling,
        faults=measure.faults(rows, nature, about.help.declines),
        probe=tried,
        says=sentence(number, name, share, tried, nature.kind),
        notes=_notes(rows, nature, slot),
    )


def inputs(users: pl.Series, slot: Template | None) -> pl.Series:
    """Return what varies in each of the user's turns: what stands in the slot, or all of it."""
    if slot is None:
        return users
    distinct = users.unique()
    read = {text: values[0] for text in distinct if (values := slot.values(text)) is not None}
    return users.replace_strict(read, default="", return_dtype=pl.String)


def _labels(rows: pl.DataFrame, nature: Nature, teacher: str) -> tuple[LabelShare, ...]:
    if nature.kind != "classify":
        return ()
    answers = sampled(rows.filter(pl.col("model") == teacher))
    read = Classify(labels=nature.labels).read_column(answers).answer.drop_nulls()
    counts = Counter(read.to_list())
    shares = [LabelShare(label=label, share=rate(counts[label], len(read))) for label in nature.labels]
    return tuple(sorted(shares, key=lambda each: -each.share.count))


def _notes(rows: pl.DataFrame, nature: Nature, slot: Template | None) -> tuple[str, ...]:
    notes = []
    if nature.kind == "classify" and len(nature.labels) == 1:
        notes.append(f"every answer says {nature.labels[0]!r}: there is nothing to tell apart")
    several = int((rows["turns"] > 1).sum())
    if several:
        notes.append(
            f"{several} of {rows.height} calls carry earlier turns of a conversation; only the user's last is looked at"
        )
    if nature.kind == "classify" and slot is None and (empty := int((rows["asked"] == "").sum())):
        notes.append(f"{empty} of {rows.height} calls have no text of a user")
    return tuple(notes)
