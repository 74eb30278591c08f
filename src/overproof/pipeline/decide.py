"""Make the stages that decide: the gate over the baselines; `calibrate`, `evaluate`, `release` for the students."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import polars as pl

from overproof.baselines.gate import GateVerdict, gate
from overproof.core.store import Making, write_json
from overproof.core.types import Candidate, Decision
from overproof.evaluate.evaluate import routed_by
from overproof.pipeline import answers, entering, judge, suggesting, topics
from overproof.pipeline import candidates as contending
from overproof.pipeline.evidence import evidence_of
from overproof.pipeline.plugged import kinds_of, task_of
from overproof.pipeline.progress import Listener
from overproof.pipeline.project import Project
from overproof.pipeline.run import stopped_at_gate
from overproof.pipeline.versions import number_of
from overproof.release.folder import load, write_release
from overproof.release.ledger import Permit, Result
from overproof.release.settle import settle
from overproof.report.story import Shown
from overproof.tasks.names import versions


def make_baselines(project: Project, making: Making, listen: Listener) -> None:
    """Try doing nothing first: every baseline under the conditions a student would have to meet."""
    answers.refuse_bars_above(project.contract, answers.found_ceiling(project))
    entrants = contending.answer_baselines(project, making, listen)
    contenders = judge.calibrated(project, making.folder, entrants, "gate")
    judged_by = judge.judged_by(making.folder, contenders)
    granted = entering.enter(project, "gate", judge.promises_of(project), judged_by, making)
    found = judge.judged(project, making.folder, contenders, granted, family="gate")
    verdict = gate(found)
    write_json(making.folder / "entrants.json", entrants)
    judge.write_calibrated(making, contenders)
    write_json(making.folder / "candidates.json", found)
    write_json(making.folder / "gate.json", verdict)
    making.summary = {"proven": verdict.winner}
    _conclude(project, making.folder, found, "baseline", shown=False)


def make_calibrate(project: Project, making: Making, listen: Listener) -> None:
    """Find each student's threshold, the order in which they are to be tested, and slices worth naming."""
    listen.step("calibrate", "thresholds")
    folder = project.folder("students")
    contenders = judge.calibrated(project, folder, contending.entrants(project, "students"), "students")
    judge.write_calibrated(making, contenders)
    listen.step("calibrate", "slices")
    found = suggesting.suggestions(project, folder, [each.entrant for each in contenders])
    write_json(making.folder / suggesting.FILE, found)
    making.summary = {"order": [each.entrant.name for each in contenders]}


def make_evaluate(project: Project, making: Making, listen: Listener) -> None:
    """Read the test, in that order, until the first student that is not proven."""
    listen.step("evaluate", "verdicts")
    folder = project.folder("students")
    contenders = judge.read_calibrated(project.folder("calibrate"))
    judged_by = judge.judged_by(folder, contenders)
    granted = entering.enter(project, "students", judge.promises_of(project), judged_by, making)
    found = judge.judged(project, folder, contenders, granted, family="students")
    write_json(making.folder / "candidates.json", found)
    making.summary = {"proven": [each.name for each in found if each.proven]}
    _conclude(project, making.folder, found, "released", shown=False)


def _conclude(project: Project, folder: Path, found: Sequence[Candidate], won: Result, *, shown: bool) -> None:
    """Note in the ledger how the decision that the stage in `folder` entered ended, before anything is made of it."""
    decided = entering.entered(folder)
    outcome: Result = won if any(each.proven for each in found) else "not_proven"
    entering.conclude(project, decided, "exploratory" if decided.permit.exploratory else outcome, shown=shown)


def make_release(project: Project, making: Making, listen: Listener) -> None:
    """Settle what ships; a proven student becomes a release."""
    listen.step("release", "settling")
    settled = settle(
        _candidates(project, "baselines"),
        _candidates(project, "evaluate"),
        _spent(project, ("baselines", "evaluate")),
        past_gate=stopped_at_gate(project),  # a run only comes here because it was told to go on
    )
    if settled.outcome == "released":
        settled = _write_release(project, settled)
    write_json(making.folder / "decision.json", settled)
    making.summary = {"outcome": settled.outcome, "winner": settled.winner}


def _write_release(project: Project, settled: Decision) -> Decision:
    winner = next(each for each in _candidates(project, "evaluate") if each.name == settled.winner)
    entrant = next(each for each in contending.entrants(project, "students") if each.name == settled.winner)
    kind = next(kind for kind, _ in kinds_of(project.contract) if kind.name == settled.winner)
    assert entrant.model is not None  # every student was fitted
    student, _ = contending.load_student(project, kind, entrant.model)
    decided = entering.entered(project.folder("evaluate")).key  # of contents: another student is another key
    folder = project.releases / f"{project.contract.task.name.replace(' ', '-')}-{decided[:8]}"
    if folder.exists():  # the same decision, made again after an interruption, is the same release
        identity = load(folder).id
    else:
        identity = write_release(
            folder,
            winner,
            labels=student.labels,
            contract_toml=project.contract_bytes,
            lineage=project.keys,
            save=student.save,
            redact=project.contract.privacy.redact,
            names=_names(project),
            topics=topics.of_prompts(project),
            prompt_set=number_of(project, project.keys["prompts"]),
        )
    where = folder.relative_to(project.root).as_posix()
    return msgspec.structs.replace(settled, release=where, release_id=identity)


def _names(project: Project) -> dict[str, str]:
    """Return what masked names in the logs, by language."""
    privacy = project.contract.privacy
    return versions(privacy.names_models) if privacy.redact and privacy.names else {}


def decision(project: Project) -> Decision:
    """Return how this run ends."""
    if stopped_at_gate(project) and not project.fresh("release"):
        return settle(_candidates(project, "baselines"), (), _spent(project, ("baselines",)))
    return msgspec.json.decode((project.folder("release") / "decision.json").read_bytes(), type=Decision)


def candidates(project: Project) -> tuple[Candidate, ...]:
    """Return every candidate of this run, baselines first, each family in the order of its test."""
    found = _candidates(project, "baselines")
    return (*found, *_candidates(project, "evaluate")) if project.fresh("evaluate") else found


def _candidates(project: Project, stage: str) -> tuple[Candidate, ...]:
    path = project.folder(stage) / "candidates.json"
    return msgspec.json.decode(path.read_bytes(), type=tuple[Candidate, ...])


def _spent(project: Project, stages: Sequence[str]) -> Permit:
    """Return the terms of the last decision, with the levels of all of them: what this run spent in all."""
    permits = [entering.entered(project.folder(stage)).permit for stage in stages]
    return msgspec.structs.replace(permits[-1], level=sum(each.level for each in permits))


def gate_sentence(project: Project) -> str:
    """Return what became of the baselines, in one sentence."""
    return msgspec.json.decode((project.folder("baselines") / "gate.json").read_bytes(), type=GateVerdict).reason


def show(project: Project) -> None:
    """Note in the ledger that this run's tables are being shown: their test units are spent."""
    won: dict[str, Result] = {"baselines": "baseline", "evaluate": "released"}
    for stage, outcome in won.items():
        if project.fresh(stage):
            _conclude(project, project.folder(stage), _candidates(project, stage), outcome, shown=True)


def differing(project: Project, candidate: Candidate, inputs: pl.DataFrame, limit: int) -> Iterator[Shown]:
    """Yield test requests that the candidate answers and the teacher answered otherwise."""
    stage = "baselines" if candidate.family == "baseline" else "students"
    entrant = next(each for each in contending.entrants(project, stage) if each.name == candidate.name)
    said = pl.read_parquet(Path(project.folder(stage)) / entrant.predictions)
    routed = routed_by(evidence_of(project, "test"), said, candidate.calibration, task_of(project.contract))
    apart = routed.filter(pl.col("answered") & pl.col("predicted").ne_missing(pl.col("teacher")))
    rows = apart.unique("prompt_id", keep="first", maintain_order=True).join(inputs, left_on="prompt_id", right_on="id")
    for row in rows.head(limit).iter_rows(named=True):
        right = f"gold: {row['reference']}" if project.contract.proof.reference == "gold" else ""
        yield Shown(kind="differs", input=row["input"], answer=row["teacher"] or "", other=row["predicted"], note=right)
