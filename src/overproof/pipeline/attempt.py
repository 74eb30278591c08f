"""The run that did not end well: where it was, and why it stopped. One that is killed leaves word too."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

import msgspec

from overproof.core.errors import UserError
from overproof.core.store import write_json
from overproof.core.types import Record
from overproof.pipeline.progress import Listener
from overproof.pipeline.project import Project

State = Literal["at work", "stopped", "failed"]
BY_HAND = "it was stopped by hand"
KILLED = "it was killed, or the machine went down"


class Attempt(Record):
    """A run that has not ended well, or not yet."""

    at: datetime
    """When this was written: as the stage began, or as the run stopped."""
    stage: str | None = None
    """What it was making; None before the first stage that had to be made."""
    why: str | None = None
    """Why it stopped; None while it is at work, and where it was killed."""
    by_hand: bool = False
    """Somebody stopped it."""


class Unfinished(Record):
    """The last run, which did not end well."""

    state: State
    at: datetime
    stage: str | None
    why: str | None
    """None while it is at work."""


class Noting:
    """A listener that leaves word of each stage before it is made, and tells another."""

    def __init__(self, project: Project, told: Listener) -> None:
        self._project, self._told = project, told
        self.stage: str | None = None
        self.step, self.ended = told.step, told.ended

    def began(self, stage: str) -> None:
        """Leave word, and tell."""
        self.stage = stage
        write_json(self._project.attempt, Attempt(at=datetime.now(UTC), stage=stage))
        self._told.began(stage)


@contextlib.contextmanager
def noted(project: Project, told: Listener) -> Iterator[Noting]:
    """Yield the listener of a run, and leave word of how it stopped unless it ends well; `project` must be locked."""
    noting = Noting(project, told)
    try:
        yield noting
    except BaseException as wrong:  # Ctrl-C too; raised again
        by_hand = isinstance(wrong, KeyboardInterrupt)
        why = BY_HAND if by_hand else _why(wrong)
        write_json(project.attempt, Attempt(at=datetime.now(UTC), stage=noting.stage, why=why, by_hand=by_hand))
        raise
    project.attempt.unlink(missing_ok=True)


def _why(wrong: BaseException) -> str:
    """Return the sentence the terminal shows, masked; of a fault of ours its kind as well."""
    from overproof.tasks.redact import redact_record

    said = str(wrong) if isinstance(wrong, UserError | OSError) else f"{type(wrong).__name__}: {wrong}"
    return redact_record([said])[0][0]


def unfinished(project: Project) -> Unfinished | None:
    """Return what became of the last run if it has not ended well; None if it has."""
    last = _word(project)
    if last is not None and last.why is None:  # only then is the lock looked at, which is to take it for an instant
        if _locked(project):
            return Unfinished(state="at work", at=last.at, stage=last.stage, why=None)
        last = _word(project)  # it may have ended in between
    if last is None:
        return None
    state: State = "stopped" if last.by_hand else "failed"
    return Unfinished(state=state, at=last.at, stage=last.stage, why=last.why or KILLED)


def _word(project: Project) -> Attempt | None:
    """Return the word that the last run left; None where it ended well."""
    try:
        return msgspec.json.decode(project.attempt.read_bytes(), type=Attempt)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _locked(project: Project) -> bool:
    """Whether a run is at work now."""
    try:
        with project.lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
