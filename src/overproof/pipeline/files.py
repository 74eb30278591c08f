"""The user's files: which there are, and whether they are still the ones that were read."""

from __future__ import annotations

import glob
import os
from pathlib import Path

import msgspec

from overproof.contract import Contract
from overproof.core.chance import digest
from overproof.core.errors import UserError
from overproof.core.store import file_digest, write_json


def inputs(contract: Contract, root: Path) -> tuple[Path, ...]:
    """Return every file the contract names, in a stable order; a pattern that matches nothing is an error."""
    found: list[Path] = []
    for i, source in enumerate(contract.logs):
        matches = sorted(glob.glob(str(root / source.path), recursive=True))  # noqa: PTH207 - takes absolute patterns too
        if not matches:
            raise UserError(f"overproof.toml, logs[{i}].path: nothing matches {source.path!r} in {root}")
        found.extend(Path(match) for match in matches if Path(match).is_file())
    if contract.gold is not None:
        gold = root / contract.gold.path
        if not gold.is_file():
            raise UserError(f"overproof.toml, gold.path: there is no file {gold}")
        found.append(gold)
    return tuple(dict.fromkeys(found))


def fingerprint(contract: Contract, root: Path, memory: Path) -> str:
    """Return one digest of all contents; a file whose size, time and inode are as remembered is not read again."""
    known: dict[str, list[object]] = _remembered(memory)
    now: dict[str, list[object]] = {}
    for path in inputs(contract, root):
        stat = path.stat()
        state: list[object] = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        name = os.path.relpath(path, root)
        before = known.get(name)
        now[name] = before if before and before[:3] == state else [*state, file_digest(path)]
    if now != known:
        write_json(memory, now)
    return digest(*(f"{name}\x00{entry[3]}" for name, entry in sorted(now.items())))


def _remembered(memory: Path) -> dict[str, list[object]]:
    try:
        return msgspec.json.decode(memory.read_bytes(), type=dict[str, list[object]])
    except FileNotFoundError:
        return {}
