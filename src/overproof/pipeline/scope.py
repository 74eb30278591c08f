"""Which calls of the logs a new contract is about, and how the contract says so."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from overproof.core.errors import UserError
from overproof.core.where import parse
from overproof.discovery.records import Found, Kind
from overproof.pipeline.discover import look_into
from overproof.prompts.slices import select
from overproof.tasks.inputs import TEMPLATE, extract_column, instructed


@dataclass(frozen=True)
class Scope:
    """The calls of one task, and what tells them from others."""

    rows: pl.DataFrame
    """Table of `Exchange`."""
    kind: Kind = "classify"
    where: str | None = None
    system: tuple[str, ...] = ()
    input: str = "last_user"
    found: Found | None = None
    """What discovery says of it; None where it was not asked."""
    notes: tuple[str, ...] = ()


def whole(rows: pl.DataFrame, where: str | None) -> Scope:
    """Return the scope of logs that hold one task, or one that `where` tells from others."""
    return Scope(rows, where=where)


def discovered(exchanges: pl.DataFrame, number: int) -> Scope:
    """Return the scope of the task that discovery gives this number.

    Raises:
        UserError: there is no such task.
    """
    looked = look_into(exchanges, probe=False)
    tasks = {each.number: each for each in looked.record.tasks}
    if number not in tasks:
        known = ", ".join(f"{each.number} ({each.name})" for each in tasks.values()) or "none"
        raise UserError(f"no task has the number {number}; tasks in these logs: {known}")
    found = tasks[number]
    mine = looked.task.eq_missing(number)
    system = () if found.where is not None else tuple(dict.fromkeys(each.system for each in found.versions))
    how = f"{TEMPLATE} {found.template}" if found.template is not None else "last_user"
    scope = Scope(exchanges.filter(mine), found.kind, found.where, system, how, found)
    taken = _taken(exchanges, scope)
    return replace(scope, notes=_differences(mine, taken, found))


def _taken(exchanges: pl.DataFrame, scope: Scope) -> pl.Series:
    """Return which calls a contract of this scope takes."""
    taken = extract_column(exchanges, scope.input).is_not_null()
    if scope.where is not None:
        taken &= select(exchanges, parse(scope.where))
    return taken & instructed(exchanges, scope.system) if scope.system else taken


def _differences(mine: pl.Series, taken: pl.Series, found: Found) -> tuple[str, ...]:
    """Say where what the contract takes is not what was discovered."""
    others, missed = int((taken & ~mine).sum()), int((mine & ~taken).sum())
    notes = []
    if others:
        notes.append(
            f"the contract also takes {others} call(s) of other tasks: neither metadata nor instructions tell them "
            f"from {found.name!r}; name its files alone under [[logs]], or mark its calls with metadata"
        )
    if missed:
        notes.append(
            f"the contract leaves out {missed} of {int(mine.sum())} calls, which have no text of a user in this form"
        )
    return tuple(notes)
