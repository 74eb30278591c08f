"""Sum up a prompt set in numbers, and in sentences where a person should look twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import polars as pl

from overproof.core.types import PromptSummary
from overproof.prompts import groups
from overproof.prompts.join import MOST, Joined
from overproof.prompts.options import SliceOptions
from overproof.prompts.splits import Dealt
from overproof.prompts.windows import Windows

DAY = timedelta(days=1)
DAYS_PER_MONTH = 30.4375
SPLITS = ("train", "tune", "calibrate", "test")


def summarise(
    rows: pl.DataFrame,
    exchanges: int,
    joined: Joined,
    windows: Windows,
    dealt: Dealt,
    *,
    slices: Sequence[SliceOptions],
    group: str | None = None,
    notes: Sequence[str] = (),
) -> PromptSummary:
    """Return what the prompt set is made of; `rows` are its requests, out of `exchanges` in the logs.

    `notes` are told besides. With `group`, the column of that name tells which requests have one: only groups count as
    units.
    """
    per_split = {name: rows["unit"].filter(rows["split"] == name) for name in SPLITS}
    dropped = rows["split"].null_count()
    of_units = (rows if group is None else rows.drop_nulls("group"))["unit"]
    about_groups = () if group is None else groups.notes(rows, group)
    return PromptSummary(
        exchanges=rows.height,
        out_of_scope=exchanges - rows.height,
        prompts=rows["prompt_id"].n_unique(),
        units=of_units.n_unique(),
        joined_by=joined.by,
        not_joined_by=joined.left_out,
        largest_unit=joined.largest,
        windows=windows.by,
        cut_at=windows.cut_at,
        days=windows.length / DAY if windows.length is not None else None,
        requests={name: len(each) for name, each in per_split.items()} | {"dropped": dropped},
        split_units={name: each.n_unique() for name, each in per_split.items()},
        n_max=1,
        requests_per_month=rows.height / _days(rows["at"]) * DAYS_PER_MONTH,
        notes=(*windows.notes, *notes, *about_groups, *_notes(rows, joined, dealt, slices, group)),
    )


def _days(at: pl.Series) -> float:
    """Return the days the log covers: one at least, and a month when it does not say."""
    oldest, newest = at.min(), at.max()
    if not isinstance(oldest, datetime) or not isinstance(newest, datetime):
        return DAYS_PER_MONTH
    return max((newest - oldest) / DAY, 1.0)


def _notes(
    rows: pl.DataFrame, joined: Joined, dealt: Dealt, slices: Sequence[SliceOptions], group: str | None
) -> Iterator[str]:
    if rows["at"].null_count() == rows.height:
        yield "no request carries a time: the log is taken to cover one month"
    if joined.largest > MOST:
        yield f"one unit holds {joined.largest:.0%} of all requests: much of the traffic is one piece of evidence"
    if dealt.moved:
        yield f"{dealt.moved} requests keep the window an earlier run dealt them to, though the cut has moved past them"
    dropped = rows["split"].null_count()
    if dropped and group is None:
        yield f"{dropped} requests were dropped, for their units merged with units of another split"
    if not rows["by_teacher"].any():
        yield "no request was answered by the teacher: every answer will have to be bought"
    for name, each in (
        ("training", "train"),
        ("training", "tune"),
        ("evaluation", "calibrate"),
        ("evaluation", "test"),
    ):
        if not (rows["split"] == each).any():
            yield f"no unit of the {name} window was dealt to {each}: there are too few"
    for each_slice in slices:
        if not rows["slices"].list.contains(each_slice.name).any():
            yield f"slice {each_slice.name!r} matches no request: {each_slice.where}"
