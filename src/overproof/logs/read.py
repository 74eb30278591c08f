"""Read logs: files in, exchanges and rows set aside out, every row accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

import polars as pl

from overproof.core import plugins, tables
from overproof.core.errors import UserError
from overproof.core.protocols import Joining, Part, Reader
from overproof.core.types import Exchange, FileRead, LogSummary, SetAside
from overproof.logs import containers, detect, files, identity
from overproof.logs.containers import Kind
from overproof.logs.files import LogFile
from overproof.logs.gold import join, read_gold
from overproof.logs.joining import Gathered
from overproof.logs.options import GoldOptions, LogSource, PrivacyOptions
from overproof.logs.redact import redact_table
from overproof.tasks.redact import excerpt

BATCH = 1_000
"""Rows held as Python objects at once."""
FILE = "_file"
"""Column that says which file a row came from, while reading."""
EMPTY = "empty"
"""Format of a file in which there is nothing."""
CACHED = '"cache_hit":"true"'
"""How metadata says that a gateway answered from its cache."""

R = TypeVar("R", Exchange | SetAside, Part | SetAside)

Progress = Callable[[str, int], None]
"""Called with a file's name and how many of its rows have been read: now and then, and at its end."""


@dataclass(frozen=True)
class Logged:
    """What the logs held."""

    exchanges: pl.DataFrame
    """Table of `Exchange`, by time where that is known; rows without one follow in the order they were read."""
    set_aside: pl.DataFrame
    """Table of `SetAside`, in the order of the files and their rows."""
    summary: LogSummary


@dataclass(frozen=True)
class _File:
    path: LogFile
    name: str
    format: str
    sure: float
    reader: Reader | None
    """None for an empty file, which is nobody's."""
    kind: Kind = "JSON Lines"
    saw: str = ""
    completes: bool = False
    """Its rows only complete the calls of other files."""


def read(
    sources: Sequence[LogSource],
    root: Path,
    privacy: PrivacyOptions,
    gold: GoldOptions | None = None,
    progress: Progress | None = None,
) -> Logged:
    """Read every file that `sources` name, relative to `root`; a file named twice is read once.

    Raises UserError when a path matches nothing, a format is not known, or no exchange matches the right answers.
    """
    found = _found(sources, root)
    exchanges, set_aside, joined = _read(found, progress)
    exchanges, repeated = identity.settle(exchanges, _once(found))
    set_aside = pl.concat([set_aside, repeated]).sort(FILE, maintain_order=True)
    by_file = _by_file(found, exchanges, set_aside, joined)
    exchanges = exchanges.drop(FILE).sort("at", nulls_last=True, maintain_order=True)
    set_aside = set_aside.drop(FILE)
    if gold is not None:
        exchanges = _with_gold(exchanges, gold, root)
    masked: dict[str, int] = {}
    if privacy.redact:
        exchanges, masked = redact_table(exchanges)
        excerpts = [excerpt(each) for each in set_aside["excerpt"]]
        set_aside = set_aside.with_columns(excerpt=pl.Series(excerpts, dtype=pl.String))
    summary = LogSummary(
        files=by_file,
        reasons=_reasons(set_aside),
        redacted=masked,
        gold=exchanges.height - exchanges["gold"].null_count(),
    )
    return Logged(exchanges, set_aside, summary)


def _found(sources: Sequence[LogSource], root: Path) -> list[_File]:
    """Return every file once, under the first source that names it."""
    known = detect.readers()
    found: dict[LogFile, _File] = {}
    for source in sources:
        for path in files.expand(source.path, root):
            if path not in found:
                found[path] = _recognised(path, files.name(path, root), source.format, known)
    return list(found.values())


def _recognised(path: LogFile, name: str, form: str, known: Mapping[str, Reader]) -> _File:
    seen = containers.look(path)
    if form != "auto" and form not in detect.CONTAINERS:
        reader = known[form] if form in known else plugins.find("readers", form)()
        completes = _completes(reader, seen.head, name)
        return _File(path, name, form, 1.0, reader, seen.kind, f"{seen.kind}; {form}, as the contract says", completes)
    if not b"".join(seen.head).strip():
        return _nobodys(path, name, seen.kind)
    found = detect.detect(seen.head, Path(name), known, seen.kind)
    completes = _completes(found.reader, seen.head, name)
    return _File(path, name, found.reader.name, found.sure, found.reader, seen.kind, found.saw, completes)


def _nobodys(path: LogFile, name: str, kind: Kind) -> _File:
    """Return a file without rows: an empty one, or one of which nothing can be read, which says so when it is."""
    return _File(path, name, EMPTY, 1.0, None, kind, f"{kind}; nothing in it")


def _completes(reader: Reader, head: Sequence[bytes], name: str) -> bool:
    return isinstance(reader, Joining) and reader.completes(head, Path(name))


def _once(found: Sequence[_File]) -> pl.Expr | None:
    """Return the number of the store each row comes from, null where an id need not name one call."""
    stores = sorted({file.format for file in found if getattr(file.reader, "one_per_id", False)})
    numbers = {i: stores.index(file.format) for i, file in enumerate(found) if file.format in stores}
    return pl.col(FILE).replace_strict(numbers, default=None, return_dtype=pl.Int32) if numbers else None


def _read(found: Sequence[_File], progress: Progress | None) -> tuple[pl.DataFrame, pl.DataFrame, Counter[int]]:
    """Return both tables with a column `FILE`, the place of each row's file in `found`, and rows joined by file."""
    kept = [_numbered(tables.frame((), Exchange), 0)]
    aside = [_numbered(tables.frame((), SetAside), 0)]
    joined: Counter[int] = Counter()
    for i, records in _in_order(found, joined):
        rows = 0
        for batch in _batches(records):
            kept.append(_numbered(tables.frame([each for each in batch if isinstance(each, Exchange)], Exchange), i))
            aside.append(_numbered(tables.frame([each for each in batch if isinstance(each, SetAside)], SetAside), i))
            rows += len(batch)
            if progress is not None:
                progress(found[i].name, rows)
    return pl.concat(kept), pl.concat(aside), joined


def _in_order(found: Sequence[_File], joined: Counter[int]) -> Iterator[tuple[int, Iterator[Exchange | SetAside]]]:
    """Yield the rows of each file: what completes calls, then the calls, then what completed none."""
    gathered: dict[str, tuple[Joining, Gathered]] = {}
    for i, file in enumerate(found):
        if file.completes and isinstance(file.reader, Joining):
            _, parts = gathered.setdefault(file.format, (file.reader, Gathered()))
            yield i, parts.gather(_rows(file, file.reader.gather), i)
    for i, file in enumerate(found):
        if not file.completes:
            yield i, _calls(file, gathered)
    for reader, parts in gathered.values():
        counts, left = parts.settle(reader)
        joined.update(counts)
        yield from ((i, iter(records)) for i, records in sorted(left.items()))


def _calls(file: _File, gathered: Mapping[str, tuple[Joining, Gathered]]) -> Iterator[Exchange | SetAside]:
    """Yield a file's calls, with what was gathered for them."""
    reader = file.reader
    if reader is None:
        return _rows(file, lambda _stream, _source: iter(()))
    if not isinstance(reader, Joining):
        return _rows(file, reader.read)
    parts = gathered[file.format][1] if file.format in gathered else Gathered()
    near, join = parts.within(file.name), reader.join
    return _rows(file, lambda stream, source: join(stream, source, near))


def _rows(file: _File, read: Callable[[IO[bytes], str], Iterator[R]]) -> Iterator[R | SetAside]:
    """Yield a file's rows; where it breaks off, one row set aside stands for what is lost."""
    with containers.open_rows(file.path, file.kind) as stream:
        try:
            yield from read(stream, file.name)
            stream.read(1)  # an empty file may be a damaged one
        except files.Unreadable as wrong:
            yield SetAside(source=file.name, reason=str(wrong))
        except files.Torn as tear:
            yield SetAside(source=f"{file.name}:end", reason=f"the file breaks off: {tear}")


def _batches(records: Iterator[Exchange | SetAside]) -> Iterator[list[Exchange | SetAside]]:
    batch: list[Exchange | SetAside] = []
    for record in records:
        batch.append(record)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _numbered(table: pl.DataFrame, file: int) -> pl.DataFrame:
    return table.with_columns(pl.lit(file, dtype=pl.Int32).alias(FILE))


def _by_file(
    found: Sequence[_File], exchanges: pl.DataFrame, set_aside: pl.DataFrame, joined: Mapping[int, int]
) -> tuple[FileRead, ...]:
    counts = exchanges.group_by(FILE).agg(
        kept=pl.len(),
        failed=pl.col("error").is_not_null().sum(),
        cached=pl.col("metadata").str.contains(CACHED, literal=True).sum(),
    )
    kept = {file: (rows, failed, cached) for file, rows, failed, cached in counts.iter_rows()}
    aside = Counter(set_aside[FILE].to_list())
    return tuple(
        _account(file, *kept.get(i, (0, 0, 0)), set_aside=aside[i], joined=joined.get(i, 0))
        for i, file in enumerate(found)
    )


def _account(file: _File, kept: int, failed: int, cached: int, *, set_aside: int, joined: int) -> FileRead:
    return FileRead(
        path=file.name,
        format=file.format,
        sure=file.sure,
        rows=kept + set_aside + joined,
        kept=kept,
        set_aside=set_aside,
        joined=joined,
        failed=failed,
        cached=cached,
        saw=file.saw,
    )


def _with_gold(exchanges: pl.DataFrame, options: GoldOptions, root: Path) -> pl.DataFrame:
    joined = join(exchanges, read_gold(options, root), options.on)
    if not exchanges.is_empty() and joined["gold"].null_count() == joined.height:
        raise UserError(
            f"gold: nothing in {options.path!r} matches a request's {options.on!r}; "
            f"set gold.on to `id` or to a key of the logs' metadata"
        )
    return joined


def _reasons(set_aside: pl.DataFrame) -> dict[str, int]:
    """Count reasons without what is particular to one row: the text after a colon, the place of the first duplicate."""
    kinds = set_aside["reason"].str.replace(r"^(duplicate) of .*$|^([^:]*): .*$", "$1$2")
    return dict(Counter(kinds.to_list()).most_common())
