"""What a plan can tell of a run before the test is read: afterwards it would be too late."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from overproof.pipeline import data, entering, judge
from overproof.pipeline.project import Project
from overproof.pipeline.refuse import unpriced
from overproof.release import ledger
from overproof.teacher.answers import EVALUATION


def foretold(project: Project) -> Iterator[str]:
    """Yield one sentence for each thing a person should settle before the run."""
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
    contract = project.contract
    evaluated = data.requests(project).filter(pl.col("split").is_in(EVALUATION))
    if contract.proof.reference != "teacher" or contract.teacher.base_url is not None:
        return
    lacking = evaluated.filter(~pl.col("by_teacher"))
    if lacking.is_empty():
        return
    others = lacking.filter(pl.col("answer").is_not_null() & (pl.col("model") != contract.teacher.model))["model"]
    by_others = (
        f", {others.len()} of them answered by {', '.join(map(repr, sorted(set(others))))}" if len(others) else ""
    )
    yield (
        f"{lacking.height} of {evaluated.height} evaluation requests have no answer of {contract.teacher.model!r} and "
        f"would count as wrong{by_others}: write teacher.base_url so that it can be asked, or add "
        f"\"model = '{contract.teacher.model}'\" to task.where, before the first run"
    )


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
