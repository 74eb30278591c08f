"""What the students that need an encoder ask of the workshop they are fitted in."""

from __future__ import annotations

from pathlib import Path

from overproof.core.errors import UserError
from overproof.core.protocols import Workshop
from overproof.models.encoders import store


def encoder_folder(workshop: Workshop | None, model: str, student: str) -> Path:
    """Return the folder of the installed encoder called `model`.

    Raises:
        UserError: there is no workshop, or no such encoder in it.
    """
    if workshop is None:
        raise UserError(f"the student {student!r} reads an installed encoder: fit it with a Workshop that names theirs")
    return store.find(workshop.encoders, model)
