"""The schedule by which error probability is spent; the file that records it lies elsewhere."""

from __future__ import annotations

from overproof.core.types import Record

FIRST = 0.8
"""Share of what is left that each decision on the same test units may spend."""
GATE = 0.2
"""Share of a decision's level that the baselines have; the students have the rest."""


class Families(Record):
    """How one decision's level is divided between its two families of candidates."""

    gate: float
    students: float


def spent(delta: float, decision_number: int) -> float:
    """Return the level of the 1st, 2nd, ... decision on the same test units: 80 % first, then 80 % of the rest.

    They sum to less than `delta` however many follow (a union bound). Valid only while nothing but "not proven" was
    shown in between.

    Raises:
        ValueError: `delta` outside (0, 1) or a number below 1.
    """
    if not 0 < delta < 1 or decision_number < 1:
        raise ValueError("delta lies strictly between 0 and 1 and decisions are counted from 1")
    return float(delta * FIRST * (1.0 - FIRST) ** (decision_number - 1))


def family_levels(delta: float) -> Families:
    """Return the level of the gate (20 %) and of the students (80 %): together `delta`, by a union bound."""
    return Families(gate=GATE * delta, students=delta - GATE * delta)
