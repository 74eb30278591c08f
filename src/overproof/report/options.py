"""What can be turned about the report."""

from __future__ import annotations

from overproof.core.types import Record


class ReportOptions(Record):
    """The `[report]` table."""

    title: str = ""
    """Heading; the task's name when empty."""
    examples: int = 5
    """Redacted examples shown in each place that shows any; 0 shows none."""
