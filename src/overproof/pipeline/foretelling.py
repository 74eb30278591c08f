"""What a plan can tell of a run before the test is read: afterwards it would be too late."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from overproof.core.quoting import equals
from overproof.logs.account import told
from overproof.pipeline import data, entering, judge
from overproof.pipeline.plugged import task_of
from overproof.pipeline.project import Project
from overproof.pipeline.refuse import unpriced
from overproof.release import ledger
from overproof.tasks.evidence import with_teacher
from overproof.teacher.answers import EVALUATION, reuse


def foretold(project: Project) -> Iterator[str]:
    """Yield one sentence for each thing a person should settle before the run."""
    yield from told(data.log_summary(project), pl.read_parquet(project.folder("logs") / "set_aside.parquet"))
    if project.contract.teacher.terms != "acknowledged":
        yield (
            f"a run refuses to train until teacher.terms is 'acknowledged': read whether the terms of "
            f"{project.contract.teacher.model!r} allow it"
        )
    if (fault := unpriced(project.contract, data.requests(project))) is not None:
        yield f"a run will stop: {fault}"
    yield from _unanswered(project)
    if not project.fresh("evaluate"):
        yield from _exploratory(project)


def _unanswered(project: Project) -> Iterator[str]:
    """Requests nobody can be measured on count as wrong, whoever answers."""
    contract, teacher = project.contract, project.contract.teacher
    if contract.proof.reference != "teacher" or teacher.base_url is not None:
        return
    evaluated = data.requests(project).filter(pl.col("split").is_in(EVALUATION))
    lacking = with_teacher(evaluated, reuse(evaluated), task_of(contract)).filter(pl.col("teacher").is_null())
    if lacking.is_empty():
        return
    test, of = ((rows["split"] == "test").sum() for rows in (lacking, evaluated))
    others = _of_other_models(lacking, [teacher.model, *teacher.also_answers_as])
    narrower = equals("model", teacher.model) if len(others) else None
    what_helps = "write teacher.base_url so that it can be asked"
    if narrower is not None:
        what_helps += f', or leave out those of other models (add "{narrower}" to task.where)'
    yield (
        f"{lacking.height:,} of {evaluated.height:,} evaluation requests, {test:,} of {of:,} in test, have no usable "
        f"answer of {teacher.model!r} and would count as wrong, the worst case ({_why(lacking, others)}): "
        f"{what_helps}, before the first run"
    )


def _of_other_models(lacking: pl.DataFrame, names: Sequence[str]) -> pl.Series:
    """Return who answered what the teacher did not: one entry a request."""
    answered = ~pl.col("by_teacher") & pl.col("answer").is_not_null()
    return lacking.filter(answered & ~pl.col("model").is_in(names) & (pl.col("model") != ""))["model"]


def _why(lacking: pl.DataFrame, others: pl.Series) -> str:
    """Say what became of the requests without a usable answer."""
    failed, own = lacking["answer"].null_count(), int((lacking["by_teacher"]).sum())
    by_release = lacking.height - failed - own - others.len()
    causes = {
        f"answered by {', '.join(map(repr, others.unique().sort()))}": others.len(),
        "failed": failed,
        "cut off or not readable": own,
        "answered by a release": by_release,
    }
    return ", ".join(f"{n:,} {what}" for what, n in causes.items() if n)


def _exploratory(project: Project) -> Iterator[str]:
    promises = judge.promises_of(project)
    if not entering.ahead(project, "students", promises).exploratory:
        return
    last = ledger.load(project.ledger).entries[-1]
    if last.promises != promises.digest():
        yield "the promises have changed since these test units were read: until fresh traffic this run is exploratory"
    else:
        yield (
            "these test units have been shown: unless everything judged comes out as it was, this run is exploratory "
            "until fresh traffic"
        )
