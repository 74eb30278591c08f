"""What can be done with prompt sets: list versions, see what changed between two, draw, show, export prompts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec
import polars as pl

from overproof.core.errors import UserError
from overproof.core.protocols import Task
from overproof.core.types import Record
from overproof.core.where import parse
from overproof.pipeline import versions as catalogue
from overproof.pipeline.exporting import Exported, export
from overproof.pipeline.looking import Drawn, Sample, Whole, sample, show
from overproof.pipeline.opened import Opened, Recipe, either, known_to, newest
from overproof.pipeline.plugged import task_of
from overproof.pipeline.project import Project
from overproof.pipeline.versions import STAGE, Version
from overproof.prompts.build import labels
from overproof.prompts.changes import Difference
from overproof.prompts.difference import difference
from overproof.prompts.match import EVERY_REQUEST

__all__ = [
    "Drawn",
    "Exported",
    "PromptSet",
    "Sample",
    "SetDifference",
    "Whole",
    "diff",
    "export",
    "sample",
    "show",
    "versions",
]

COLUMNS = ("id", "prompt_id", "unit", "length", "language", "slices", "metadata")


class PromptSet(Version):
    """A version of the prompt set, seen from now."""

    on_disk: bool
    """Whether it can still be looked at."""
    present: bool
    """Whether it is what the logs and the contract make now."""
    releases: tuple[str, ...] = ()
    """Releases that learned from it; it stays on disk as long as one of them is there."""


class Compared(Record):
    """One side of a comparison."""

    project: str
    number: int
    key: str
    made_at: datetime


class SetDifference(Record):
    """What changed between two prompt sets."""

    before: Compared
    after: Compared
    warnings: tuple[str, ...]
    """Parts of the contract they were made with that differ: what makes them hard to compare."""
    changed: Difference


def versions(root: Path | str = ".") -> tuple[PromptSet, ...]:
    """Return the versions of the prompt set of the project in `root`, oldest first.

    Raises:
        UserError: no project is there, or no prompt set has been made in it yet.
    """
    project = Project(root)
    known = known_to(project)
    learned = [(lineage.get(STAGE), name) for name, lineage in catalogue.lineages(project)]
    return tuple(
        PromptSet(
            **{name: getattr(each, name) for name in each.__struct_fields__},
            on_disk=catalogue.on_disk(project, each.key),
            present=each.key == project.keys[STAGE],
            releases=tuple(name for key, name in learned if key == each.key),
        )
        for each in known
    )


def diff(root: Path | str = ".", before: str | None = None, after: str | None = None) -> SetDifference:
    """Return what changed from one prompt set to another: the requests of `before` beside those new in `after`.

    Each is a number, a key or the beginning of one, or another project's folder (its newest set). Left out, they are
    the newest two on disk; one alone is held against the newest.

    Raises:
        UserError: there is no such set, it is no longer on disk, or both are the same.
    """
    project = Project(root)
    later = newest(project) if after is None else either(project, after)
    earlier = newest(project, before=1) if before is None else either(project, before)
    if earlier.folder.resolve() == later.folder.resolve():
        raise UserError(f"both are prompt set {later.version.number} ({later.version.key[:8]}): name two that differ")
    contract, was, now = later.project.contract, earlier.recipe(), later.recipe()
    topics = _topics(earlier) if _topics(earlier) == _topics(later) else ""
    one, other = (_requests(each, task_of(contract), topics=bool(topics)) for each in (earlier, later))
    found = difference(
        one,
        other,
        slices=_alike(was, now, topics=bool(topics)) if was and now else _named_in_both(one, other),
        grouped=any(each is not None and each["proof"]["group"] is not None for each in (was, now)),
        seed=contract.prompts.seed,
    )
    return SetDifference(
        before=_compared(earlier), after=_compared(later), warnings=tuple(_warnings(was, now)), changed=found
    )


def _compared(each: Opened) -> Compared:
    made = each.version
    return Compared(project=str(each.project.root), number=made.number, key=made.key, made_at=made.made_at)


def _requests(each: Opened, task: Task, *, topics: bool) -> pl.DataFrame:
    """Return the requests of a set with their inputs and labels; both sides are read alike."""
    rows, inputs = each.requests(), each.prompts().select("id", "input")
    found = labels(rows, task.read)
    wanted = rows.select(*COLUMNS, *(["topic"] if topics and "topic" in rows.columns else []))
    wanted = wanted.with_columns(label=found) if found is not None else wanted
    return wanted.join(inputs, left_on="prompt_id", right_on="id", how="left", maintain_order="left")


def _topics(each: Opened) -> str:
    """Return what topics mean to a set, "" where they mean nothing."""
    return str(each.manifest.summary.get("topics") or "")


def _alike(before: Recipe, after: Recipe, *, topics: bool) -> list[str]:
    """Return the slices that mean the same in both sets: by the same condition, and with `topics` the same topics."""
    same = [name for name, where in before["slices"].items() if after["slices"].get(name) == where]
    return [name for name in same if topics or "topic" not in parse(before["slices"][name]).names]


def _named_in_both(one: pl.DataFrame, other: pl.DataFrame) -> list[str]:
    names = [set(each["slices"].explode().drop_nulls().unique()) for each in (one, other)]
    return sorted((names[0] & names[1]) - set(EVERY_REQUEST))


def _warnings(before: Recipe | None, after: Recipe | None) -> Iterator[str]:
    """Yield what of the two sets' making differs: it can look like a change of traffic."""
    if before is None or after is None:
        yield "one of the sets was made by an earlier version, which did not note how: compare with care"
        return
    one, other = (
        {f"{part}.{name}": value for part, values in recipe.items() for name, value in values.items()}
        for recipe in (before, after)
    )
    for where in dict.fromkeys([*one, *other]):
        was, now = one.get(where), other.get(where)
        if where == "task.labels" and set(was or ()) == set(now or ()):
            continue  # their order means nothing
        if was != now:
            how = _told(was, now)
            yield f"overproof.toml, {where}: {how}; some of what follows may come from that, not from traffic"


def _told(was: object, now: object) -> str:
    """Say how a part of the contract differs: of two lists what was added and removed, of all else both."""
    if isinstance(was, list) and isinstance(now, list):
        gone, new = ([each for each in one if each not in other] for one, other in ((was, now), (now, was)))
        sides = [f"{_json(some)[1:-1]} {what}" for some, what in ((new, "added"), (gone, "removed")) if some]
        if sides:
            return ", ".join(sides)
    return f"{_json(was)} before, {_json(now)} now"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
