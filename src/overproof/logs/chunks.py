"""Chunks of whole lines: cut from a stream, and read at once where their rows are regular."""

from __future__ import annotations

import gc
import io
from collections.abc import Callable, Iterator
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
    """Return the rest of a line, at most `most` bytes of it, and how long it is."""
    kept = rest = stream.readline(max(most, 0))
    length = len(rest)
    while rest and not rest.endswith(b"\n"):
        rest = stream.readline(PIECE)
        length += len(rest)
    return kept, length


def read(chunk: Chunk, source: str, form: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return tables of `Exchange` and of `SetAside`, in the order of the rows, for a format of `CONVERT`."""
    numbered = [(n, line) for n, line in enumerate(io.BytesIO(chunk.data), chunk.before + 1) if not line.isspace()]
    shape = shapes.learn(_sample([line for _, line in numbered]), form)
    if shape is None:
        return _one_by_one(numbered, source, form)
    gc_was_on = gc.isenabled()
    gc.disable()  # millions of objects and no cycle: to look for one takes longer than all the rest
    try:
        return _regular(numbered, source, form, shape, whole=_is_utf8(chunk.data))
    finally:
        if gc_was_on:
            gc.enable()


def _regular(
    numbered: list[tuple[int, bytes]],
    source: str,
    form: str,
    shape: shapes.PairsShape | shapes.OpenAIShape,
    *,
    whole: bool,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    decode = shape.decoder.decode
    decoded: list[Any] = []
    places: list[int] = []
    left: list[tuple[int, bytes]] = []
    for each in numbered:
        try:
            if not whole:
                each[1].decode()  # fields that are passed over are not looked at
            decoded.append(decode(each[1]))
            places.append(each[0])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            left.append(each)
    found, irregular = regular.table(decoded, [f"{source}:{n}" for n in places], shape)
    if irregular.any():
        again = set(pl.Series(places).filter(irregular).to_list())
        left = sorted(left + [each for each in numbered if each[0] in again])
        found, places = found.filter(~irregular), [n for n in places if n not in again]
    if not left:
        return found, tables.frame((), SetAside)
    kept, aside = _one_by_one(left, source, form)
    order = pl.concat([pl.Series(places, dtype=pl.Int64), kept["source"].str.extract(r":(\d+)$").cast(pl.Int64)])
    return pl.concat([found, kept])[order.arg_sort()], aside


def _one_by_one(numbered: list[tuple[int, bytes]], source: str, form: str) -> tuple[pl.DataFrame, pl.DataFrame]:
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
