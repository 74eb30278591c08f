"""Lists that only grow: one record a line, on disk before anybody acts upon it. Light: no table library."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import msgspec

from overproof.core.errors import UserError
from overproof.core.types import Record

R = TypeVar("R", bound=Record)


def read(path: Path, kind: type[R]) -> tuple[R, ...]:
    """Read a list; one that is not there is empty. A last line that breaks off was never acted upon, and is left out.

    Raises:
        UserError: any other line that cannot be read; such files must not be edited.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return ()
    found = []
    for number, line in enumerate(data[: data.rfind(b"\n") + 1].splitlines(), start=1):
        try:
            found.append(msgspec.json.decode(line, type=kind))
        except (msgspec.DecodeError, UnicodeDecodeError) as broken:
            raise UserError(f"{path}, line {number} is not as it was written ({broken}): restore the file") from broken
    return tuple(found)


def append(path: Path, records: Iterable[Record]) -> None:
    """Write one line for each record and wait until they are on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)  # what a killed run left of its last line
        file.write(b"".join(msgspec.json.encode(each) + b"\n" for each in records))
        file.flush()
        os.fsync(file.fileno())
