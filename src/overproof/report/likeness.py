"""How the prompt set stands beside live traffic, as the page and the terminal tell it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from overproof.core.types import FileRead, Match, MatchRow, Record
from overproof.report.words import percent

SHOWN_VALUES = 12
"""Values of one dimension drawn one by one; the others are summed up."""
NAMED_VALUES = 3
"""Values that are named where a dimension is said to differ."""
IN_ORDER = ("length",)
"""Dimensions whose values have an order of their own."""


class Value(Record):
    """One value of a dimension, or several summed up."""

    name: str
    ours: float
    live: float
    chance: float | None = None
    """By how much the two may differ by chance; None where that is not known."""
    moved: bool = False


def values(row: MatchRow) -> tuple[Value, ...]:
    """Return what is drawn of a dimension: what moved and what is common, most common first, and the sum of the rest.

    Values with an order of their own keep it.
    """
    found = [
        Value(
            name=name,
            ours=row.prompt_set.get(name, 0.0),
            live=row.live.get(name, 0.0),
            chance=row.explained.get(name),
            moved=name in row.moved,
        )
        for name in dict.fromkeys([*row.prompt_set, *row.live])
    ]
    common = sorted(found, key=lambda each: (-max(each.ours, each.live), each.name))
    if len(found) <= SHOWN_VALUES + 1:
        return tuple(found if row.dimension in IN_ORDER else common)
    telling = sorted(common, key=lambda each: row.moved.index(each.name) if each.moved else len(row.moved))
    names = {each.name for each in telling[:SHOWN_VALUES]}
    rest = [each for each in common if each.name not in names]
    shown = [each for each in (found if row.dimension in IN_ORDER else common) if each.name in names]
    return (*shown, _summed(rest))


def _summed(rest: Sequence[Value]) -> Value:
    return Value(
        name=f"{len(rest)} others",
        ours=math.fsum(each.ours for each in rest),
        live=math.fsum(each.live for each in rest),
    )


def widest(drawn: Sequence[Value]) -> float:
    """Return the largest share that the picture of these values must hold."""
    return max((max(each.ours, each.live) for each in drawn), default=0.0)


def furthest(match: Match) -> float:
    """Return the largest distance that the pictures of all dimensions but `joint`, which is far larger, must hold."""
    return max((reach(row) for row in pictured(match)), default=0.0)


def reach(row: MatchRow) -> float:
    """Return what the picture of one distance must hold."""
    return max(row.total_variation, row.expected)


def pictured(match: Match) -> tuple[MatchRow, ...]:
    """Return the dimensions whose values have names, those beyond chance first."""
    return tuple(sorted((row for row in match.rows if row.live or row.prompt_set), key=lambda row: not row.flagged))


def joint(match: Match) -> MatchRow | None:
    """Return the dimension that crosses all others; None where nothing was compared."""
    return next((row for row in match.rows if row.dimension == "joint"), None)


def moved(row: MatchRow) -> str:
    """Return which values differ more than chance explains, by name: `de, fr and 2 more`; empty where none does."""
    names = list(row.moved[:NAMED_VALUES])
    more = len(row.moved) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def apart(match: Match) -> str:
    """Return where the prompt set differs more than chance explains: `language (de 9.0%, live 15.0%), label`."""
    return ", ".join(map("".join, (_apart(row) for row in match.rows if row.flagged)))


def _apart(row: MatchRow) -> Iterator[str]:
    yield row.dimension
    if row.moved:
        name = row.moved[0]
        more = f", and {len(row.moved) - 1} more" if len(row.moved) > 1 else ""
        yield f" ({name} {percent(row.prompt_set.get(name))}, live {percent(row.live.get(name))}{more})"


# --- the files it all was read from -----------------------------------------------------------------------------------

FEW_FILES = 6
"""So many are shown at once; more are folded."""
FATES = ("joined", "failed", "cached")
"""Counts that most files have none of."""


def fates(files: Sequence[FileRead]) -> tuple[str, ...]:
    """Return which of the rarer counts any of the files has."""
    return tuple(name for name in FATES if any(getattr(each, name) for each in files))
