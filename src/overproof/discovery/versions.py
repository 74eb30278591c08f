"""Say how a task's prompt is worded, and how its wordings follow one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from overproof.discovery.grouping import VARIANTS, VARY, Cell
from overproof.discovery.records import Version
from overproof.discovery.skeletons import align
from overproof.tasks.templates import Template, of

LOOKED_AT = 500
"""Different texts that a template must fit."""
FITTING = 0.999
"""Share of them that do, at least."""


def versions(cells: Mapping[int, Cell], rows: pl.DataFrame) -> tuple[Version, ...]:
    """Return the wordings that `cells` (by number, as in the column `cell` of `rows`) come to, most calls first.

    Instructions of one template are one wording where they are many, and one each where they are few.
    """
    families: dict[tuple[str, ...], list[int]] = {}
    for number, cell in cells.items():
        families.setdefault((cell.family, cell.format) if cell.family else (str(number),), []).append(number)
    found: list[Version] = []
    for members in families.values():
        slotted = len(members) >= VARIANTS or any(cells[each].system is None for each in members)
        groups = [members] if slotted else [[each] for each in members]
        found += [_version([cells[i] for i in group], rows.filter(pl.col("cell").is_in(group))) for group in groups]
    return tuple(sorted(found, key=lambda each: (-each.calls, each.system, each.user)))


def _version(cells: Sequence[Cell], rows: pl.DataFrame) -> Version:
    tools = {cell.tools for cell in cells}
    user = template(rows, "asked")
    return Version(
        system=_instructions(cells, rows).written,
        user=user.written if user is not None and (user.slots or user.constants[0]) else "",
        tools=tuple(tools.pop().split(",")) if len(tools) == 1 and not tools & {"", VARY} else (),
        tools_vary=VARY in tools or len(tools) > 1,
        response_format=cells[0].format,
        calls=rows.height,
        first=rows["at"].min(),  # type: ignore[arg-type]  # a column of times has the least time
        last=rows["at"].max(),  # type: ignore[arg-type]  # the same
    )


def _instructions(cells: Sequence[Cell], rows: pl.DataFrame) -> Template:
    """Return the instructions, with slots where they vary."""
    first = cells[0]
    if len(cells) == 1 and first.system is not None:
        return of([first.system])
    return template(rows, "system") or of([first.opening.opening, first.opening.closing], ["slot"])


def template(rows: pl.DataFrame, column: str) -> Template | None:
    """Return the template that the texts of `column` were made from, None where they are free text.

    It has no slot where all texts are the same.
    """
    distinct = rows.group_by(column).agg(pl.col("place").min()).sort("place", column)[column]
    if len(distinct) == 1:
        return of([distinct[0]])
    texts = distinct.head(LOOKED_AT).to_list()
    found = align(texts)
    if found is None or sum(found.values(text) is not None for text in texts) < FITTING * len(texts):
        return None
    return found
