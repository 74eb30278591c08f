"""Read logs: files in, exchanges and rows set aside out, every row accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from overproof.core import plugins, tables
from overproof.core.errors import UserError
from overproof.core.protocols import Reader
from overproof.core.types import Exchange, FileRead, LogSummary, SetAside
from overproof.logs import detect, files, identity
from overproof.logs.gold import join, read_gold
from overproof.logs.options import GoldOptions, LogSource, PrivacyOptions
from overproof.logs.redact import redact_table
from overproof.tasks.redact import excerpt

BATCH = 1_000
"""Rows held as Python objects at once."""
FILE = "_file"
"""Column that says which file a row came from, while reading."""
EMPTY = "empty"
"""Format of a file in which there is nothing."""

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
    path: Path
    name: str
    format: str
    sure: float
    reader: Reader | None
    """None for an empty file, which is nobody's."""


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
    exchanges, set_aside = _read(found, progress)
    exchanges, repeated = identity.settle(exchanges)
    set_aside = pl.concat([set_aside, repeated]).sort(FILE, maintain_order=True)
    by_file = _by_file(found, exchanges, set_aside)
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
    found: dict[Path, _File] = {}
    for source in sources:
        for path in files.expand(source.path, root):
            if path not in found:
                found[path] = _recognised(path, files.name(path, root), source.format, known)
    return list(found.values())


def _recognised(path: Path, name: str, form: str, known: Mapping[str, Reader]) -> _File:
    if form != "auto":
        return _File(path, name, form, 1.0, known[form] if form in known else plugins.find("readers", form)())
    head = files.head(path)
    if not b"".join(head).strip():
        return _File(path, name, EMPTY, 1.0, None)
    detected = detect.detect(head, path, known)
    return _File(path, name, detected.reader.name, detected.sure, detected.reader)


def _read(found: Sequence[_File], progress: Progress | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return both tables with a column `FILE`, the place of each row's file in `found`."""
    kept = [_numbered(tables.frame((), Exchange), 0)]
    aside = [_numbered(tables.frame((), SetAside), 0)]
    for i, file in enumerate(found):
        rows = 0
        for batch in _batches(_records(file)):
            kept.append(_numbered(tables.frame([each for each in batch if isinstance(each, Exchange)], Exchange), i))
            aside.append(_numbered(tables.frame([each for each in batch if isinstance(each, SetAside)], SetAside), i))
            rows += len(batch)
            if progress is not None:
                progress(file.name, rows)
    return pl.concat(kept), pl.concat(aside)


def _records(file: _File) -> Iterator[Exchange | SetAside]:
    """Yield a file's rows; where it breaks off, one row set aside stands for what is lost."""
    if file.reader is None:
        return
    with files.open_log(file.path) as stream:
        try:
            yield from file.reader.read(stream, file.name)
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


def _by_file(found: Sequence[_File], exchanges: pl.DataFrame, set_aside: pl.DataFrame) -> tuple[FileRead, ...]:
    kept, aside = Counter(exchanges[FILE].to_list()), Counter(set_aside[FILE].to_list())
    return tuple(
        FileRead(
            path=file.name,
            format=file.format,
            sure=file.sure,
            rows=kept[i] + aside[i],
            kept=kept[i],
            set_aside=aside[i],
        )
        for i, file in enumerate(found)
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
