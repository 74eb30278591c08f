"""A prompt set of a project, opened to be looked at: which one is meant, and what was made from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from overproof.contract import FILE
from overproof.core.errors import UserError
from overproof.core.store import MANIFEST
from overproof.core.types import Manifest
from overproof.pipeline import versions
from overproof.pipeline.data import RECIPE
from overproof.pipeline.project import Project
from overproof.pipeline.versions import STAGE, Version

Recipe = dict[str, dict[str, Any]]
"""Parts of the contract, as `data.recipe_of` gives them."""
SHOWN = 8
"""Digits of a key that tell sets apart for people."""


@dataclass(frozen=True)
class Opened:
    """A prompt set that lies on disk."""

    project: Project
    version: Version

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.project.store.folder(STAGE, self.version.key)

    @property
    def manifest(self) -> Manifest:
        """What it was made from."""
        found = self.project.store.manifest(STAGE, self.version.key)
        assert found is not None  # it was there when it was opened
        return found

    def prompts(self) -> pl.DataFrame:
        """Table of `Prompt`."""
        return pl.read_parquet(self.folder / "prompts.parquet")

    def requests(self) -> pl.DataFrame:
        """Table of `Request`."""
        return pl.read_parquet(self.folder / "requests.parquet")

    def recipe(self) -> Recipe | None:
        """Return the parts of the contract it was made with; None where an earlier version did not note them."""
        try:
            return msgspec.json.decode((self.folder / RECIPE).read_bytes(), type=Recipe)
        except FileNotFoundError:
            return None

    def made(self, stage: str, file: str) -> pl.DataFrame | None:
        """Return a table of a stage made from this set; None where none is on disk."""
        folder = self.artefact(stage)
        return None if folder is None else pl.read_parquet(folder / file)

    def artefact(self, stage: str) -> Path | None:
        """Return what a stage made from this set, under the present contract if it did; None where none is on disk."""
        store = self.project.store
        folders = [path.parent for path in (store.root / stage).glob(f"*/{MANIFEST}")]
        found = [(folder, manifest) for folder in folders if (manifest := store.manifest(stage, folder.name))]
        mine = [(folder, each.made_at) for folder, each in found if each.inputs.get(STAGE) == self.version.key]
        if not mine:
            return None
        present = self.project.keys[stage] if len(mine) > 1 else ""
        folder, _ = max(mine, key=lambda each: (each[0].name == present, each[1]))
        return folder


def opened(project: Project, which: str | None = None) -> Opened:
    """Open a set by number, key or the beginning of one; without any the one that stands, else the newest on disk.

    Raises:
        UserError: there is none yet, none that is called so, or it is no longer on disk.
    """
    known = known_to(project)
    if which is None:
        present = project.keys[STAGE]
        there = [each for each in known if versions.on_disk(project, each.key)]
        version = next((each for each in there if each.key == present), there[-1] if there else known[-1])
    else:
        version = _named(known, which)
    return _on_disk(project, version)


def newest(project: Project, before: int = 0) -> Opened:
    """Open the set with the highest number on disk, or of those the one `before` it; the contract is not asked."""
    there = [each for each in known_to(project) if versions.on_disk(project, each.key)]
    if len(there) <= before:
        raise UserError(
            f"there is but one prompt set on disk in {project.root.resolve()}, and nothing to compare it with: new "
            "logs or a changed contract make the next one (`overproof plan`); another project's folder can be named too"
        )
    return _on_disk(project, there[-1 - before])


def either(project: Project, which: str) -> Opened:
    """Open a set by number or key, or the newest of another project by its folder."""
    folder = Path(which)
    return newest(Project(folder)) if (folder / FILE).is_file() and not which.isdigit() else opened(project, which)


def holding(project: Project, stage: str) -> list[int]:
    """Return the numbers of the sets on disk that a stage made something from which is on disk too."""
    there = [each for each in known_to(project) if versions.on_disk(project, each.key)]
    return [each.number for each in there if Opened(project, each).artefact(stage) is not None]


def known_to(project: Project) -> tuple[Version, ...]:
    """Return every version of the project's prompt set, one at least."""
    _ = project.contract_bytes  # says so when there is no project
    known = versions.catalogue(project)
    if not known:
        raise UserError(
            f"there is no prompt set in {project.root.resolve()} yet: `overproof plan` makes one for free, "
            "`overproof run` goes all the way"
        )
    return known


def _named(known: tuple[Version, ...], which: str) -> Version:
    found = [each for each in known if str(each.number) == which] or [
        each for each in known if each.key.startswith(which)
    ]
    if len(found) == 1:
        return found[0]
    wrong = "several prompt sets have keys that begin with" if found else "no prompt set is called"
    numbers = f"1 to {known[-1].number}" if len(known) > 1 else "1 alone"
    raise UserError(f"{wrong} {which!r}; there are numbers {numbers}: `overproof prompts list` shows their keys")


def _on_disk(project: Project, version: Version) -> Opened:
    if not versions.on_disk(project, version.key):
        raise UserError(
            f"prompt set {version.number} ({version.key[:SHOWN]}) is no longer on disk: the newest few are kept, and "
            "those a release learned from; with its logs and its contract brought back, `overproof plan` makes it again"
        )
    return Opened(project, version)
