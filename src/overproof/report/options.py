"""What can be turned about the report."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from overproof.core.types import Record


class ReportOptions(Record):
    """The `[report]` table."""

    title: str = ""
    """Heading; the task's name when empty."""
    examples: Annotated[int, Meta(ge=0)] = 5
    """Redacted examples shown in each place that shows any; 0 shows none."""
