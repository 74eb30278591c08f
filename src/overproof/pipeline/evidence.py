"""Lay out the evidence of a split, every slice included: read by calibration and by the verdicts alone."""

from __future__ import annotations

import polars as pl

from overproof.contract import Contract
from overproof.core.errors import NotEnoughData
from overproof.core.tables import TIME
from overproof.core.types import SplitName
from overproof.pipeline import answers, asking, data
from overproof.pipeline.plugged import task_of
from overproof.pipeline.project import Project
from overproof.prompts.slices import with_labels
from overproof.tasks.evidence import evidence

SPOKEN_OF = ("metadata", "length", "language", "topic", "repeat", "model")
"""Columns of a request that slices over labels may speak of besides."""


def evidence_of(project: Project, split: SplitName) -> pl.DataFrame:
    """Return one row for each request of `split`, with the slices that speak of the right answer.

    Raises:
        NotEnoughData: the split holds no request.
    """
    contract = project.contract
    rows = data.requests(project).filter(pl.col("split") == split)
    if rows.is_empty():
        raise NotEnoughData(
            f"no request was dealt to {split!r}: the logs hold too few different inputs; bring more days of traffic"
        )
    laid_out = evidence(
        rows,
        answers.for_evaluation(project),
        task_of(contract),
        contract.proof.reference,
        gold_missing=contract.gold.missing if contract.gold else "worst_case",
        price=asking.known_price(contract.teacher),
    )
    if contract.proof.group is not None:  # more days bring the same groups again: their rate says nothing
        laid_out = laid_out.with_columns(at=pl.lit(None, dtype=TIME))
    return with_labels(laid_out.join(rows.select(*SPOKEN_OF, request_id="id"), on="request_id"), contract.slices)


def with_predicted(evidence: pl.DataFrame, said: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Return the evidence with the slices that speak of a candidate's own answer."""
    predicted = evidence.join(said.select("prompt_id", predicted="answer"), on="prompt_id", how="left")
    return with_labels(predicted, contract.slices).drop("predicted")
