"""Versions of the prompt set: which there were, under which running number, and which must stay on disk.

Light on purpose: every run asks it before it makes a prompt set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from overproof.core import lines
from overproof.core.store import MANIFEST
from overproof.core.types import Manifest, Record
from overproof.pipeline.project import Project

STAGE = "prompts"


class Version(Record):
    """A prompt set that was made."""

    number: int
    """Counted from 1 in this project."""
    key: str
    """Of its artefact: a digest of the logs and of the contract's parts that it depends on."""
    made_at: datetime
    prompts: int
    requests: int
    units: int
    cut: datetime | None = None
    """Where its evaluation window begins; None where windows were not cut by time."""


def catalogue(project: Project) -> tuple[Version, ...]:
    """Return every version that was made, by number; those made before numbers were kept come with the next ones.

    Raises:
        UserError: the list is damaged.
    """
    known = {
        each.key: each for each in lines.read(project.prompt_sets, Version)
    }  # of a set made again the last line counts
    for number, (key, manifest) in enumerate(_unlisted(project, known), start=_next(known.values())):
        known[key] = _version(number, key, manifest.made_at, _summary(project.store.folder(STAGE, key)))
    return tuple(sorted(known.values(), key=lambda each: each.number))


def note(project: Project, key: str, made_at: datetime, summary: object) -> Version:
    """Give the set a number, unless it has one, and append it to the list; `summary` is its `PromptSummary`."""
    known = {each.key: each for each in catalogue(project)}
    listed = {each.key for each in lines.read(project.prompt_sets, Version)}
    number = known[key].number if key in known else _next(known.values())
    made = _version(number, key, made_at, msgspec.to_builtins(summary))
    others = (each for each in known.values() if each.key not in listed and each.key != key)
    lines.append(project.prompt_sets, [*others, made])
    return made


def number_of(project: Project, key: str) -> int | None:
    """Return the running number of a set; None for one that was never made here."""
    return next((each.number for each in catalogue(project) if each.key == key), None)


def on_disk(project: Project, key: str) -> bool:
    """Return whether the set's artefact is there, whole."""
    manifest = project.store.manifest(STAGE, key)
    folder = project.store.folder(STAGE, key)
    return manifest is not None and all((folder / name).exists() for name in manifest.files)


def lineages(project: Project) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each release, and the keys of all it was made from; of a damaged one nobody knows any."""
    for path in sorted(project.releases.glob("*/release.json")):
        name = path.parent.relative_to(project.root).as_posix()
        try:
            lineage = msgspec.json.decode(path.read_bytes())["lineage"]
            yield name, {str(stage): str(key) for stage, key in lineage.items()}
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
            yield name, {}


def spared(project: Project) -> frozenset[str]:
    """Return the keys of sets that stay on disk: a release learned from them; all, where a release cannot be read."""
    learned_from = [lineage.get(STAGE) for _, lineage in lineages(project)]
    if None in learned_from:
        return frozenset(path.name for path in (project.store.root / STAGE).glob("*/"))
    return frozenset(key for key in learned_from if key is not None)


def _next(known: Iterable[Version]) -> int:
    return 1 + max((each.number for each in known), default=0)


def _version(number: int, key: str, made_at: datetime, summary: dict[str, Any]) -> Version:
    counts = {name: summary[field] for name, field in (("prompts", "prompts"), ("requests", "exchanges"))}
    found = {"number": number, "key": key, "made_at": made_at, "units": summary["units"], "cut": summary.get("cut_at")}
    return msgspec.convert(counts | found, Version)


def _unlisted(project: Project, known: dict[str, Version]) -> list[tuple[str, Manifest]]:
    """Return the artefacts that no line speaks of, oldest first."""
    keys = [path.parent.name for path in (project.store.root / STAGE).glob(f"*/{MANIFEST}")]
    found = [
        (key, manifest)
        for key in keys
        if key not in known and not key.startswith(".") and (manifest := project.store.manifest(STAGE, key))
    ]
    return sorted(found, key=lambda each: (each[1].made_at, each[0]))


def _summary(folder: Path) -> dict[str, Any]:
    return msgspec.json.decode((folder / "summary.json").read_bytes(), type=dict[str, Any])
