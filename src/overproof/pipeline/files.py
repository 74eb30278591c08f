"""The user's files: which there are, and whether they are still the ones that were read."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from overproof.contract import Contract
from overproof.core.chance import digest
from overproof.core.errors import ContractError, UserError
from overproof.core.store import file_digest, write_json
from overproof.logs.files import LogFile, expand
from overproof.logs.remote import RemoteFile

State = tuple[int, int, int, str]
"""Size in bytes, time in nanoseconds, inode, and the digest of the contents."""


def inputs(contract: Contract, root: Path) -> tuple[LogFile, ...]:
    """Return every file the contract names, in a stable order; a pattern that matches nothing is an error."""
    found = [path for source in contract.logs for path in expand(source.path, root)]
    if contract.gold is not None:
        found += _gold(contract.gold.path, root)
    return tuple(dict.fromkeys(found))


def _gold(pattern: str, root: Path) -> list[LogFile]:
    try:
        return expand(pattern, root)
    except UserError as wrong:
        raise ContractError("gold.path", f"no file matches {pattern!r} in {root.resolve()}") from wrong


def fingerprint(contract: Contract, root: Path, memory: Path) -> str:
    """Return one digest of all contents; a file whose size, time and inode are as remembered is not read again."""
    known = _remembered(memory)
    now: dict[str, State] = {}
    for path in inputs(contract, root):
        if isinstance(path, RemoteFile):  # its store knows whether it changed; it is not fetched to find out
            now[path.url] = (0, 0, 0, path.state())
            continue
        stat = path.stat()
        state = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
        name = os.path.relpath(path, root)
        before = known.get(name)
        now[name] = before if before and before[:3] == state else (*state, file_digest(path))
    if now != known:
        write_json(memory, now)
    return digest(*(f"{name}\x00{entry[3]}" for name, entry in sorted(now.items())))


def _remembered(memory: Path) -> dict[str, State]:
    """Return what was remembered; what cannot be read is forgotten, and the files are read again."""
    try:
        return msgspec.json.decode(memory.read_bytes(), type=dict[str, State])
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return {}
