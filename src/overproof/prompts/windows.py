"""Two windows: students learn from the older requests and are judged on the newest, as deployment will have it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import polars as pl

from overproof.core.chance import draws

MISSING = 0.1
"""Share of requests without a time from which the log is not cut by time."""


@dataclass(frozen=True)
class Windows:
    """Which window each request falls into, and how that was decided."""

    window: pl.Series
    """`training` or `evaluation`, one for each request."""
    by: Literal["time", "unit hash"]
    cut_at: datetime | None = None
    """The evaluation window begins here; None when there was no cut by time."""
    length: timedelta | None = None
    """From `cut_at` to the newest request."""
    notes: tuple[str, ...] = ()


def cut(requests: pl.DataFrame, share: float, seed: str) -> Windows:
    """Cut requests (`at`, `unit`) so that the newest `share` of them, at most, is the evaluation window.

    A unit may stand in both windows: production repeats itself, and its newest requests are evidence like any other.
    Without usable times whole units are dealt by a hash instead, so nothing repeats and nothing is past or future.
    """
    at = requests["at"]
    missing = at.null_count()
    if missing > MISSING * len(at):
        return _by_unit(requests["unit"], share, seed, f"{missing} of {len(at)} requests carry no time")
    cut_at, newest = _cut_at(at, share), at.max()
    if cut_at is None or not isinstance(newest, datetime):
        return _by_unit(requests["unit"], share, seed, "too many requests share one time")
    notes = (f"{missing} requests carry no time and count as older ones",) if missing else ()
    return Windows(_named((at >= cut_at).fill_null(value=False)), "time", cut_at, newest - cut_at, notes)


def _cut_at(at: pl.Series, share: float) -> datetime | None:
    """Return the earliest time from which at most `share` of the requests remain.

    None when that leaves less than half of what was asked for: times are then too coarse to cut by.
    """
    per_time = at.drop_nulls().value_counts().sort(at.name, descending=True)
    within = per_time.filter(pl.col("count").cum_sum() <= share * len(at))
    if within["count"].sum() < share * len(at) / 2:
        return None
    cut_at = within[at.name][-1]
    assert isinstance(cut_at, datetime)  # nulls were dropped from a column of times
    return cut_at


def _by_unit(units: pl.Series, share: float, seed: str, why: str) -> Windows:
    note = f"{why}: the windows were cut by unit, so every request is new and none is later than another"
    return Windows(drawn(units, share, seed), "unit hash", notes=(note,))


def drawn(units: pl.Series, share: float, seed: str) -> pl.Series:
    """Return the window of each unit's requests when whole units are dealt: `share` of them, by hash, to evaluation."""
    distinct = units.unique()
    judging = pl.Series([draw < share for draw in draws(f"{seed}/window", distinct)], dtype=pl.Boolean)
    return _named(units.replace_strict(distinct, judging, return_dtype=pl.Boolean))


def _named(evaluation: pl.Series) -> pl.Series:
    names = pl.DataFrame({"evaluation": evaluation})
    return names.select(
        window=pl.when("evaluation").then(pl.lit("evaluation")).otherwise(pl.lit("training"))
    ).to_series()
