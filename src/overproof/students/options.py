"""What can be turned about students besides each kind's own options."""

from __future__ import annotations

from overproof.core.types import Record


class TrainingOptions(Record):
    """The `[training]` table."""

    seed: int = 0
    """Seed of everything drawn while fitting."""
