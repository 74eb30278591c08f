"""Choosing among candidates without paying for the choice: fixed sequences and intersection-union."""

from __future__ import annotations

from collections.abc import Iterable


def fixed_sequence(outcomes: Iterable[bool]) -> tuple[bool, ...]:
    """Return the outcomes in order up to and including the first that is not proven; later ones are never tested.

    Every test is at the full level and the chance of any false "proven" is at most that level, for the order was fixed
    without these data (Maurer, Hothorn & Lehmacher 1995). Lazy: hand in a generator and no later test is run.
    """
    tested: list[bool] = []
    for proven in outcomes:
        tested.append(bool(proven))
        if not proven:
            break
    return tuple(tested)


def all_hold(outcomes: Iterable[bool]) -> bool:
    """Return whether every condition is proven: an intersection-union test, at the level of each (Berger 1982).

    No correction is needed: if the joint claim is false, one condition is false, and that one must be proven too.

    Raises:
        ValueError: there is no condition; nothing promised is not a promise kept.
    """
    proven = tuple(outcomes)
    if not proven:
        raise ValueError("a claim without a condition proves nothing")
    return all(proven)
