"""Files: written to a neighbour and renamed, described by a manifest, found again by key."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec

from overproof.core.chance import digest
from overproof.core.types import Manifest

MANIFEST = "manifest.json"
KEPT = 3
"""Older artefacts of a stage that are kept, so that undoing a change costs nothing."""


def write(path: Path, data: bytes) -> None:
    """Write `path` so that a reader sees the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    neighbour = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with neighbour.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # or a power cut could leave the new name with nothing in it
        neighbour.replace(path)
    finally:
        neighbour.unlink(missing_ok=True)  # there only when something went wrong


def write_json(path: Path, value: object) -> None:
    """Write `value` (records too) as indented JSON."""
    write(path, msgspec.json.format(msgspec.json.encode(value)) + b"\n")


def file_digest(path: Path) -> str:
    """Return the digest of a file's bytes."""
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


class Store:
    """The artefacts of one project, in `.overproof/`: one folder per stage and key."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, stage: str, key: str) -> Path:
        """Return where the artefact of `stage` with `key` is, or would be."""
        return self.root / stage / key

    def manifest(self, stage: str, key: str) -> Manifest | None:
        """Return the manifest of a whole artefact; None when there is none, or one this version cannot read."""
        try:
            return msgspec.json.decode((self.folder(stage, key) / MANIFEST).read_bytes(), type=Manifest)
        except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
            return None

    @contextlib.contextmanager
    def making(
        self, stage: str, key: str, version: int, inputs: Mapping[str, str], spared: Collection[str] = ()
    ) -> Iterator[Making]:
        """Hand out an empty folder to fill; on success it becomes the artefact, on failure it is gone.

        Of the older artefacts of the stage the newest few stay, and those whose keys are `spared`.
        Drafts that killed runs left are removed first: a run holds the project's lock, so no one is at work on them.
        """
        for stale in (self.root / stage).glob(".*/"):
            shutil.rmtree(stale)
        draft = self.root / stage / f".{key}.{os.getpid()}"
        draft.mkdir(parents=True)
        making = Making(draft)
        began = perf_counter()
        try:
            yield making
            files = {
                name: making.digests.get(name) or file_digest(path)
                for path in sorted(draft.rglob("*"))
                if path.is_file() and (name := path.relative_to(draft).as_posix())
            }
            manifest = Manifest(
                stage=stage,
                key=key,
                version=version,
                inputs=dict(inputs),
                files=files,
                made_at=datetime.now(UTC),
                seconds=perf_counter() - began,
                summary=making.summary,
            )
            write_json(draft / MANIFEST, manifest)
            final = self.folder(stage, key)
            shutil.rmtree(final, ignore_errors=True)
            draft.rename(final)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        self._forget_old(stage, {key, *spared})

    def _forget_old(self, stage: str, spared: Collection[str]) -> None:
        """Keep the newest few artefacts of a stage beside those that must stay."""
        made = [path for path in (self.root / stage).iterdir() if (path / MANIFEST).is_file()]
        made = [path for path in made if path.name not in spared]
        for path in sorted(made, key=lambda each: (each / MANIFEST).stat().st_mtime)[:-KEPT]:
            shutil.rmtree(path)


class Making:
    """An artefact on its way: a folder to fill and a summary to leave."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.digests: dict[str, str] = {}
        """Those that are known already, by path: of files taken over from another artefact, say."""
        self.summary: dict[str, Any] = {}


def content_key(stage: str, version: int, inputs: Mapping[str, str], options: object) -> str:
    """Return the key of an artefact: its inputs' keys, the options its stage reads, the stage's version."""
    from overproof.core.chance import canonical

    return digest(stage, str(version), canonical(dict(inputs)), canonical(options), size=10)
