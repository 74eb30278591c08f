"""The lexical rung of the ladder: a linear student that knows words, runs of words and, if asked, their pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overproof.students.linear_options import LinearOptions

if TYPE_CHECKING:
    from pathlib import Path

    from overproof.core.protocols import Workshop
    from overproof.core.splits import Train, Tune
    from overproof.students.linear_student import LinearStudent


class Linear(LinearOptions):
    """Multinomial logistic regression over runs of words and pieces of words."""

    def fit(
        self,
        train: Train,
        tune: Tune,
        labels: tuple[str, ...],
        seed: int,  # noqa: ARG002 - the seam's signature
        workshop: Workshop | None = None,  # noqa: ARG002 - the same
    ) -> LinearStudent:
        """Return a student fitted on `train`; its penalty (unless given) and temperature are chosen on `tune`.

        The problem is convex and solved from zero, so nothing is drawn and `seed` changes nothing.

        Raises:
            NotEnoughData: `train` holds fewer than two answers, or `tune` holds no example.
            UserError: an example's answer is not one of `labels`.
        """
        from overproof.students.linear_fit import fit

        return fit(self, train, tune, labels)

    def load(self, folder: Path) -> LinearStudent:
        """Return the student saved in `folder`.

        Raises:
            ReleaseCorrupt: a file is missing, damaged or of another student.
        """
        from overproof.students.linear_student import load

        return load(folder)
