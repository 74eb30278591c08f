"""What was read of the logs, on disk: a folder of pieces, each written once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import polars as pl

from overproof.core import tables
from overproof.core.store import write
from overproof.core.types import Exchange, Record, SetAside
from overproof.logs.pieces import MARKS, Piece, Span, Tally, packed
from overproof.logs.read import apply, in_time
from overproof.pipeline.files import State

LIST = "pieces.json"
CHANGES = "changes.parquet"
"""What was settled when all rows were known: see `logs.read.Resolved`."""
EXCHANGES, SET_ASIDE = "exchanges", "set_aside"
"""Folders of the pieces, one Parquet file each."""


class Entry(Record):
    """A piece that lies on disk."""

    name: str
    spans: tuple[Span, ...]
    tallies: tuple[Tally, ...]
    redacted: dict[str, int]


class Source(Record):
    """A file as it was when it was read."""

    state: State
    format: str
    kind: str


class Kept(Record):
    """All pieces of one reading, in order."""

    made_by: str
    """Digest of all that decides what becomes of a row."""
    sources: dict[str, Source]
    pieces: tuple[Entry, ...]


def exchanges(folder: Path, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Return the table of `Exchange` that an artefact of the stage `logs` holds, or some of its columns."""
    wanted = list(columns or tables.schema(Exchange))
    kept, changes = listed(folder), pl.read_parquet(folder / CHANGES)
    if not kept.pieces:
        return tables.frame((), Exchange).select(wanted)
    needed = dict.fromkeys([*wanted, "at", *(() if changes.is_empty() else ("source",))])
    rows = pl.read_parquet([folder / EXCHANGES / each.name for each in kept.pieces], columns=list(needed))
    return in_time(apply(rows, changes)).select(wanted)


def listed(folder: Path) -> Kept:
    """Return the list of an artefact's pieces."""
    return msgspec.json.decode((folder / LIST).read_bytes(), type=Kept)


# --- writing ----------------------------------------------------------------------------------------------------------


class Shelf:
    """Pieces on their way into an artefact."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._next = 0
        self.digests: dict[str, str] = {}
        """Digests that are known of files taken over, by path."""
        (folder / EXCHANGES).mkdir()
        (folder / SET_ASIDE).mkdir()

    def put(self, piece: Piece) -> Entry:
        """Write a piece."""
        name = f"{self._next:06}.parquet"
        self._next += 1
        write(self.folder / EXCHANGES / name, piece.parquet())
        if not piece.set_aside.is_empty():
            write(self.folder / SET_ASIDE / name, packed(piece.set_aside))
        return Entry(name=name, spans=piece.spans, tallies=piece.tallies, redacted=piece.redacted)

    def take(self, entry: Entry, old: Path, digests: Mapping[str, str]) -> None:
        """Take over a piece of an older artefact, without its bytes where the disk can share them."""
        self._next = max(self._next, 1 + int(Path(entry.name).stem))
        for path in (f"{EXCHANGES}/{entry.name}", f"{SET_ASIDE}/{entry.name}"):
            if path in digests:
                _linked(old / path, self.folder / path)
                self.digests[path] = digests[path]

    def marks(self, entry: Entry) -> pl.DataFrame:
        """Return the marks of a piece's rows."""
        return pl.read_parquet(self.folder / EXCHANGES / entry.name, columns=list(MARKS))

    def set_aside(self, entry: Entry) -> pl.DataFrame:
        """Return the rows a piece sets aside."""
        path = self.folder / SET_ASIDE / entry.name
        return pl.read_parquet(path) if path.exists() else tables.frame((), SetAside)

    def look(
        self, entries: Sequence[Entry], heights: Sequence[int], places: pl.Series, columns: Sequence[str]
    ) -> pl.DataFrame:
        """Return columns of rows by their places among all pieces, in the order of the places."""
        found = [tables.frame((), Exchange).select(columns).with_columns(_order=pl.lit(0, pl.UInt32))]
        order = pl.DataFrame({"place": places.cast(pl.Int64)}).with_row_index("_order")
        begin = 0
        for entry, height in zip(entries, heights, strict=True) if len(places) else ():
            inside = order.filter(pl.col("place").is_between(begin, begin + height, closed="left"))
            if not inside.is_empty():
                rows = pl.read_parquet(self.folder / EXCHANGES / entry.name, columns=list(columns))
                found.append(rows.select(columns)[inside["place"] - begin].with_columns(_order=inside["_order"]))
            begin += height
        return pl.concat(found).sort("_order").drop("_order")

    def settle(self, changes: pl.DataFrame) -> None:
        """Write what was settled between rows."""
        changes.write_parquet(self.folder / CHANGES)

    def close(self, kept: Kept) -> None:
        """Write what the pieces are."""
        write(self.folder / LIST, msgspec.json.encode(kept))


def _linked(old: Path, new: Path) -> None:
    try:
        os.link(old, new)
    except OSError:  # a disk without links, or with too many of them
        shutil.copyfile(old, new)
