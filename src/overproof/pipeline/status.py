"""How the last run ended, and whether it still speaks of what is there now."""

from __future__ import annotations

from pathlib import Path

import msgspec

from overproof.core.errors import UserError
from overproof.core.types import Decision, Record
from overproof.pipeline.project import Project
from overproof.pipeline.run import Outcome
from overproof.pipeline.stages import NAMES


class Status(Record):
    """The last run, seen from now."""

    decision: Decision
    stale: tuple[str, ...]
    """Stages whose files or part of the contract have changed since."""
    report: str
    release: str | None


def status(root: Path | str) -> Status:
    """Return how the last run of the project in `root` ended."""
    project = Project(root)
    try:
        last = msgspec.json.decode(project.last.read_bytes(), type=Outcome)
    except (FileNotFoundError, msgspec.DecodeError):
        raise UserError(f"nothing has been run in {project.root.resolve()} yet: `overproof run`") from None
    left_out = {each.stage for each in last.stages if each.state == "left out"}
    return Status(
        decision=last.decision,
        stale=tuple(name for name in NAMES if name not in left_out and not project.fresh(name)),
        report=last.report,
        release=last.decision.release,
    )
