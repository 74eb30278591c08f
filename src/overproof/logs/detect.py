"""Tell which reader a log file is for, by asking every installed one about its first lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from overproof.core import plugins
from overproof.core.errors import UserError
from overproof.core.protocols import Reader

ENOUGH = 0.5
"""A reader less sure than this does not count."""
LEAD = 0.1
"""By how much the surest must be ahead of the next."""


@dataclass(frozen=True)
class Detected:
    """Which reader a file is for, how sure that is, in [0, 1], and what was seen."""

    reader: Reader
    sure: float
    saw: str


def readers() -> dict[str, Reader]:
    """Return one of every installed reader, by name."""
    return {name: point.load()() for name, point in sorted(plugins.names("readers").items())}


def detect(head: Sequence[bytes], path: PurePath, known: Mapping[str, Reader], kind: str = "JSON Lines") -> Detected:
    """Return the reader that is surest of a file with these first lines; unknown or ambiguous is an error.

    A reader marked `general` reads a shape that others are special cases of: it steps back where one of those is as
    sure.
    """
    sure = {name: min(max(reader.sniff(head, Path(path)), 0.0), 1.0) for name, reader in known.items()}
    ranked = sorted(sure, key=lambda name: -sure[name])
    best = ranked[0]
    rivals = [name for name in ranked if sure[name] >= max(ENOUGH, sure[best] - LEAD)]
    special = [name for name in rivals if not getattr(known[name], "general", False)]
    rivals = special or rivals
    if len(rivals) == 1:
        best = rivals[0]
        others = [name for name in ranked if name != best and sure[name] > 0]
        return Detected(known[best], sure[best], _saw(head, kind, best, sure, others))
    near = [name for name in ranked if sure[name] > 0]
    if rivals:
        what = f"could be any of {_named(rivals, sure)}"
    elif near:
        what = f"is in no format known here for sure; nearest: {_named(near, sure)}"
    else:
        what = f"is in no format known here ({', '.join(sorted(known))})"
    raise UserError(f'logs: {path} {what}; say which with format = "..." in its [[logs]] table')


def _saw(head: Sequence[bytes], kind: str, best: str, sure: Mapping[str, float], others: Sequence[str]) -> str:
    rows = sum(1 for line in head if not line.isspace())
    text = f"{kind}; by its first {rows} row(s) {best}, {sure[best]:.0%} sure"
    return f"{text}; also like {_named(others, sure)}" if others else text


def _named(names: Sequence[str], sure: Mapping[str, float]) -> str:
    return ", ".join(f"{name} ({sure[name]:.0%})" for name in names)
