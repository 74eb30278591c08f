"""The user's files: which there are, and whether they are still the ones that were read.

A file is known by the digests of its blocks. One that only grew is not read anew: its beginning, its old end and some
blocks between are looked at again; what somebody changed elsewhere in a file that grew in place can be missed, and
`overproof run --again logs` reads all of it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import msgspec

from overproof.contract import Contract
from overproof.core.chance import digest
from overproof.core.errors import ContractError, UserError
from overproof.core.store import write_json
from overproof.core.types import Record
from overproof.logs.files import LogFile, expand
from overproof.logs.remote import RemoteFile

BLOCK = 2**20
LOOKED_AT = 8
"""Blocks between the first and the last that are looked at again when a file grew."""
SMALL = 8
"""Blocks of a file that is read by one thread."""


class State(Record):
    """What a file was when it was last looked at."""

    size: int
    time: int
    """Nanoseconds."""
    inode: int
    blocks: tuple[str, ...]
    """Digest of each block, the last may be shorter; of a remote file, what its store says."""

    @property
    def digest(self) -> str:
        """One digest of all contents."""
        return digest(str(self.size), *self.blocks)


def inputs(contract: Contract, root: Path) -> tuple[LogFile, ...]:
    """Return every file the contract names, in a stable order; a pattern that matches nothing is an error."""
    found = [path for source in contract.logs for path in expand(source.path, root)]
    if contract.gold is not None:
        found += gold(contract.gold.path, root)
    return tuple(dict.fromkeys(found))


def gold(pattern: str, root: Path) -> list[LogFile]:
    """Return the files of right answers."""
    try:
        return expand(pattern, root)
    except UserError as wrong:
        raise ContractError("gold.path", f"no file matches {pattern!r} in {root.resolve()}") from wrong


def fingerprint(contract: Contract, root: Path, memory: Path) -> str:
    """Return one digest of all contents; a file whose size, time and inode are as remembered is not read again."""
    known = remembered(memory)
    now = {name_of(path, root): _state(path, known.get(name_of(path, root))) for path in inputs(contract, root)}
    if now != known:
        write_json(memory, now)
    return digest(*(f"{name}\x00{state.digest}" for name, state in sorted(now.items())))


def name_of(path: LogFile, root: Path) -> str:
    """Return what a file is remembered by."""
    return path.url if isinstance(path, RemoteFile) else os.path.relpath(path, root)


def remembered(memory: Path) -> dict[str, State]:
    """Return what was remembered; what cannot be read is forgotten, and the files are read again."""
    try:
        return msgspec.json.decode(memory.read_bytes(), type=dict[str, State])
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return {}


def same(before: State, now: State, path: LogFile) -> int:
    """Return how many bytes at the beginning of a file are what they were; all of them when nothing changed."""
    if before.blocks == now.blocks:
        return before.size
    whole = before.size // BLOCK
    equal = next((i for i in range(whole) if before.blocks[i : i + 1] != now.blocks[i : i + 1]), whole)
    if equal < whole or not isinstance(path, Path) or now.size < before.size:
        return equal * BLOCK
    return before.size if _tail(path, before.size) in ("", *before.blocks[whole:]) else whole * BLOCK


def _state(path: LogFile, before: State | None) -> State:
    if isinstance(path, RemoteFile):  # its store knows whether it changed; it is not fetched to find out
        return State(size=0, time=0, inode=0, blocks=(path.state(),))
    stat = path.stat()
    if before is not None and (before.size, before.time, before.inode) == (stat.st_size, stat.st_mtime_ns, stat.st_ino):
        return before
    kept = before.blocks[: before.size // BLOCK] if before is not None and _grew(path, before, stat) else ()
    blocks = (*kept, *_digests(path, range(len(kept), -(-stat.st_size // BLOCK)), stat.st_size))
    return State(size=stat.st_size, time=stat.st_mtime_ns, inode=stat.st_ino, blocks=blocks)


def _grew(path: Path, before: State, stat: os.stat_result) -> bool:
    """Say whether a file seems to be what it was, with more at its end."""
    if before.inode != stat.st_ino or before.size >= stat.st_size:
        return False
    whole = before.size // BLOCK
    places = sorted({i * (whole - 1) // (LOOKED_AT + 1) for i in range(LOOKED_AT + 2)}) if whole else []
    as_it_was = [before.blocks[i] for i in places] == list(_digests(path, places, before.size))
    return as_it_was and _tail(path, before.size) in ("", *before.blocks[whole:])


def _tail(path: Path, size: int) -> str:
    """Return the digest of what lies behind the last whole block of the first `size` bytes, "" when nothing does."""
    return "".join(_digests(path, [size // BLOCK] if size % BLOCK else [], size))


def _digests(path: Path, places: Iterable[int], size: int) -> tuple[str, ...]:
    """Return the digests of blocks, as if the file were `size` bytes long."""
    places = list(places)
    with path.open("rb") as file, ThreadPoolExecutor(min(4, 1 + len(places) // SMALL)) as pool:
        return tuple(pool.map(partial(_digest, file.fileno(), size), places))


def _digest(file: int, size: int, place: int) -> str:
    data = os.pread(file, min(BLOCK, size - place * BLOCK), place * BLOCK)
    return hashlib.blake2b(data, digest_size=16).hexdigest()
