"""A fitted cascade: two students, and how sure the first must be to answer. It adds nothing to what they need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from overproof.core import plugins
from overproof.core.errors import ReleaseCorrupt, UserError
from overproof.students.sealed import Sealed, seal, unseal

if TYPE_CHECKING:
    from overproof.core.protocols import Student, StudentKind

Floats = NDArray[np.float32]

RECORD, FOLDERS = "cascade.json", ("first", "then")


class Saved(Sealed):
    """All of a saved cascade that is not one of its students; every file of theirs is under its digest."""

    kinds: tuple[str, str]
    """Plug-ins of the first and the second."""
    threshold: float
    answered: float
    """Share of tune's requests that the first answers."""


@dataclass(frozen=True)
class CascadeStudent:
    """The first answers when its top probability is `threshold` or more, else the second. Any thread may ask."""

    first: Student
    then: Student
    kinds: tuple[str, str]
    threshold: float
    """Above 1: the first never answers."""
    answered: float
    """Share of tune's requests that the first answers."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Return what it can answer."""
        return self.first.labels

    def probabilities(self, inputs: Sequence[str]) -> Floats:
        """Return the chance of each label, shape (inputs, labels), rows summing to 1: those of whoever answers."""
        found, unsure = self._first(inputs)
        if len(unsure):
            found[unsure] = self.then.probabilities([inputs[row] for row in unsure])
        return found

    def predict_one(self, text: str) -> tuple[str, float]:
        """Return the likeliest label of one text and its chance."""
        chances = self.probabilities([text])[0]
        best = int(chances.argmax())
        return self.labels[best], float(chances[best])

    def novelty(self, inputs: Sequence[str]) -> Floats:
        """Return how unlike its training each input is to whoever answers it, shape (inputs,), in [0, 1]."""
        _, unsure = self._first(inputs)
        found = self.first.novelty(inputs)
        if len(unsure):
            found[unsure] = self.then.novelty([inputs[row] for row in unsure])
        return found

    def _first(self, inputs: Sequence[str]) -> tuple[Floats, NDArray[np.intp]]:
        """Return what the first says, and the rows of which it is not sure."""
        found = self.first.probabilities(inputs)
        return found, np.flatnonzero(found.max(axis=1) < self.threshold)

    @property
    def size_bytes(self) -> int:
        """Return the bytes both take on disk."""
        return self.first.size_bytes + self.then.size_bytes

    def save(self, folder: Path) -> None:
        """Write both students, into `first` and `then`, and `cascade.json`; `folder` is made if need be."""
        for name, part in zip(FOLDERS, (self.first, self.then), strict=True):
            (folder / name).mkdir(parents=True, exist_ok=True)
            part.save(folder / name)
        saved = Saved(kinds=self.kinds, threshold=self.threshold, answered=self.answered)
        (folder / RECORD).write_bytes(seal(saved, [(folder / name).read_bytes() for name in _files(folder)]))


def load(folder: Path) -> CascadeStudent:
    """Return the student saved in `folder`: it answers exactly as the one that was saved.

    Raises:
        ReleaseCorrupt: a file is missing, damaged or of another student.
        UserError: a kind it is made of is not installed here.
    """
    saved, _ = unseal(folder, RECORD, Saved, _files(folder))
    kinds = [kind(name) for name in saved.kinds]  # both, before either reads a file
    first, then = (each.load(folder / part) for each, part in zip(kinds, FOLDERS, strict=True))
    if first.labels != then.labels:
        raise ReleaseCorrupt(f"{folder}: its two students do not know the same labels")
    return CascadeStudent(first, then, saved.kinds, saved.threshold, saved.answered)


def kind(name: str) -> StudentKind:
    """Return the installed plug-in called `name`.

    Raises:
        UserError: none is. `module:Class` is none either: a saved student cannot name code to import.
    """
    if name not in plugins.names("students"):
        raise UserError(f"a cascade is made of installed kinds of students, and {name!r} is none here")
    found: StudentKind = plugins.build("students", {"kind": name}, key="kind", where="the cascade")
    return found


def _files(folder: Path) -> list[str]:
    found = (each for name in FOLDERS for each in (folder / name).rglob("*") if each.is_file())
    return sorted(each.relative_to(folder).as_posix() for each in found)
