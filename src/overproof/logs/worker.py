"""A process that reads chunks: bytes in, tables out. `python -m overproof.logs.worker`; no pickle, no file.

In come a line of JSON and as many bytes as it says: first the right answers, then one chunk after another. Out go, for
each chunk, a line of JSON and the tables it tells of, as Parquet.
"""

from __future__ import annotations

import io
import sys
from typing import IO

import msgspec
import polars as pl

from overproof.core.types import Record
from overproof.logs import chunks, pieces
from overproof.logs.chunks import Chunk
from overproof.logs.pieces import Finish, Piece, Rows, Tally


class Begin(Record):
    """How rows are finished; the table of right answers follows, if there is one."""

    redact: bool
    on: str
    size: int


class Task(Record):
    """A chunk, which follows."""

    size: int
    before: int
    source: str
    form: str


class Done(Record):
    """What was found; two tables follow."""

    sizes: tuple[int, int]
    tallies: tuple[Tally, ...]
    redacted: dict[str, int]


def send(stream: IO[bytes], said: Record, *data: bytes) -> None:
    """Write a message."""
    stream.write(msgspec.json.encode(said) + b"\n")
    for each in data:
        stream.write(each)
    stream.flush()


def read(chunk: Chunk, source: str, form: str, how: Finish) -> Piece:
    """Return a chunk as a piece."""
    return pieces.finish([Rows(source, *chunks.read(chunk, source, form))], how)


def main(given: IO[bytes], told: IO[bytes]) -> None:
    """Work until there is nothing more."""
    begin = msgspec.json.decode(given.readline(), type=Begin)
    gold = pl.read_parquet(io.BytesIO(given.read(begin.size))) if begin.size else None
    how = Finish(begin.redact, gold, begin.on)
    while line := given.readline():
        task = msgspec.json.decode(line, type=Task)
        piece = read(Chunk(given.read(task.size), task.before, 0, 0), task.source, task.form, how)
        data = [piece.parquet(), pieces.packed(piece.set_aside)]
        done = Done(sizes=(len(data[0]), len(data[1])), tallies=piece.tallies, redacted=piece.redacted)
        send(told, done, *data)


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
