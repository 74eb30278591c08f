"""See every kind of file as JSON Lines: JSON documents, Parquet and CSV become one JSON object a line.

So a reader only ever meets lines, whatever its format was exported as. Numbers in `source` count lines, elements of a
document, or rows of a table.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, Literal, cast

import msgspec

from overproof.logs import files, jsonl
from overproof.logs.files import LogFile, Torn, Unreadable

Kind = Literal["JSON Lines", "JSON document", "Parquet", "CSV"]
PARQUET = b"PAR1"
HEAD_LINES = 20
HEAD_BYTES = 4 * 2**20
"""The first lines end after so many bytes, whatever their number; a line once begun is read to its end."""
BATCH = 20_000
"""Rows of a Parquet file held as Python objects at once."""
WRAPPED = ("data", "hits", "results", "items", "logs", "events")
"""Fields in which an API's answer lists its rows."""
ENVELOPE = frozenset(
    {
        *("object", "first_id", "last_id", "has_more", "meta", "total", "page", "page_size", "total_pages", "took"),
        *("timed_out", "_shards", "next", "cursor", "count", "limit", "offset", "next_page", "data", "hits", "results"),
        *("items", "logs", "events", "max_score"),
    }
)
"""What stands beside them in such an answer, and never in a call."""
_NAME = re.compile(r"[\w.@ /-]{1,80}$")
_SKIP = re.compile(r"[\s,]*")


@dataclass(frozen=True)
class Look:
    """The first rows of a file, as JSON Lines, and what kind of file they stand in."""

    head: list[bytes]
    kind: Kind


def look(file: LogFile) -> Look:
    """Return the first rows of a file, fewer where it breaks off."""
    with files.open_log(file) as raw:
        kind = _kind(_beginning(raw), str(file))
    return Look(_head(file, kind), kind)


def head(file: LogFile) -> list[bytes]:
    """Return the first rows of a file as JSON Lines."""
    return look(file).head


def open_rows(file: LogFile, kind: Kind | None = None) -> IO[bytes]:
    """Open a file as JSON Lines; damage surfaces as `Torn` (or `Unreadable`) where it lies."""
    if kind is None:
        with files.open_log(file) as raw:
            kind = _kind(_beginning(raw), str(file))
    stream = files.open_log(file)
    if kind == "JSON Lines":
        return stream
    made = {"JSON document": _document, "Parquet": _parquet, "CSV": _csv}[kind](stream)
    return cast("IO[bytes]", io.BufferedReader(_Lines(stream, made), 2**18))  # typeshed tells the two apart by name


def _beginning(raw: IO[bytes]) -> list[bytes]:
    """Return the first bytes of a file, by lines; a Parquet file's are one."""
    lines: list[bytes] = []
    size = 0
    try:
        while len(lines) < HEAD_LINES and size < HEAD_BYTES and (line := raw.readline(jsonl.LONGEST)):
            lines.append(line)
            size += len(line)
            if lines[0].startswith(PARQUET):
                break
    except Torn:
        return lines
    return lines


def _head(file: LogFile, kind: Kind) -> list[bytes]:
    with open_rows(file, kind) as stream:
        return _beginning(stream)


def _kind(lines: Sequence[bytes], name: str) -> Kind:
    """Tell the kind of a file by its first lines; its name counts where they could be of two kinds."""
    told = [line for line in (each.removeprefix(jsonl.BOM).strip() for each in lines) if line]
    if not told:
        return "JSON Lines"
    if lines[0].startswith(PARQUET):
        return "Parquet"
    lined = re.search(r"\.(?:jsonl|ndjson)(?:\.\w+)?$", name) is not None
    if told[0].startswith(b"[") and not lined and told[0][1:].lstrip()[:1] in (b"", b"{", b"[", b"]"):
        return "JSON document"
    objects = [row for line in lines if line.startswith((b"{", jsonl.BOM)) and (row := _object(line)) is not None]
    if objects:
        return "JSON document" if _wrapped(objects[0]) is not None else "JSON Lines"
    if told[0].startswith(b"{"):
        return "JSON document" if len(told) > 1 and not lined else "JSON Lines"
    return "CSV" if _is_header(told[0], name) else "JSON Lines"


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        row = msgspec.json.decode(line.removeprefix(jsonl.BOM))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _wrapped(row: dict[str, Any]) -> list[Any] | None:
    """Return the rows that an API's answer lists; None when `row` is a row itself."""
    if not set(row) <= ENVELOPE:
        return None
    for name in WRAPPED:
        inner = row.get(name)
        if isinstance(inner, dict) and set(inner) <= ENVELOPE:
            return _wrapped(inner)
        if isinstance(inner, list) and all(isinstance(each, dict) for each in inner):
            return inner
    return None


# --- JSON documents --------------------------------------------------------------------------------------------------


def _document(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the elements of one JSON document, or of several one after another, each on one line."""
    data = _whole(stream)
    if data.lstrip()[:1] == b"[":
        try:
            found = msgspec.json.decode(data, type=list[msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            yield from _piecewise(data)
            return
        yield from (_one_line(bytes(each)) for each in found)
        return
    row = _object(data)
    if row is None:
        yield from _piecewise(data)
    elif (inner := _wrapped(row)) is None:
        yield _one_line(data)
    else:
        yield from (msgspec.json.encode(each) + b"\n" for each in inner)


def _whole(stream: IO[bytes]) -> bytes:
    """Return a document, as much of it as can be had: that it breaks off shows where its end is missing."""
    pieces: list[bytes] = []
    try:
        while piece := stream.read(2**20):
            pieces.append(piece)
    except Torn:
        pass
    return b"".join(pieces).removeprefix(jsonl.BOM)


def _one_line(data: bytes) -> bytes:
    """Return an element without line ends: JSON has none inside its strings."""
    return data.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n"


def _piecewise(data: bytes) -> Iterator[bytes]:
    """Yield what can be read of a document that is not whole, or of several documents in one file."""
    text = data.decode("utf-8", "surrogateescape")
    decoder = json.JSONDecoder(strict=False)
    place = _after(text, 0)
    inside = False
    while place < len(text):
        if not inside and text[place] == "[":
            inside, place = True, _after(text, place + 1)
        elif inside and text[place] == "]":
            inside, place = False, _after(text, place + 1)
        else:
            try:
                value, place = decoder.raw_decode(text, place)
            except (ValueError, RecursionError) as wrong:
                raise Torn("the rest is not JSON") from wrong
            yield from _rows_of(value, unwrap=not inside)
            place = _after(text, place)
    if inside:
        raise Torn("a JSON array without its end")


def _rows_of(value: object, *, unwrap: bool) -> Iterator[bytes]:
    inner = _wrapped(value) if unwrap and isinstance(value, dict) else None
    for each in [value] if inner is None else inner:
        try:
            yield json.dumps(each, ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n"
        except UnicodeEncodeError:  # half a surrogate pair: escaped, it is read as every other
            yield json.dumps(each).encode() + b"\n"


def _after(text: str, place: int) -> int:
    found = _SKIP.match(text, place)
    return place if found is None else found.end()


# --- tables ----------------------------------------------------------------------------------------------------------


def _parquet(stream: IO[bytes]) -> Iterator[bytes]:
    import polars as pl

    try:
        whole = stream if stream.seekable() else io.BytesIO(stream.read())  # the format is read from its end
        for batch in pl.scan_parquet(whole).collect_batches(chunk_size=BATCH, maintain_order=True):
            yield from (_row(row) for row in batch.iter_rows(named=True))
    except pl.exceptions.PolarsError as wrong:
        raise Unreadable(f"not readable as Parquet: {str(wrong).splitlines()[0]}") from wrong


def _row(row: dict[str, Any]) -> bytes:
    return msgspec.json.encode(_said(row), enc_hook=str) + b"\n"


def _said(value: Any) -> Any:  # noqa: ANN401 - a column may hold anything
    """Leave out nulls at every depth: columns make all structs alike, and what a row did not say is no part of it."""
    if isinstance(value, dict):
        return {key: _said(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_said(item) for item in value]
    return value


def _is_header(line: bytes, name: str) -> bool:
    """Say whether a line names columns: several different plain names, and the file's name does not say JSON."""
    names = _cells(line)
    plain = len(names) > 1 and len(set(names)) == len(names) and all(map(_NAME.match, names))
    return plain and not re.search(r"\.(?:jsonl|ndjson|json)(?:\.\w+)?$", name)


def _cells(line: bytes) -> list[str]:
    text = line.decode("utf-8", "replace")
    try:
        return next(csv.reader([text], delimiter=_delimiter(text)), [])
    except csv.Error:
        return []


def _delimiter(header: str) -> str:
    return max(",;\t|", key=header.count)


def _csv(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the records of a table; one with too many cells becomes a list, which no reader takes."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    text = (line.decode("utf-8", "surrogateescape") for line in stream)
    header = next(text, "").removeprefix("\ufeff")
    names = _cells(header.encode("utf-8", "surrogateescape"))
    try:
        for record in csv.reader(text, delimiter=_delimiter(header)):
            if record:
                yield _record(names, record)
    except csv.Error as wrong:
        raise Torn(f"not readable as CSV: {wrong}") from wrong


def _record(names: Sequence[str], record: Sequence[str]) -> bytes:
    said = {name: cell for name, cell in zip(names, record, strict=False) if cell}  # an empty cell says nothing
    row: object = said if len(record) <= len(names) else record
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n"


class _Lines(io.RawIOBase):
    """Lines that are made one after another, as a stream; owns the file they are made from."""

    def __init__(self, file: IO[bytes], made: Iterable[bytes]) -> None:
        self._file = file
        self._made = iter(made)
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # BufferedReader hands a memoryview
        if not self._left:
            self._left = memoryview(next(self._made, b""))
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size

    def close(self) -> None:
        self._file.close()
        super().close()
