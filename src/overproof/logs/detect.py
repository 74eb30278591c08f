"""Tell which reader a log file is for, by asking every installed one about its first lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from overproof.core import plugins
from overproof.core.errors import UserError
from overproof.core.protocols import Reader

ENOUGH = 0.5
"""A reader less sure than this does not count."""
LEAD = 0.1
"""By how much the surest must be ahead of the next."""


@dataclass(frozen=True)
class Detected:
    """Which reader a file is for, and how sure that is, in [0, 1]."""

    reader: Reader
    sure: float


def readers() -> dict[str, Reader]:
    """Return one of every installed reader, by name."""
    return {name: plugins.find("readers", name)() for name in sorted(plugins.names("readers"))}


def detect(head: Sequence[bytes], path: Path, known: Mapping[str, Reader]) -> Detected:
    """Return the reader that is surest of a file with these first lines; unknown or ambiguous is an error."""
    sure = {name: min(max(reader.sniff(head, path), 0.0), 1.0) for name, reader in known.items()}
    ranked = sorted(sure, key=lambda name: -sure[name])
    best = ranked[0]
    rivals = [name for name in ranked if sure[name] >= max(ENOUGH, sure[best] - LEAD)]
    if len(rivals) == 1:
        return Detected(known[best], sure[best])
    what = f"could be any of {_named(rivals)}" if rivals else f"is in no format known here ({_named(sorted(known))})"
    raise UserError(f'logs: {path} {what}; say which with format = "..." in its [[logs]] table')


def _named(names: Sequence[str]) -> str:
    return ", ".join(names)
