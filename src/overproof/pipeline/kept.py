"""What was read of the logs, on disk: pieces that are written once and taken over while their bytes are unchanged."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import polars as pl

from overproof.core import tables
from overproof.core.store import MANIFEST, Store, write, write_json
from overproof.core.types import Exchange, Manifest, Record, SetAside
from overproof.logs.find import Found
from overproof.logs.pieces import MARKS, Piece, Span, Tally, packed
from overproof.logs.read import apply, in_time
from overproof.pipeline import files
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
    needed = list(dict.fromkeys([*wanted, "source", "at"]))
    kept = listed(folder)
    if not kept.pieces:
        return tables.frame((), Exchange).select(wanted)
    paths = [folder / EXCHANGES / each.name for each in kept.pieces]
    rows = pl.read_parquet(paths, columns=needed)
    return in_time(apply(rows, pl.read_parquet(folder / CHANGES))).select(wanted)


def listed(folder: Path) -> Kept:
    """Return the list of an artefact's pieces."""
    return msgspec.json.decode((folder / LIST).read_bytes(), type=Kept)


# --- writing ----------------------------------------------------------------------------------------------------------


class Shelf:
    """Pieces on their way into an artefact."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._next = 0
        self.digests: dict[str, str] = {}
        """Digests that are known of files taken over, by path."""
        (folder / EXCHANGES).mkdir()
        (folder / SET_ASIDE).mkdir()

    def put(self, piece: Piece) -> Entry:
        """Write a piece."""
        name = f"{self._next:06}.parquet"
        self._next += 1
        write(self._folder / EXCHANGES / name, piece.parquet())
        if not piece.set_aside.is_empty():
            write(self._folder / SET_ASIDE / name, packed(piece.set_aside))
        return Entry(name=name, spans=piece.spans, tallies=piece.tallies, redacted=piece.redacted)

    def take(self, entry: Entry, old: Path, manifest: Manifest) -> None:
        """Take over a piece of an older artefact, without its bytes where the disk can share them."""
        self._next = max(self._next, 1 + int(Path(entry.name).stem))
        for part in (EXCHANGES, SET_ASIDE):
            path = f"{part}/{entry.name}"
            if path in manifest.files:
                _linked(old / path, self._folder / path)
                self.digests[path] = manifest.files[path]

    def marks(self, entry: Entry) -> pl.DataFrame:
        """Return the marks of a piece's rows."""
        return pl.read_parquet(self._folder / EXCHANGES / entry.name, columns=list(MARKS))

    def set_aside(self, entry: Entry) -> pl.DataFrame:
        """Return the rows a piece sets aside."""
        path = self._folder / SET_ASIDE / entry.name
        return pl.read_parquet(path) if path.exists() else tables.frame((), SetAside)

    def look(self, entries: Sequence[Entry], heights: Sequence[int], places: pl.Series, columns: Sequence[str]) -> pl.DataFrame:
        """Return columns of rows by their places among all pieces, in the order of the places."""
        found = [tables.frame((), Exchange).select(columns).with_columns(_order=pl.lit(0, pl.UInt32))]
        order = pl.DataFrame({"place": places.cast(pl.Int64)}).with_row_index("_order")
        begin = 0
        for entry, height in zip(entries, heights, strict=True):
            inside = order.filter(pl.col("place").is_between(begin, begin + height, closed="left"))
            if not inside.is_empty():
                rows = pl.read_parquet(self._folder / EXCHANGES / entry.name, columns=list(columns))
                found.append(rows.select(columns)[inside["place"] - begin].with_columns(_order=inside["_order"]))
            begin += height
        return pl.concat(found).sort("_order").drop("_order")

    def close(self, kept: Kept, changes: pl.DataFrame) -> None:
        """Write what the pieces are and what was settled between them."""
        changes.write_parquet(self._folder / CHANGES)
        write_json(self._folder / LIST, kept)


def _linked(old: Path, new: Path) -> None:
    try:
        os.link(old, new)
    except OSError:  # a disk without links, or with too many of them
        shutil.copyfile(old, new)


# --- taking over ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Before:
    """An older artefact, made in the same way."""

    folder: Path
    manifest: Manifest
    kept: Kept


def before(store: Store, made_by: str) -> Before | None:
    """Return the newest artefact whose rows became what they would become now."""
    made = [path.parent for path in (store.root / "logs").glob(f"*/{MANIFEST}")]
    for folder in sorted(made, key=lambda each: (each / MANIFEST).stat().st_mtime, reverse=True):
        manifest = store.manifest("logs", folder.name)
        try:
            kept = listed(folder)
        except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
            continue  # another version's
        if manifest is not None and kept.made_by == made_by and all((folder / name).is_file() for name in manifest.files):
            return Before(folder, manifest, kept)
    return None


def unchanged(old: Kept, found: Sequence[Found], states: Mapping[str, State]) -> tuple[list[Entry], list[Found]]:
    """Return the pieces that can be taken over, and what is left to read, both in order."""
    names = [file.name for file in found]
    known = {
        file.name: files.same(old.sources[file.name].state, states[file.name], file.path)
        for file in found
        if file.name in old.sources and _as_before(old.sources[file.name], file)
    }
    grown = {name for name in known if states[name].size > old.sources[name].state.size}
    good = [entry for entry in old.pieces if _holds(entry, found, names, known, grown)]
    good = _complete(old.pieces, good, grown)
    left = [_rest(file, good, whole=file.name in known and file.name not in grown) for file in found]
    return good, [file for file in left if file is not None]


def _as_before(source: Source, file: Found) -> bool:
    return (source.format, source.kind) == (file.format, file.kind)
