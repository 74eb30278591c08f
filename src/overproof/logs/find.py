"""Find log files, and tell who reads each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from overproof.core import plugins
from overproof.core.protocols import Joining, Reader
from overproof.logs import chunks, containers, detect, files
from overproof.logs.containers import Kind
from overproof.logs.files import LogFile
from overproof.logs.options import UNNAMED, LogSource

EMPTY = "empty"
"""Format of a file in which there is nothing."""


@dataclass(frozen=True)
class Found:
    """A file, and who reads it."""

    path: LogFile
    name: str
    format: str
    sure: float
    reader: Reader | None
    """None for an empty file, which is nobody's."""
    kind: Kind = "JSON Lines"
    saw: str = ""
    completes: bool = False
    """Its rows only complete the calls of other files."""
    offset: int = 0
    """Bytes that need not be read again, more than 0 only where `grows` holds."""
    lines: int = 0
    """Lines in them."""
    apart: bool = False
    """Rows that need not be read again stand before it, in this file or another."""

    @property
    def regular(self) -> bool:
        """Whether its rows may be read many at once."""
        return chunks.READERS.get(self.format) is type(self.reader)

    @property
    def grows(self) -> bool:
        """Whether what is added at its end can be read without what stands before."""
        plain = isinstance(self.path, Path) and self.kind == "JSON Lines" and not files.is_packed(self.path)
        return plain and self.regular

    @property
    def store(self) -> str | None:
        """The format, where an id names one call in it."""
        return self.format if getattr(self.reader, "one_per_id", False) else None


def find(sources: Sequence[LogSource], root: Path) -> list[Found]:
    """Return every file once, under the first source that names it.

    Raises UserError when a path matches nothing, or a format is not known.
    """
    known = detect.readers()
    found: dict[LogFile, Found] = {}
    for source in sources:
        for path in files.expand(source.path, root):
            if path not in found:
                found[path] = _recognised(path, files.name(path, root), source.format, known)
    return list(found.values())


def _recognised(path: LogFile, name: str, form: str, known: Mapping[str, Reader]) -> Found:
    seen = containers.look(path)
    if form not in UNNAMED:
        reader = known[form] if form in known else plugins.find("readers", form)()
        completes = _completes(reader, seen.head, name)
        return Found(path, name, form, 1.0, reader, seen.kind, f"{seen.kind}; {form}, as the contract says", completes)
    if not b"".join(seen.head).strip():
        return Found(path, name, EMPTY, 1.0, None, seen.kind, f"{seen.kind}; nothing in it")
    found = detect.detect(seen.head, Path(name), known, seen.kind)
    completes = _completes(found.reader, seen.head, name)
    return Found(path, name, found.reader.name, found.sure, found.reader, seen.kind, found.saw, completes)


def _completes(reader: Reader, head: Sequence[bytes], name: str) -> bool:
    return isinstance(reader, Joining) and reader.completes(head, Path(name))
