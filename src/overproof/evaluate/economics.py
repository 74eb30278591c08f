"""What a candidate's system costs and saves, at the log's own volume."""

from __future__ import annotations

from overproof.core.types import Economics
from overproof.evaluate.evaluate import Costs


def economics(costs: Costs, requests_per_month: float, spent: float) -> Economics:
    """Return costs per thousand requests, what a month saves, and after how many requests `spent` has paid for itself.

    These describe; that it saves at all is a condition of its own, proven or not. `spent` is in dollars.
    """
    saved_per_request = (costs.teacher_per_1k - costs.blended_per_1k) / 1000.0
    return Economics(
        requests_per_month=requests_per_month,
        teacher_per_1k=costs.teacher_per_1k,
        student_per_1k=costs.student_per_1k,
        blended_per_1k=costs.blended_per_1k,
        saved_per_month=saved_per_request * requests_per_month,
        spent=spent,
        break_even_requests=spent / saved_per_request if saved_per_request > 0 else None,
    )
