"""Which calls of the logs a new contract is about, and how the contract says so."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import msgspec
import polars as pl

from overproof.core.errors import UserError
from overproof.core.types import Message
from overproof.core.where import parse
from overproof.discovery.records import Found, Kind
from overproof.pipeline.discover import look_into
from overproof.prompts.slices import select
from overproof.tasks.classify import Classify
from overproof.tasks.inputs import TEMPLATE, extract_column, instructed, instructions

LOOKED_AT = 2_000
"""Answered calls, drawn by hash, that are looked at for signs of several tasks."""
NO_LABEL = 0.2
"""Share of answers without a label up to which they may be one task's slips."""
FREQUENT = 0.05
"""Share of the calls that instructions of a task of their own have, at least."""


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


def several_tasks(exchanges: pl.DataFrame, labels: Sequence[str], logs: str) -> str | None:
    """Say that calls nobody chose among look like several tasks; None where they look like one.

    They do where a large share of the answers is no label, or two frequent instructions are answered with other labels.
    """
    drawn = exchanges.filter(pl.col("answer").is_not_null()).sort(pl.col("id").hash(0)).head(LOOKED_AT)
    read = Classify(labels=tuple(labels)).read_column(drawn["answer"]).answer
    if read.null_count() <= NO_LABEL * drawn.height and not _told_apart(drawn, read):
        return None
    return (
        f"these calls look like several tasks: `overproof discover {shlex.quote(logs)}` tells them apart, `--task N` "
        "picks one"
    )


def _told_apart(drawn: pl.DataFrame, read: pl.Series) -> bool:
    """Say whether of two frequent instructions one is answered without labels, or with less than half the same ones."""
    decoder = msgspec.json.Decoder(tuple[Message, ...])
    given = [instructions(decoder.decode(text)) for text in drawn["messages"]]
    said = pl.DataFrame({"given": given, "label": read})
    frequent = said.filter(pl.len().over("given") >= FREQUENT * drawn.height).group_by("given")
    cells = frequent.agg(
        unlabelled=pl.col("label").is_null().mean(), labels=pl.col("label").drop_nulls().value_counts()
    )
    if cells.height > 1 and (cells["unlabelled"] > 1 / 2).any():
        return True
    sets = [{each["label"] for each in counts if each["count"] > 1} for counts in cells["labels"].to_list()]
    return any(len(one & other) < min(len(one), len(other)) / 2 for one, other in combinations(sets, 2))


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
