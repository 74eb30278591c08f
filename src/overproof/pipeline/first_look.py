"""Read logs before there is a contract: an error cannot send people to one."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from overproof.core.errors import NotEnoughData, UserError
from overproof.logs.containers import look
from overproof.logs.detect import detect, readers
from overproof.logs.files import LogFile, expand
from overproof.logs.options import LogSource, PrivacyOptions
from overproof.logs.read import Logged, read
from overproof.pipeline.progress import Listener


def logged(logs: str, listen: Listener | None = None) -> Logged:
    """Return what `logs` (a file or glob) hold: one call at least.

    Raises:
        UserError: no file is there, or one is in no format known.
        NotEnoughData: none of the rows is a call.
    """
    paths = _files(logs)
    for path in paths:
        _recognise(path)
    tell = None if listen is None else partial(listen.step, "logs")
    logged = read((LogSource(path=logs),), Path(), PrivacyOptions(), progress=tell)
    if logged.exchanges.is_empty():
        empty = "it is empty" if len(paths) == 1 else "they are empty"
        reasons = ", ".join(f"{reason} ({n})" for reason, n in logged.summary.reasons.items()) or empty
        raise NotEnoughData(f"{logs} holds no call that can be read: {reasons}")
    return logged


def _files(logs: str) -> list[LogFile]:
    try:
        return expand(logs, Path())
    except UserError as wrong:
        if Path(logs).is_dir():
            raise
        raise UserError(
            f"no file matches {logs!r} in {Path.cwd()}: name a log file, or several as a glob in quotes"
        ) from wrong


def _recognise(path: LogFile) -> None:
    """Raise unless the file is empty or exactly one reader takes it."""
    seen = look(path)
    if not b"".join(seen.head).strip():
        return
    try:
        detect(seen.head, Path(str(path)), readers(), seen.kind)
    except UserError as wrong:
        raise UserError(
            f"{path} is in no format known here, or in several: write one JSON object a line, with `input` and "
            "`output`, or with `request` and `response`; docs/logs.md lists what else is read"
        ) from wrong
