"""Saved students: a JSON record sealed with the files beside it, so that none of them can be changed or exchanged."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from overproof.core.chance import digest
from overproof.core.errors import MissingExtra, ReleaseCorrupt, UserError
from overproof.core.types import Record

S = TypeVar("S", bound="Sealed")


class Sealed(Record):
    """All of a saved student that is not an array or a foreign file."""

    format: int = 1
    digest: str = ""
    """Of the files beside this record and of everything else in it."""


def seal(record: Sealed, files: Sequence[bytes]) -> bytes:
    """Return `record` as JSON, with the digest of itself and `files`."""
    return msgspec.json.encode(msgspec.structs.replace(record, digest=_digest(record, files)))


def unseal(folder: Path, name: str, kind: type[S], beside: Sequence[str]) -> tuple[S, list[bytes]]:
    """Return the record called `name` in `folder` and the files `beside` it.

    Raises:
        ReleaseCorrupt: a file is missing, damaged or of another student, or the format is not this version's.
    """
    what = name.removesuffix(".json").removesuffix("-student")
    try:
        files = [(folder / each).read_bytes() for each in beside]
        record = msgspec.json.decode((folder / name).read_bytes(), type=kind)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as wrong:
        raise ReleaseCorrupt(f"{folder} holds no {what} student that can be read: {wrong}") from wrong
    this = next(field.default for field in msgspec.structs.fields(kind) if field.name == "format")
    if record.format != this:
        raise ReleaseCorrupt(f"{folder / name} has format {record.format}, this version reads {this}")
    if record.digest != _digest(record, files):
        raise ReleaseCorrupt(f"{folder}: {name} and {', '.join(beside)} are not the ones that were saved together")
    return record, files


def pack(found: Mapping[str, NDArray[Any]]) -> bytes:
    """Return a safetensors file that holds the arrays `found`."""
    from safetensors.numpy import save

    return save({name: np.ascontiguousarray(each) for name, each in found.items()})  # it mixes up all others


def arrays(where: Path, data: bytes, *names: str) -> list[NDArray[Any]]:
    """Return the arrays called `names` that `data`, the safetensors file at `where`, holds.

    Raises:
        ReleaseCorrupt: it is no such file, or one of them is not in it.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        found = load(data)
        return [found[name] for name in names]
    except (SafetensorError, KeyError) as wrong:
        raise ReleaseCorrupt(f"{where} does not hold {', '.join(names)}: {wrong}") from wrong


@contextlib.contextmanager
def readable(where: Path) -> Iterator[None]:
    """Turn a complaint about what `where` holds into ReleaseCorrupt: nobody but the release is to blame for it."""
    try:
        yield
    except MissingExtra:
        raise
    except UserError as wrong:
        raise ReleaseCorrupt(f"{where}: {wrong}") from wrong


def _digest(record: Sealed, files: Sequence[bytes]) -> str:
    return digest(msgspec.json.encode(msgspec.structs.replace(record, digest="")), *files)
