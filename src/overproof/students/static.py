"""The static rung of the ladder: a vector for each token, distilled from an encoder, added up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overproof.students.static_options import StaticOptions

if TYPE_CHECKING:
    from pathlib import Path

    from overproof.core.protocols import Workshop
    from overproof.core.splits import Train, Tune
    from overproof.students.static_student import StaticStudent


class Static(StaticOptions):
    """Softmax regression on an encoder's token vectors, and on the tokens themselves where training knows them."""

    def check(self, encoders: Path) -> None:
        """Raise a `UserError` for what fitting would lack: packages, the encoder in that folder.

        Raises:
            UserError: no such encoder is installed.
            MissingExtra: packages that reading (`encoder`) takes are not installed.
        """
        from overproof.models import embed

        embed.check(self.model, encoders)

    def fit(
        self,
        train: Train,
        tune: Tune,
        labels: tuple[str, ...],
        seed: int,  # noqa: ARG002 - the seam's signature
        workshop: Workshop | None = None,
    ) -> StaticStudent:
        """Return a student fitted on `train`; its penalty (unless given) and temperature are chosen on `tune`.

        The problem is convex and solved from zero, so nothing is drawn and `seed` changes nothing.

        Raises:
            NotEnoughData: `train` holds fewer than two answers, or `tune` holds no example.
            UserError: an example's answer is not one of `labels`, or the encoder is not installed.
            MissingExtra: `tokenizers` is not installed.
        """
        from overproof.students.static_fit import fit

        return fit(self, train, tune, labels, workshop)

    def load(self, folder: Path) -> StaticStudent:
        """Return the student saved in `folder`.

        Raises:
            ReleaseCorrupt: a file is missing, damaged or of another student.
            MissingExtra: `tokenizers` is not installed.
        """
        from overproof.students.static_student import load

        return load(folder)
