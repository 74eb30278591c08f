"""What can be turned about shipping."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from overproof.core.types import Record


class ReleaseOptions(Record):
    """The `[release]` table."""

    min_saving: float = 0.10
    """Share of the teacher's cost that must be saved, proven like any other condition."""
    core_hour_usd: Annotated[float, Meta(ge=0)] = 0.05
    """Dollars for an hour of one processor core: what a student's own answers are charged."""
