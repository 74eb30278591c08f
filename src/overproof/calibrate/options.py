"""What can be turned about calibration."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from overproof.core.types import Record


class CalibrateOptions(Record):
    """The `[calibrate]` table."""

    start_units: Annotated[int, Meta(ge=1)] = 200
    """Answered units expected at the strictest threshold tried."""
    points: Annotated[int, Meta(ge=1)] = 50
    """Thresholds tried, from strict to lenient."""
    again: float = 0.9
    """Chance, about, with which the test is to prove the risk again at the threshold picked. Less answers more and is
    released less often; 0 picks the most lenient threshold certified, which fresh units confirm every second time."""
    confidence: Literal["auto", "top"] = "auto"
    """`top`: a student is as sure as its top probability says; `auto`: a correctness head instead, where `tune` shows
    it to be better."""
    slice_thresholds: bool = True
    """Let each critical slice have a threshold of its own, as far from the common one as `tune` says it should be."""
