"""Two rungs of the ladder as one: the cheaper answers when it is sure, else the other is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overproof.core.errors import UserError
from overproof.core.types import Record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from overproof.core.protocols import Student, Workshop
    from overproof.core.splits import Train, Tune
    from overproof.students.cascade_student import CascadeStudent


class Cascade(Record):
    """The first student answers what it is sure of, the second the rest."""

    name: str = "cascade"
    """What reports call it."""
    of: tuple[str, str] = ("words+characters", "encoder")
    """Names of two other students of the ladder, the cheaper one first."""

    def __post_init__(self) -> None:
        """Refuse a cascade of a student and itself."""
        if self.of[0] == self.of[1] or self.name in self.of:
            raise ValueError(f"of must name two other students, not {list(self.of)}")

    def combine(self, students: Sequence[Student], kinds: Sequence[str], tune: Tune) -> CascadeStudent:
        """Return the cascade of the two `students`, of the plug-ins `kinds`; how sure is sure is chosen on `tune`.

        Raises:
            UserError: they do not know the same labels, or a kind is not installed, so that no release could name it.
            NotEnoughData: `tune` holds no example.
        """
        from overproof.students.cascade_fit import combine

        return combine(students, kinds, tune)

    def fit(
        self,
        train: Train,  # noqa: ARG002 - the seam's signature
        tune: Tune,  # noqa: ARG002 - the same
        labels: tuple[str, ...],  # noqa: ARG002 - the same
        seed: int,  # noqa: ARG002 - the same
        workshop: Workshop | None = None,  # noqa: ARG002 - the same
    ) -> CascadeStudent:
        """Raise UserError: a cascade learns nothing of its own."""
        raise UserError(
            f"the student {self.name!r} is made of {self.of[0]!r} and {self.of[1]!r}: fit those and `combine` them"
        )

    def load(self, folder: Path) -> CascadeStudent:
        """Return the student saved in `folder`.

        Raises:
            ReleaseCorrupt: a file is missing, damaged or of another student.
            UserError: a kind it is made of is not installed here.
        """
        from overproof.students.cascade_student import load

        return load(folder)
