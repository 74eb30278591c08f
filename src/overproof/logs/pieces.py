"""Pieces of a log: some ten thousand rows, finished one piece at a time, so that memory is bounded by a piece.

What depends on other rows (an id that is taken, the order in time) is settled afterwards, from marks each row keeps.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import polars as pl

from overproof.core import tables
from overproof.core.types import Exchange, Record, SetAside
from overproof.logs.gold import join
from overproof.logs.redact import redact_set_aside, redact_table
from overproof.tasks.cached import from_cache

MARKS = pl.Schema({"_id": pl.UInt64, "_row": pl.UInt64, "_store": pl.String})
"""Beside each exchange: a hash of its id and one of all its fields, as the log had them; where an id names one call,
the format that says so."""


@dataclass(frozen=True)
class Finish:
    """What is done to rows before they are kept."""

    redact: bool = True
    gold: pl.DataFrame | None = None
    on: str = "id"
    """What right answers are found by."""


class Tally(Record):
    """What became of the rows of one file, or of a part of it."""

    file: str
    kept: int = 0
    set_aside: int = 0
    failed: int = 0
    """Of those kept, calls that failed."""
    cached: int = 0
    """Of those kept, calls a gateway answered from its cache."""
    gold: int = 0
    """Of those kept, calls a right answer is known for."""


@dataclass(frozen=True)
class Rows:
    """Rows of one file as its reader gave them."""

    file: str
    exchanges: pl.DataFrame
    set_aside: pl.DataFrame
    store: str | None = None
    """The format, where an id names one call in it."""


class Span(Record):
    """Which part of a file a piece holds."""

    file: str
    end: int | None = None
    """Bytes of the file up to its last row; None where the file can only be read as a whole."""
    lines: int = 0
    """Lines up to there."""


@dataclass(frozen=True)
class Piece:
    """Rows that are ready to be kept, in their order."""

    rows: pl.DataFrame | bytes
    """Table of `Exchange`, masked, with `MARKS`; or that as a Parquet file."""
    set_aside: pl.DataFrame
    """Table of `SetAside`, masked."""
    tallies: tuple[Tally, ...] = ()
    redacted: dict[str, int] = field(default_factory=dict)
    """Texts in which something was masked, by what it was."""
    spans: tuple[Span, ...] = ()

    def table(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return the rows, or some of their columns."""
        if isinstance(self.rows, bytes):
            return pl.read_parquet(io.BytesIO(self.rows), columns=list(columns) if columns else None)
        return self.rows.select(columns) if columns else self.rows

    def parquet(self) -> bytes:
        """Return the rows as a Parquet file."""
        return self.rows if isinstance(self.rows, bytes) else packed(self.rows)


def finish(rows: Sequence[Rows], how: Finish, spans: tuple[Span, ...] = ()) -> Piece:
    """Return rows with right answers joined, marked and masked."""
    none = Rows("", tables.frame((), Exchange), tables.frame((), SetAside))
    exchanges = pl.concat([_marked(each) for each in (none, *rows)])
    set_aside = pl.concat([each.set_aside for each in (none, *rows)])
    if how.gold is not None:
        exchanges = join(exchanges, how.gold, how.on)
    tallies = _tallies(rows, exchanges)
    masked: dict[str, int] = {}
    if how.redact:
        exchanges, masked = redact_table(exchanges)
        set_aside = redact_set_aside(set_aside)
    return Piece(exchanges, set_aside, tallies, masked, spans)


def _marked(rows: Rows) -> pl.DataFrame:
    fields = [name for name in rows.exchanges.columns if name != "source"]
    return rows.exchanges.with_columns(
        _id=pl.col("id").hash(0), _row=pl.struct(fields).hash(0), _store=pl.lit(rows.store, pl.String)
    )


def _tallies(rows: Sequence[Rows], exchanges: pl.DataFrame) -> tuple[Tally, ...]:
    """Count by file; rows of one file that stand together are one entry."""
    found: list[Tally] = []
    place = 0
    for each in rows:
        found.append(tally(each.file, exchanges[place : place + each.exchanges.height], each.set_aside.height))
        place += each.exchanges.height
    return tuple(added(found))


def tally(file: str, exchanges: pl.DataFrame, set_aside: int = 0) -> Tally:
    """Count exchanges of one file."""
    return Tally(
        file=file,
        kept=exchanges.height,
        set_aside=set_aside,
        failed=exchanges.height - exchanges["error"].null_count(),
        cached=int(exchanges.select(from_cache()).to_series().sum()),
        gold=exchanges.height - exchanges["gold"].null_count(),
    )


def added(tallies: Iterable[Tally]) -> list[Tally]:
    """Add up entries of the same file."""
    sums: dict[str, Counter[str]] = {}
    for each in tallies:
        so_far = sums.setdefault(each.file, Counter())
        for name in ("kept", "set_aside", "failed", "cached", "gold"):
            so_far[name] += getattr(each, name)
    return [Tally(file=file, **counts) for file, counts in sums.items()]


def packed(table: pl.DataFrame) -> bytes:
    """Return a table as a small Parquet file."""
    buffer = io.BytesIO()
    table.write_parquet(buffer, compression="zstd", compression_level=1, statistics=False)
    return buffer.getvalue()
