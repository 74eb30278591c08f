"""Read files piece by piece, in order: regular rows many at once and in several processes, all others one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import IO, TypeVar

from overproof.core import tables
from overproof.core.protocols import Joining, Part
from overproof.core.types import Exchange, SetAside
from overproof.logs import chunks, containers, files, pieces, worker, workers
from overproof.logs.chunks import Chunk
from overproof.logs.find import Found
from overproof.logs.joining import Gathered
from overproof.logs.pieces import Finish, Piece, Rows, Span

BATCH = 1_000
"""Rows held as Python objects at once."""
ROWS = 40_000
"""Rows of a piece, about."""
LARGE = 2**20
"""Bytes of regular rows that are a piece of their own."""
MANY = 48 * 2**20
"""Bytes of regular rows from which it pays to start processes."""

R = TypeVar("R", Exchange | SetAside, Part | SetAside)

Progress = Callable[[str, int], None]
"""Called with a file's name and how many of its rows have been read: now and then, and at its end."""
Job = Callable[[], Piece]
ReadChunk = Callable[[Chunk, str, str], Piece]


def in_pieces(
    found: Sequence[Found], how: Finish, joined: Counter[str], progress: Progress | None = None
) -> Iterator[Piece]:
    """Yield what the files hold, in order; `joined` counts the rows, by file, that completed calls of others.

    What completes calls is read before them, and what completed none comes last.
    """
    told: Counter[str] = Counter()
    with ExitStack() as stack:
        n = _processes(found)
        read = stack.enter_context(workers.started(how, n)).read if n > 1 else partial(worker.read, how=how)
        for piece in workers.in_order(_jobs(found, how, joined, read), n):
            yield piece
            if progress is not None:
                for tally in piece.tallies:
                    told[tally.file] += tally.kept + tally.set_aside
                    progress(tally.file, told[tally.file])


def _processes(found: Sequence[Found]) -> int:
    """Return how many processes the work is worth."""
    sizes = [file.path.stat().st_size - file.offset for file in found if file.regular and isinstance(file.path, Path)]
    return min(workers.cores(), workers.MOST) if sum(sizes) >= MANY else 1


@dataclass
class _Waiting:
    """Rows of one file or several that do not make a piece yet."""

    how: Finish
    rows: list[Rows] = field(default_factory=list)
    files: dict[str, Span] = field(default_factory=dict)

    def add(self, rows: Rows, span: Span) -> None:
        self.rows.append(rows)
        self.files[rows.file] = span

    @property
    def full(self) -> bool:
        return sum(each.exchanges.height + each.set_aside.height for each in self.rows) >= ROWS

    def jobs(self) -> Iterator[Job]:
        """Yield the piece these rows make, if there are any, and wait anew."""
        if self.files:
            yield partial(pieces.finish, self.rows, self.how, tuple(self.files.values()))
            self.rows, self.files = [], {}


def _jobs(found: Sequence[Found], how: Finish, joined: Counter[str], read: ReadChunk) -> Iterator[Job]:
    waiting = _Waiting(how)
    for file, records in _in_order(found, joined):
        if file.apart:
            yield from waiting.jobs()
        if records is not None:
            waiting.files.setdefault(file.name, Span(file=file.name))  # one without rows is read, too
            for batch in _batches(records):
                waiting.add(_rows_of(file, batch), Span(file=file.name))
                if waiting.full:
                    yield from waiting.jobs()
        else:
            yield from _regular(file, waiting, read)
    yield from waiting.jobs()


def _regular(file: Found, waiting: _Waiting, read: ReadChunk) -> Iterator[Job]:
    """Yield jobs for a file of regular rows; what is small waits for the next file."""
    none = tables.frame((), Exchange), tables.frame((), SetAside)
    empty = True
    try:
        with containers.open_rows(file.path, file.kind) as stream:
            if file.offset:
                stream.seek(file.offset)
            for chunk in chunks.cut(stream, file.lines, file.offset):
                empty = False
                span = Span(file=file.name, end=chunk.end if file.grows else None, lines=chunk.lines)
                if len(chunk.data) >= LARGE:
                    yield from waiting.jobs()
                    yield partial(_spanned, read, chunk, file, span)
                else:
                    waiting.add(Rows(file.name, *chunks.read(chunk, file.name, file.format)), span)
                    if waiting.full:
                        yield from waiting.jobs()
    except files.Torn as tear:
        waiting.add(Rows(file.name, none[0], tables.frame([_torn(file, tear)], SetAside)), Span(file=file.name))
    else:
        if empty:
            waiting.add(Rows(file.name, *none), Span(file=file.name))


def _spanned(read: ReadChunk, chunk: Chunk, file: Found, span: Span) -> Piece:
    return replace(read(chunk, file.name, file.format), spans=(span,))


def _in_order(
    found: Sequence[Found], joined: Counter[str]
) -> Iterator[tuple[Found, Iterator[Exchange | SetAside] | None]]:
    """Yield the rows of each file, None for regular ones."""
    gathered: dict[str, tuple[Joining, Gathered]] = {}
    for i, file in enumerate(found):
        if file.completes and isinstance(file.reader, Joining):
            _, parts = gathered.setdefault(file.format, (file.reader, Gathered()))
            yield file, parts.gather(_rows(file, file.reader.gather), i)
    for file in found:
        if not file.completes:
            yield file, None if file.regular else _calls(file, gathered)
    for reader, parts in gathered.values():
        counts, left = parts.settle(reader)
        joined.update({found[i].name: n for i, n in counts.items()})
        yield from ((found[i], iter(records)) for i, records in sorted(left.items()))


def _calls(file: Found, gathered: Mapping[str, tuple[Joining, Gathered]]) -> Iterator[Exchange | SetAside]:
    """Yield a file's calls, with what was gathered for them."""
    reader = file.reader
    if reader is None:
        return _rows(file, lambda _stream, _source: iter(()))
    if not isinstance(reader, Joining):
        return _rows(file, reader.read)
    parts = gathered[file.format][1] if file.format in gathered else Gathered()
    near, join = parts.within(file.name), reader.join
    return _rows(file, lambda stream, source: join(stream, source, near))


def _rows(file: Found, read: Callable[[IO[bytes], str], Iterator[R]]) -> Iterator[R | SetAside]:
    """Yield a file's rows; where it breaks off, one row set aside stands for what is lost."""
    with containers.open_rows(file.path, file.kind) as stream:
        try:
            yield from read(stream, file.name)
            stream.read(1)  # an empty file may be a damaged one
        except files.Torn as tear:
            yield _torn(file, tear)


def _torn(file: Found, tear: files.Torn) -> SetAside:
    if isinstance(tear, files.Unreadable):
        return SetAside(source=file.name, reason=str(tear))
    return SetAside(source=f"{file.name}:end", reason=f"the file breaks off: {tear}")


def _batches(records: Iterator[Exchange | SetAside]) -> Iterator[list[Exchange | SetAside]]:
    batch: list[Exchange | SetAside] = []
    for record in records:
        batch.append(record)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _rows_of(file: Found, batch: Sequence[Exchange | SetAside]) -> Rows:
    return Rows(
        file.name,
        tables.frame([each for each in batch if isinstance(each, Exchange)], Exchange),
        tables.frame([each for each in batch if isinstance(each, SetAside)], SetAside),
        file.store,
    )
