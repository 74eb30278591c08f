"""How the last run ended, and whether it still speaks of what is there now."""

from __future__ import annotations

from pathlib import Path

import msgspec

from overproof.core.errors import UserError
from overproof.core.types import Decision, Record
from overproof.pipeline.attempt import Unfinished, unfinished
from overproof.pipeline.project import Project
from overproof.pipeline.run import Outcome
from overproof.pipeline.stages import NAMES


class Status(Record):
    """The last run, seen from now."""

    unfinished: Unfinished | None
    """What became of the last run where it has not ended well; the rest is then of the one before."""
    decision: Decision | None
    """None: no run has ended well yet."""
    stale: tuple[str, ...]
    """Stages that a run would make: their files or part of the contract have changed, or they were never made."""
    report: str | None
    release: str | None


def status(root: Path | str) -> Status:
    """Return how the last run of the project in `root` ended."""
    project = Project(root)
    try:
        last = msgspec.json.decode(project.last.read_bytes(), type=Outcome)
    except (FileNotFoundError, msgspec.DecodeError):
        last = None
    stopped = unfinished(project)
    if last is None and stopped is None:
        raise UserError(f"nothing has been run in {project.root.resolve()} yet: `overproof run`")
    left_out = {each.stage for each in (last.stages if last else ()) if each.state == "left out"}
    return Status(
        unfinished=stopped,
        decision=last.decision if last else None,
        stale=tuple(name for name in NAMES if name not in left_out and not project.fresh(name)),
        report=last.report if last else None,
        release=last.decision.release if last else None,
    )
