"""Run the road: make what is stale, skip what is fresh, stop where the contract says so."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from time import perf_counter
from typing import Literal

import msgspec

from overproof.core.errors import UserError
from overproof.core.store import write_json
from overproof.core.types import Decision, Record, SuggestedSlice
from overproof.pipeline import memory, versions
from overproof.pipeline.attempt import noted
from overproof.pipeline.progress import Listener, Silent
from overproof.pipeline.project import Project
from overproof.pipeline.stages import BEYOND_THE_GATE, NAMES, STAGES, Stage

MAKERS = {
    "logs": "overproof.pipeline.reading:make_logs",
    "prompts": "overproof.pipeline.data:make_prompts",
    "teacher": "overproof.pipeline.answers:make_teacher",
    "filters": "overproof.pipeline.sampling:make_filters",
    "baselines": "overproof.pipeline.decide:make_baselines",
    "students": "overproof.pipeline.candidates:make_students",
    "calibrate": "overproof.pipeline.decide:make_calibrate",
    "evaluate": "overproof.pipeline.decide:make_evaluate",
    "release": "overproof.pipeline.decide:make_release",
    "report": "overproof.pipeline.tell:make_report",
}
"""Named, not imported: a run with nothing to make loads none of them."""


class StageRun(Record):
    """What became of one stage."""

    stage: str
    state: Literal["fresh", "made", "left out"]
    seconds: float = 0.0


class Outcome(Record):
    """How a run ended."""

    decision: Decision
    stages: tuple[StageRun, ...]
    report: str
    summary: str
    """The report in one screen of plain text."""
    suggested: tuple[SuggestedSlice, ...] = ()
    """Slices worth naming: where the likeliest student errs more often than elsewhere, on `calibrate`."""


def run(
    root: Path | str, *, past_gate: bool = False, again: Collection[str] = (), listen: Listener | None = None
) -> Outcome:
    """Run the project in `root` and return how it ended.

    `past_gate` goes on although a baseline was proven; `again` names stages to make anew although they are fresh.

    Raises:
        UserError: something the user can mend; every stage finished before it is kept.
    """
    project = Project(root, again)
    refuse_without_terms(project)
    _refuse_unknown(again)
    with only_one(project), noted(project, listen or Silent()) as heard:
        return _told(project, _all_made(project, past_gate, heard))


def refuse_without_terms(project: Project, what: str = "trained") -> None:
    """Refuse to make anything of the answers of a teacher whose terms nobody has read; nothing is `what` before."""
    teacher = project.contract.teacher
    if teacher.terms != "acknowledged":
        raise UserError(
            f"overproof.toml, teacher.terms: read whether the terms of {teacher.model!r} allow training on its "
            f'answers, then write `terms = "acknowledged"`; nothing is {what} before'
        )


def _refuse_unknown(again: Collection[str]) -> None:
    for name in again:
        if name not in NAMES:
            raise UserError(f"no stage is called {name!r}; there are: {', '.join(NAMES)}")


@contextlib.contextmanager
def only_one(project: Project) -> Iterator[None]:
    """Hold the project's lock; a second run at the same time is an error, not a race."""
    project.store.root.mkdir(parents=True, exist_ok=True)
    with project.lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            raise UserError(f"another run is at work in {project.root}: wait for it, or stop it") from held
        yield


def _all_made(project: Project, past_gate: bool, listen: Listener) -> tuple[StageRun, ...]:
    """Make what is stale, in order."""
    states: list[StageRun] = []
    for stage in STAGES:
        if stage.name in BEYOND_THE_GATE and not past_gate and stopped_at_gate(project):
            states.append(StageRun(stage=stage.name, state="left out"))
        elif _stale(project, stage.name):
            if not any(each.state == "made" for each in states):
                _refuse_unbuildable(project)
            states.append(make(project, stage, listen))
        else:
            listen.ended(stage.name, 0.0, fresh=True)
            states.append(StageRun(stage=stage.name, state="fresh"))
    return tuple(states)


def _stale(project: Project, stage: str) -> bool:
    return stage in project.again or not project.fresh(stage) or (stage == "prompts" and not memory.agrees(project))


def _refuse_unbuildable(project: Project) -> None:
    """Build every plug-in the contract names before anything is bought or read: a slip must cost nothing."""
    from overproof.pipeline.refuse import refuse_unbuildable

    refuse_unbuildable(project.contract)


def make(project: Project, stage: Stage, listen: Listener) -> StageRun:
    """Make one stage's artefact, whatever was there."""
    listen.began(stage.name)
    began = perf_counter()
    module, _, name = MAKERS[stage.name].partition(":")
    maker = getattr(importlib.import_module(module), name)
    key = project.keys[stage.name]
    made_from = {name: project.keys[name] for name in stage.inputs}
    spared = versions.spared(project) if stage.name == versions.STAGE else ()
    with project.store.making(stage.name, key, stage.version, made_from, spared) as making:
        maker(project, making, listen)
    seconds = perf_counter() - began
    listen.ended(stage.name, seconds, fresh=False)
    return StageRun(stage=stage.name, state="made", seconds=seconds)


def stopped_at_gate(project: Project) -> bool:
    """Whether a baseline was proven, so that distilling is not needed."""
    manifest = project.store.manifest("baselines", project.keys["baselines"])
    return manifest is not None and manifest.summary.get("proven") is not None


def _told(project: Project, states: tuple[StageRun, ...]) -> Outcome:
    """Put the report where people look, and remember how the run ended."""
    made = project.folder("report")
    _copy(made / "report.html", project.report)
    outcome = Outcome(
        decision=msgspec.json.decode((made / "decision.json").read_bytes(), type=Decision),
        stages=states,
        report=project.report.name,
        summary=(made / "summary.txt").read_text("utf-8"),
        suggested=msgspec.json.decode((made / "suggested.json").read_bytes(), type=tuple[SuggestedSlice, ...]),
    )
    write_json(project.last, outcome)
    return outcome


def _copy(made: Path, shown: Path) -> None:
    """Copy unless it is there already, by a neighbour and a rename."""
    from overproof.core.store import write

    stat = made.stat()
    if shown.exists() and (shown.stat().st_size, shown.stat().st_mtime_ns) == (stat.st_size, stat.st_mtime_ns):
        return
    write(shown, made.read_bytes())
    os.utime(shown, ns=(stat.st_atime_ns, stat.st_mtime_ns))
