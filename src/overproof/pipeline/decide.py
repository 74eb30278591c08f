"""Make the stages that decide: the gate over the baselines; `calibrate`, `evaluate`, `release` for the students."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import polars as pl

from overproof.baselines.gate import GateVerdict, gate
from overproof.core.store import Making, write_json
from overproof.core.types import Candidate, Decision
from overproof.evaluate.evaluate import routed_by
from overproof.pipeline import candidates as entering
from overproof.pipeline import judge
from overproof.pipeline.evidence import evidence_of
from overproof.pipeline.progress import Listener
from overproof.pipeline.project import Project
from overproof.pipeline.run import stopped_at_gate
from overproof.pipeline.task import task_of
from overproof.release import ledger
from overproof.release.folder import write_release
from overproof.release.ledger import Permit
from overproof.release.settle import settle
from overproof.report.story import Shown


def make_baselines(project: Project, making: Making, listen: Listener) -> None:
    """Try doing nothing first: every baseline under the conditions a student would have to meet."""
    entrants = entering.answer_baselines(project, making, listen)
    contenders = judge.calibrated(project, making.folder, entrants, "baseline")
    granted = judge.enter(project)
    level = judge.level_of("baseline", granted.level)
    found = judge.judged(project, making.folder, contenders, granted, family="baseline", level=level)
    verdict = gate(found)
    write_json(making.folder / "entrants.json", entrants)
    judge.write_calibrated(making, contenders)
    write_json(making.folder / "candidates.json", found)
    write_json(making.folder / "gate.json", verdict)
    write_json(making.folder / "permit.json", granted)
    making.summary = {"proven": verdict.winner}


def make_calibrate(project: Project, making: Making, listen: Listener) -> None:
    """Find each student's threshold, and the order in which the students are to be tested."""
    listen.step("calibrate", "thresholds")
    contenders = judge.calibrated(
        project, project.folder("students"), entering.entrants(project, "students"), "student"
    )
    judge.write_calibrated(making, contenders)
    making.summary = {"order": [each.entrant.name for each in contenders]}


def make_evaluate(project: Project, making: Making, listen: Listener) -> None:
    """Read the test, in that order, until the first student that is not proven."""
    listen.step("evaluate", "verdicts")
    granted = judge.enter(project)
    contenders = judge.read_calibrated(project.folder("calibrate"))
    level = judge.level_of("student", granted.level)
    found = judge.judged(project, project.folder("students"), contenders, granted, family="student", level=level)
    write_json(making.folder / "candidates.json", found)
    write_json(making.folder / "permit.json", granted)
    making.summary = {"proven": [each.name for each in found if each.proven]}


def make_release(project: Project, making: Making, listen: Listener) -> None:
    """Settle what ships; a proven student becomes a release."""
    listen.step("release", "settling")
    settled = settle(
        _candidates(project, "baselines"),
        _candidates(project, "evaluate"),
        _permit(project, "evaluate"),
        past_gate=stopped_at_gate(project),  # a run only comes here because it was told to go on
    )
    if settled.outcome == "released":
        settled = _write_release(project, settled)
    write_json(making.folder / "decision.json", settled)
    making.summary = {"outcome": settled.outcome, "winner": settled.winner}


def _write_release(project: Project, settled: Decision) -> Decision:
    winner = next(each for each in _candidates(project, "evaluate") if each.name == settled.winner)
    entrant = next(each for each in entering.entrants(project, "students") if each.name == settled.winner)
    kind = next(kind for kind, _ in entering.kinds_of(project.contract) if kind.name == settled.winner)
    assert entrant.model is not None  # every student was fitted
    student, _ = entering.load_student(project, kind, entrant.model)
    name = f"{project.contract.task.name}-{project.keys['evaluate'][:8]}"
    folder = project.releases / name
    if not folder.exists():  # the same decision, made again after an interruption, is the same release
        write_release(
            folder,
            winner,
            labels=student.labels,
            contract_toml=project.contract_bytes,
            lineage=project.keys,
            save=student.save,
        )
    return msgspec.structs.replace(settled, release=folder.relative_to(project.root).as_posix())


def decision(project: Project) -> Decision:
    """Return how this run ends."""
    if stopped_at_gate(project) and not project.fresh("release"):
        return settle(_candidates(project, "baselines"), (), _permit(project, "baselines"))
    return msgspec.json.decode((project.folder("release") / "decision.json").read_bytes(), type=Decision)


def candidates(project: Project) -> tuple[Candidate, ...]:
    """Return every candidate of this run, baselines first, each family in the order of its test."""
    found = _candidates(project, "baselines")
    return (*found, *_candidates(project, "evaluate")) if project.fresh("evaluate") else found


def _candidates(project: Project, stage: str) -> tuple[Candidate, ...]:
    path = project.folder(stage) / "candidates.json"
    return msgspec.json.decode(path.read_bytes(), type=tuple[Candidate, ...])


def _permit(project: Project, stage: str) -> Permit:
    """Return the terms on which the stage read the test."""
    return msgspec.json.decode((project.folder(stage) / "permit.json").read_bytes(), type=Permit)


def gate_sentence(project: Project) -> str:
    """Return what became of the baselines, in one sentence."""
    return msgspec.json.decode((project.folder("baselines") / "gate.json").read_bytes(), type=GateVerdict).reason


def show(project: Project) -> None:
    """Note in the ledger that this decision's table is being shown: its test units are spent."""
    lines = [each for each in ledger.load(project.ledger).entries if each.key == judge.entry(project).key]
    outcome = decision(project).outcome
    if not any(each.shown and each.outcome == outcome for each in lines):
        ledger.append(project.ledger, ledger.concluded(lines[0], outcome, datetime.now(UTC), shown=True))


def ledger_lines(project: Project) -> tuple[str, ...]:
    """Return how the error probability was spent, one decision a line, oldest first."""
    told: dict[int, str] = {}
    for line in ledger.load(project.ledger).entries:
        ended = line.outcome.replace("_", " ") if line.outcome else "being taken"
        told[line.decision] = f"{line.decision}. {line.at:%Y-%m-%d}: error probability {line.level:.4g}, {ended}"
    return (*told.values(), f"This run: {_granted(project).reason}")


def _granted(project: Project) -> Permit:
    return _permit(project, "evaluate" if project.fresh("evaluate") else "baselines")


def differing(project: Project, candidate: Candidate, inputs: pl.DataFrame, limit: int) -> Iterator[Shown]:
    """Yield test requests that the candidate answers and the teacher answered otherwise."""
    stage = "baselines" if candidate.family == "baseline" else "students"
    entrant = next(each for each in entering.entrants(project, stage) if each.name == candidate.name)
    said = pl.read_parquet(Path(project.folder(stage)) / entrant.predictions)
    routed = routed_by(evidence_of(project, "test"), said, candidate.calibration, task_of(project.contract))
    apart = routed.filter(pl.col("answered") & pl.col("predicted").ne_missing(pl.col("teacher")))
    rows = apart.unique("prompt_id", keep="first", maintain_order=True).join(inputs, left_on="prompt_id", right_on="id")
    for row in rows.head(limit).iter_rows(named=True):
        right = f"gold: {row['reference']}" if project.contract.proof.reference == "gold" else ""
        yield Shown(kind="differs", input=row["input"], answer=row["teacher"] or "", other=row["predicted"], note=right)
