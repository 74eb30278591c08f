"""What baselines and students go through alike: calibrated, ordered, tested in sequence at their family's level."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from overproof.calibrate.calibrate import calibrate
from overproof.calibrate.shifts import Fitted, Tuned, fit
from overproof.contract import Contract
from overproof.core.splits import Calibrate, Test
from overproof.core.store import Making, write_json
from overproof.core.types import Calibration, Candidate, Record
from overproof.evaluate.economics import economics
from overproof.evaluate.evaluate import Evaluation, evaluate
from overproof.evaluate.order import margin, ordered
from overproof.evaluate.promises import Promises
from overproof.evaluate.sequence import tested
from overproof.pipeline import asking, data, topics
from overproof.pipeline.candidates import Entrant
from overproof.pipeline.entering import ahead
from overproof.pipeline.evidence import evidence_of, with_predicted
from overproof.pipeline.plugged import task_of
from overproof.pipeline.project import Project
from overproof.prompts.options import SliceOptions
from overproof.prompts.slices import speak_of, split_by_need
from overproof.release.ledger import Family, Permit
from overproof.tasks.scoring import shifted

CAP = 2.0
"""Times the dearest teacher answer of the training window: what one answer may cost at most. Should a test request cost
more, the bound is false and the saving is not proven."""

OWN_CAP = 4.0
"""The same for the candidate's own answers, by what they cost outside the test."""

NEGLIGIBLE = 0.01
"""Of the teacher's bound: a candidate's bound need not be tighter, for a slow millisecond costs nothing to speak of."""


class Calibrated(Record):
    """A candidate that knows when it may answer, and its place in the order of the test."""

    entrant: Entrant
    calibration: Calibration
    margin: float | None
    """Smallest over all conditions, in standard errors, on `calibrate`; None where one has no evidence at all."""


def promises_of(project: Project) -> Promises:
    """Return everything a candidate is held to, before the test is read; slices without a promise only describe."""
    contract = project.contract
    promised = {bar.slice for bar in contract.bars}
    return Promises(
        bars=contract.bars,
        confidence=contract.proof.confidence,
        alpha=contract.risk.alpha,
        critical=contract.critical,
        min_saving=contract.release.min_saving,
        targets=contract.targets,
        reference=contract.proof.reference,
        n_max=data.prompt_summary(project).n_max,
        group=contract.proof.group,
        teacher_cap=CAP * _dearest(project),
        seed=contract.prompts.seed,
        definitions={
            each.name: _meaning(project, each) for each in contract.slices if each.critical or each.name in promised
        },
    )


def _meaning(project: Project, each: SliceOptions) -> str:
    """Return what a slice means: its condition and, where it speaks of topics, which those are."""
    meant = topics.of_prompts(project) if speak_of([each], "topic") else None
    return each.where if meant is None else f"{each.where} -- topics {meant.id}"


def _dearest(project: Project) -> float:
    """Return the cost of the dearest answer the teacher gave in the training window, in dollars."""
    requests = data.requests(project).filter((pl.col("window") == "training") & pl.col("by_teacher"))
    price = asking.known_price(project.contract.teacher)
    cost = requests["cost_usd"]
    if price is not None:
        tokens = requests["input_tokens"] * price.input + requests["output_tokens"] * price.output
        cost = cost.fill_null(tokens / 1e6)
    dearest = cost.max()
    return float(dearest) if isinstance(dearest, int | float) else 0.0


def calibrated(project: Project, folder: Path, entrants: Sequence[Entrant], family: Family) -> tuple[Calibrated, ...]:
    """Calibrate every entrant on evidence of its own, and return them in the order they are to be tested."""
    evidence = evidence_of(project, "calibrate")
    promises = promises_of(project)
    found = {each.name: _calibrated(project, folder, each, evidence, promises, family=family) for each in entrants}
    order = ordered({name: -inf if each.margin is None else each.margin for name, each in found.items()})
    return tuple(found[name] for name in order)


def _calibrated(
    project: Project, folder: Path, entrant: Entrant, rows: pl.DataFrame, promises: Promises, *, family: Family
) -> Calibrated:
    contract, task = project.contract, task_of(project.contract)
    said = pl.read_parquet(folder / entrant.predictions)
    evidence = Calibrate(with_predicted(rows, said, contract))
    tune = _tuned(project, said)
    own = _by_slice(contract, tune, rows)
    tune = tune.with_columns(shifted(tune, own.shifts))
    to_come = ahead(project, family, promises)
    calibration = calibrate(
        evidence,
        said,
        task,
        candidate=entrant.name,
        reference=contract.proof.reference,
        alpha=contract.risk.alpha,
        delta=1 - contract.proof.confidence,
        critical=contract.critical,
        tune_confidence=tune["confidence"].to_numpy(),
        tune_by_slice={name: _inside(tune, name) for name in contract.critical},
        options=contract.calibrate,
        seed=contract.prompts.seed,
        unroutable=_unroutable(contract),
        confidence=entrant.confidence,
        shifts=own.shifts,
        starts=own.starts,
        test_units=len(to_come.units),
        test_level=to_come.level,
    )
    found = margin(evidence, said, calibration, _with_own_cap(project, promises, said), task)
    return Calibrated(entrant=entrant, calibration=calibration, margin=found if isfinite(found) else None)


def _tuned(project: Project, said: pl.DataFrame) -> pl.DataFrame:
    """Return what the candidate says to each tune request, beside its unit and slices.

    `confidence` is 0 where it has nothing to say, `right` null where no answer was accepted.
    """
    _, tune = data.examples(project)
    rows = data.requests(project).filter(pl.col("split") == "tune").select("prompt_id", "unit", "slices")
    sure = pl.when(pl.col("answer").is_not_null()).then("confidence").otherwise(0.0)
    rows = rows.join(
        said.select("prompt_id", "answer", confidence=sure), on="prompt_id", how="inner", maintain_order="left"
    )
    accepted = tune.frame.select("prompt_id", accepted="answer")
    rows = rows.join(accepted, on="prompt_id", how="left", maintain_order="left")
    same = pl.col("answer").eq_missing(pl.col("accepted"))
    return rows.with_columns(right=pl.when(pl.col("accepted").is_not_null()).then(same))


def _by_slice(contract: Contract, tune: pl.DataFrame, rows: pl.DataFrame) -> Fitted:
    """Return how far the threshold of each critical slice lies from the common one; of those a router can tell."""
    names = [name for name in contract.critical if name not in _unroutable(contract)]
    if not contract.calibrate.slice_thresholds or not names:
        return Fitted({}, {})
    known = tune.filter(pl.col("right").is_not_null())
    member = {name: known["slices"].list.contains(name).to_numpy() for name in names}
    tuned = Tuned(
        confidence=known["confidence"].to_numpy(),
        right=known["right"].to_numpy(),
        unit=known["unit"].rank("dense").to_numpy().astype(np.intp) - 1,
        member=member,
    )
    units = {name: _units_in(rows, name) for name in ("all", *names)}
    return fit(tuned, units, alpha=contract.risk.alpha, delta=1 - contract.proof.confidence)


def _units_in(rows: pl.DataFrame, name: str) -> int:
    return rows.filter(pl.col("slices").list.contains(name) | pl.lit(name == "all"))["unit"].n_unique()


def _inside(tune: pl.DataFrame, name: str) -> NDArray[np.float64]:
    return tune.filter(pl.col("slices").list.contains(name))["confidence"].to_numpy()


def _unroutable(contract: Contract) -> tuple[str, ...]:
    """Critical slices nobody can recognise before the answer is known."""
    return tuple(each.name for each in split_by_need(contract.slices).at_evaluation if each.critical)


def _with_own_cap(project: Project, promises: Promises, said: pl.DataFrame) -> Promises:
    """Bound what the candidate's own answer can cost, by what it cost on prompts that are not the test's."""
    tested = data.requests(project).filter(pl.col("split") == "test")["prompt_id"]
    dearest = said.filter(~pl.col("prompt_id").is_in(tested.implode()))["cost_usd"].max()
    bound = OWN_CAP * dearest if isinstance(dearest, int | float) else 0.0
    return msgspec.structs.replace(promises, own_cap=max(bound, promises.teacher_cap * NEGLIGIBLE))


def judged(
    project: Project,
    folder: Path,
    contenders: Sequence[Calibrated],
    granted: Permit,
    *,
    family: Family,
) -> tuple[Candidate, ...]:
    """Test the contenders in their order, each at the level granted, until the first that is not proven.

    Those after it were not tested: they carry no verdict, only the table of slices that describes them.
    """
    test = evidence_of(project, "test").filter(pl.col("unit").is_in(list(granted.units)))
    looks = {each.entrant.name: _look(project, folder, each, test, granted) for each in contenders}
    verdicts = tested([each.entrant.name for each in contenders], looks.__getitem__)
    return tuple(
        _candidate(project, each, looks[each.entrant.name], family=family, was_tested=each.entrant.name in verdicts)
        for each in contenders
    )


def _look(project: Project, folder: Path, each: Calibrated, rows: pl.DataFrame, granted: Permit) -> Evaluation:
    said = pl.read_parquet(folder / each.entrant.predictions)
    return evaluate(
        Test(with_predicted(rows, said, project.contract)),
        said,
        each.calibration,
        _with_own_cap(project, promises_of(project), said),
        task=task_of(project.contract),
        level=granted.level,
        exploratory=granted.exploratory,
    )


def _candidate(project: Project, each: Calibrated, found: Evaluation, *, family: Family, was_tested: bool) -> Candidate:
    entrant = each.entrant
    return Candidate(
        name=entrant.name,
        family="baseline" if family == "gate" else "student",
        kind=entrant.kind,
        calibration=each.calibration,
        verdicts=found.verdicts if was_tested else (),
        slices=found.slices,
        economics=economics(found.costs, data.prompt_summary(project).requests_per_month, asking.spent(project)),
        margin=each.margin,
        size_bytes=entrant.size_bytes,
        latency_p50_ms=entrant.latency_p50_ms,
        latency_p95_ms=entrant.latency_p95_ms,
        train_seconds=entrant.train_seconds,
        tested=was_tested,
        proven=was_tested and found.proven and not any(verdict.exploratory for verdict in found.verdicts),
    )


def judged_by(folder: Path, contenders: Sequence[Calibrated]) -> list[tuple[Calibration, Path]]:
    """Return what a decision on the contenders follows from: each one's calibration and predictions."""
    return [(each.calibration, folder / each.entrant.predictions) for each in contenders]


def write_calibrated(making: Making, contenders: Sequence[Calibrated]) -> None:
    """Keep the contenders in their order."""
    write_json(making.folder / "calibrated.json", contenders)


def read_calibrated(folder: Path) -> tuple[Calibrated, ...]:
    """Return the contenders in their order."""
    return msgspec.json.decode((folder / "calibrated.json").read_bytes(), type=tuple[Calibrated, ...])
