"""What can be turned about calibration."""

from __future__ import annotations

from overproof.core.types import Record


class CalibrateOptions(Record):
    """The `[calibrate]` table."""

    start_units: int = 200
    """Answered units expected at the strictest threshold tried."""
    points: int = 50
    """Thresholds tried, from strict to lenient."""
