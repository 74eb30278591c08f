"""Say in words which rows of the logs were not read: what nobody hears of is missed by nobody."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from overproof.core.types import LogSummary

BREAKS_OFF = "the file breaks off"
"""Reason of the row that stands for the rest of a file."""


def told(summary: LogSummary, set_aside: pl.DataFrame) -> Iterator[str]:
    """Yield a sentence for each file that breaks off, and one for all other rows set aside, without a full stop."""
    torn = set_aside.filter(pl.col("reason").str.starts_with(BREAKS_OFF))["source"].str.strip_suffix(":end")
    rows = {file.path: file.rows for file in summary.files}
    yield from (f"{name} breaks off after row {rows[name] - 1:,}: the rest could not be read" for name in torn)
    others = {reason: n for reason, n in summary.reasons.items() if reason != BREAKS_OFF}
    if n := sum(others.values()):
        reasons = ", ".join(f"{reason} ({count:,})" for reason, count in others.items())
        total = sum(file.rows for file in summary.files) - torn.len()
        yield f"{n:,} of {total:,} rows of the logs {'was' if n == 1 else 'were'} set aside: {reasons}"
