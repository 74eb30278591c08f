"""Tables that fit the terminal: what is too wide loses the ends of words, then columns, but never a digit."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from io import StringIO

PIPED = 140
"""Columns where there is no terminal."""
FLOOR = 12
"""What a shortened text keeps at least."""
GAP, TIGHT, EDGES = 3, 2, 2
"""Spaces between two columns, between those of a table that is short of room, and at its two edges."""


def terminal() -> int | None:
    """Return how many columns the terminal has; None where standard output is no terminal."""
    return shutil.get_terminal_size((120, 24)).columns if sys.stdout.isatty() else None


def table(
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    left: Collection[str] = (),
    texts: Collection[str] = (),
    least: Sequence[str] = (),
) -> str:
    """Return a table as text; columns in `left` begin at the left.

    On a terminal that is too narrow `texts` are shortened, and as many columns of `least` go, the first ones first, as
    it takes; a line says how many. Everywhere else nothing is left out.
    """
    room = terminal()
    if room is None:
        return _drawn(names, rows, left, {}, PIPED)
    widths = _widths(names, rows)
    if sum(widths.values()) + GAP * (len(names) - 1) + EDGES <= room:
        return _drawn(names, rows, left, {}, room)
    stay = fitted(widths, texts, least, room)
    places = [place for place, name in enumerate(names) if name in stay]
    chosen = [[row[place] for place in places] for row in rows]
    return _drawn(list(stay), chosen, left, stay, room) + _told(len(names) - len(stay))


def fitted(widths: Mapping[str, int], texts: Collection[str], least: Sequence[str], room: int) -> dict[str, int]:
    """Return the columns that stay, and how wide each is."""
    stay = dict(widths)
    for name in ("", *least):  # at first nothing goes
        if name:
            stay.pop(name)
        words = {each: width for each, width in stay.items() if each in texts}
        spare = room - EDGES - TIGHT * (len(stay) - 1) - sum(stay.values()) + sum(words.values())
        for most in range(max(FLOOR, *words.values(), 0), FLOOR - 1, -1):
            if sum(min(width, most) for width in words.values()) <= spare:
                return stay | {each: min(width, most) for each, width in words.items()}
    return stay | {each: min(width, FLOOR) for each, width in stay.items() if each in texts}


def _told(gone: int) -> str:
    import click

    if not gone:
        return ""
    return click.style(f"{gone} more column{'s' * (gone != 1)} in a wider terminal, or --json", dim=True) + "\n"


def _widths(names: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, int]:
    """Return how many columns of the terminal each column of the table takes, wide characters counted as they are."""
    from rich.cells import cell_len

    return {name: max(map(cell_len, (name, *(row[place] for row in rows)))) for place, name in enumerate(names)}


def _drawn(
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    left: Collection[str],
    stay: Mapping[str, int],
    width: int,
) -> str:
    """Draw a table; with the widths in `stay` each cell is one line."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    to = StringIO()
    needed = sum(stay.values()) + TIGHT * (len(stay) - 1) + EDGES  # below that a terminal may break lines, we do not
    console = Console(file=to, width=max(width, needed), color_system=None, highlight=False, markup=False, emoji=False)
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0) if stay else (0, 1))
    for name in names:
        drawn.add_column(
            name,
            justify="left" if name in left else "right",
            width=stay.get(name),
            no_wrap=bool(stay),
            overflow="ellipsis" if stay else "fold",
        )
    for row in rows:
        drawn.add_row(*row)
    console.print(drawn)
    return to.getvalue()
