"""Chunks of whole lines: cut from a stream, and read at once where their rows are regular."""

from __future__ import annotations

import gc
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

import msgspec
import polars as pl

from overproof.core import tables
from overproof.core.types import Exchange, SetAside
from overproof.logs import jsonl, openai, pairs, regular, shapes
from overproof.logs.files import Torn
from overproof.logs.rows import BadRow, Row

SIZE = 12 * 2**20
"""Bytes of a chunk: large enough that each step works on many rows, small enough that several fit in memory."""
PIECE = 2**18
SAMPLE = 200
"""Rows of a chunk that its shape is learned from."""
READERS: dict[str, type] = {"openai": openai.OpenAIReader, "pairs": pairs.PairsReader}
"""Readers of rows that may be regular, by the name of the format."""
CONVERT: dict[str, Callable[[Row, str], Exchange]] = {"openai": openai.exchange, "pairs": pairs.exchange}
"""What they do with each row."""


Numbered = tuple[int, bytes]
"""A line and its number."""


@dataclass(frozen=True)
class Chunk:
    """Whole lines of a file."""

    data: bytes
    before: int
    """Lines before it."""
    lines: int
    """Lines up to its end."""
    end: int
    """Bytes of the file up to its end."""


def cut(
    stream: IO[bytes], before: int = 0, offset: int = 0, *, size: int = SIZE, longest: int = jsonl.LONGEST
) -> Iterator[Chunk]:
    """Yield the lines of a stream that stands behind `before` lines of `offset` bytes.

    What stands before a tear comes first. Of a line that is too long only so much is kept that its reader sees it is.
    """
    while True:
        data, tear = _read(stream, size)
        offset += len(data)
        if tear is not None:
            data = data[: data.rfind(b"\n") + 1]
        elif data and not data.endswith(b"\n"):
            rest, length = _rest(stream, longest + 1 - (len(data) - data.rfind(b"\n") - 1))
            data, offset = data + rest, offset + length
        if data:
            lines = before + data.count(b"\n") + (not data.endswith(b"\n"))
            yield Chunk(data, before, lines, offset)
            before = lines
        if tear is not None:
            raise tear
        if not data:
            return


def _read(stream: IO[bytes], size: int) -> tuple[bytes, Torn | None]:
    read = getattr(stream, "read1", stream.read)  # what there is: to wait for all would lose it to a tear
    pieces: list[bytes] = []
    try:
        while size > 0 and (piece := read(min(size, PIECE))):
            pieces.append(piece)
            size -= len(piece)
    except Torn as tear:
        return b"".join(pieces), tear
    return b"".join(pieces), None


def _rest(stream: IO[bytes], most: int) -> tuple[bytes, int]:
    """Return the rest of a line, at most about `most` bytes of it, and how long it is."""
    kept: list[bytes] = []
    length = 0
    while piece := stream.readline(PIECE):
        if length < most:
            kept.append(piece)
        length += len(piece)
        if piece.endswith(b"\n"):
            break
    return b"".join(kept), length


def read(chunk: Chunk, source: str, form: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return tables of `Exchange` and of `SetAside`, in the order of the rows, for a format of `CONVERT`."""
    lines, numbers = _lines(chunk)
    shape = shapes.learn(_sample(lines), form)
    if shape is None:
        return _one_by_one(list(zip(numbers, lines, strict=True)), source, form)
    gc_was_on = gc.isenabled()
    gc.disable()  # a million objects and no cycle: to look for one takes longer than all the rest
    try:
        whole = _is_utf8(chunk.data)  # fields that are passed over are not looked at
        decoded, places, left = _decoded(lines, numbers, shape, whole=whole)
        found, irregular = regular.table(decoded, f"{source}:" + places.cast(pl.String), shape)
        if irregular.any():
            again = set(places.filter(irregular))
            left = sorted(left + [each for each in zip(numbers, lines, strict=True) if each[0] in again])
            found, places = found.filter(~irregular), places.filter(~irregular)
        return _together(found, places, left, source, form)
    finally:
        if gc_was_on:
            gc.enable()


def _lines(chunk: Chunk) -> tuple[list[bytes], Sequence[int]]:
    """Return the lines that are not blank, and their numbers."""
    lines = io.BytesIO(chunk.data).readlines()
    numbers = range(chunk.before + 1, chunk.before + 1 + len(lines))
    if True not in (blank := list(map(bytes.isspace, lines))):
        return lines, numbers
    there = [i for i, is_blank in enumerate(blank) if not is_blank]
    return [lines[i] for i in there], [numbers[i] for i in there]


def _decoded(
    lines: Sequence[bytes], numbers: Sequence[int], shape: shapes.Shape, *, whole: bool
) -> tuple[list[Any], pl.Series, list[Numbered]]:
    """Return what the shape decodes, the numbers of those lines, and the lines it refuses."""
    decode = shape.decoder.decode
    decoded: list[Any] = []
    left: list[Numbered] = []
    for number, line in zip(numbers, lines, strict=True):
        try:
            if not whole:
                line.decode()
            decoded.append(decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            left.append((number, line))
    refused = {number for number, _ in left}
    places = pl.Series([n for n in numbers if n not in refused] if refused else numbers, dtype=pl.Int64)
    return decoded, places, left


def _together(
    found: pl.DataFrame, places: pl.Series, left: Sequence[Numbered], source: str, form: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return regular rows and those that are read one by one, in their order."""
    if not left:
        return found, tables.frame((), SetAside)
    kept, aside = _one_by_one(left, source, form)
    order = pl.concat([places, kept["source"].str.extract(r":(\d+)$").cast(pl.Int64)])
    return pl.concat([found, kept])[order.arg_sort()], aside


def _one_by_one(numbered: Iterable[Numbered], source: str, form: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    records = [jsonl.exchange(line, f"{source}:{n}", CONVERT[form]) for n, line in numbered]
    return (
        tables.frame([each for each in records if isinstance(each, Exchange)], Exchange),
        tables.frame([each for each in records if isinstance(each, SetAside)], SetAside),
    )


def _sample(lines: list[bytes]) -> list[Row]:
    """Return rows from all over the chunk."""
    found = []
    for line in lines[:: max(1, len(lines) // SAMPLE)]:
        try:
            found.append(jsonl.decode(line))
        except BadRow:
            continue
    return found


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
