"""Look for slices in which a student errs more often than elsewhere, by all that the evidence knows of requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import polars as pl

from overproof.calibrate.suggest import suggest
from overproof.core.splits import Calibrate
from overproof.core.types import Suggestions
from overproof.pipeline import data, topics
from overproof.pipeline.candidates import Entrant
from overproof.pipeline.evidence import evidence_of, with_predicted
from overproof.pipeline.plugged import task_of
from overproof.pipeline.project import Project
from overproof.prompts.slices import HIDDEN, Metadata

FILE = "suggested.json"


def suggestions(project: Project, folder: Path, entrants: Sequence[Entrant]) -> tuple[Suggestions, ...]:
    """Return the slices worth naming for each student, whose predictions lie in `folder`; `calibrate` alone is read."""
    contract = project.contract
    evidence = evidence_of(project, "calibrate")
    known = pl.DataFrame(list(_known(project, evidence)))
    said = [pl.read_parquet(folder / each.predictions) for each in entrants]
    return tuple(
        suggest(
            Calibrate(with_predicted(evidence, predictions, contract)),
            predictions,
            task_of(contract),
            known,
            candidate=each.name,
            reference=contract.proof.reference,
            names=[slice_.name for slice_ in contract.slices],
            seed=contract.prompts.seed,
        )
        for each, predictions in zip(entrants, said, strict=True)
    )


def _known(project: Project, evidence: pl.DataFrame) -> Iterator[pl.Series]:
    """Yield what is known of each request, as conditions call it."""
    metadata = Metadata(evidence["metadata"])
    yield from (metadata.values(key).alias(key) for key in metadata.keys if key not in HIDDEN)
    yield evidence["language"]
    yield evidence["length"]
    yield topics.named(project, evidence, data.prompts(project))


def found(project: Project, winner: str | None) -> Suggestions | None:
    """Return what was found for the student that won; where none did, for the one that was the likeliest to pass.

    None where the run stopped before, or what was found had to be forgotten.
    """
    if not project.fresh("calibrate"):
        return None
    kept = (project.folder("calibrate") / FILE).read_bytes()
    by_name = {each.candidate: each for each in msgspec.json.decode(kept, type=tuple[Suggestions, ...])}
    return by_name.get(winner or "", next(iter(by_name.values()), None))
