"""The rung of the ladder that reads whole texts: an encoder, frozen or trained further, and a head on top."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overproof.core.errors import UserError
from overproof.students.encoder_options import EncoderOptions

if TYPE_CHECKING:
    from pathlib import Path

    from overproof.core.protocols import Workshop
    from overproof.core.splits import Train, Tune
    from overproof.students.encoder_student import EncoderStudent


class EncoderKind(EncoderOptions):
    """Softmax regression on what an encoder makes of a text."""

    def check(self, encoders: Path) -> None:
        """Raise a `UserError` for what fitting would lack: packages, the encoder in that folder, its layers.

        Raises:
            UserError: no such encoder is installed, or it cannot be cut or trained as the options say.
            MissingExtra: packages that reading (`encoder`) or training (`train`) takes are not installed.
        """
        from overproof.models import embed
        from overproof.models.encoders import store

        embed.check(self.model, encoders)
        info = store.read(store.find(encoders, self.model))
        if self.layers and self.layers > info.layers > 0:
            raise UserError(
                f"the encoder {self.model!r} has {info.layers} layers, and {self.name!r} wants {self.layers}"
            )
        if not info.trainable and (self.fine_tune or self.layers not in {None, info.layers}):
            raise UserError(
                f"the encoder {self.model!r} came as an ONNX file: it cannot be trained or cut, as {self.name!r} wants"
            )
        if self.fine_tune:
            from overproof.students import fine_tune

            fine_tune.check(self.name)

    def fit(
        self, train: Train, tune: Tune, labels: tuple[str, ...], seed: int, workshop: Workshop | None = None
    ) -> EncoderStudent:
        """Return a student fitted on `train`; penalty, temperature and precision are chosen on `tune`.

        With a frozen encoder nothing is drawn and `seed` changes nothing. What a killed run has read is in the
        workshop's scratch, and is not read again.

        Raises:
            NotEnoughData: `train` holds fewer than two answers, or `tune` holds no example.
            UserError: an example's answer is not one of `labels`, the encoder is not installed, or has no such layers.
            MissingExtra: packages that reading (`encoder`) or training (`train`) takes are not installed.
        """
        if self.fine_tune:
            from overproof.students import fine_tune

            return fine_tune.fit(self, train, tune, labels, seed, workshop)
        from overproof.students.encoder_fit import fit

        return fit(self, train, tune, labels, workshop)

    def load(self, folder: Path) -> EncoderStudent:
        """Return the student saved in `folder`.

        Raises:
            ReleaseCorrupt: a file is missing, damaged or of another student.
            MissingExtra: packages that reading takes (`encoder`) are not installed.
        """
        from overproof.students.encoder_student import load

        return load(folder)
