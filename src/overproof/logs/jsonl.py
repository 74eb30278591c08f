"""Read JSON Lines: every line that is not blank becomes an exchange or is set aside with its reason."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, Any, TypeVar

import msgspec

from overproof.core.protocols import Part
from overproof.core.types import Exchange, SetAside
from overproof.logs.rows import BadRow, Row

LONGEST = 64 * 2**20
"""Bytes of a line beyond which it is set aside unread: no call is that long, and a file without line ends may be."""
EXCERPT = 1000
"""Characters of a row kept until they are redacted; fewer are shown."""
BOM = b"\xef\xbb\xbf"
ENCODING = "log_encoding"
"""Metadata key that marks a row which was cp1252 rather than UTF-8."""

_UTF8_PAIR = re.compile(rb"[\xc2-\xf4][\x80-\xbf]")


T = TypeVar("T", Exchange, Part)


def exchanges(
    stream: IO[bytes], source: str, convert: Callable[[Row, str], T], longest: int = LONGEST
) -> Iterator[T | SetAside]:
    """Yield what `convert` makes of each line; its BadRow, and anything that is not JSON, is set aside."""
    for number, line in enumerate(_lines(stream, longest), 1):
        if not line.isspace():
            yield exchange(line, f"{source}:{number}", convert, longest)


def exchange(line: bytes, place: str, convert: Callable[[Row, str], T], longest: int = LONGEST) -> T | SetAside:
    """Return what `convert` makes of one line, or why it is set aside."""
    try:
        if len(line) > longest:
            raise BadRow("longer than a row may be")
        return convert(decode(line), place)
    except BadRow as why:
        return SetAside(source=place, reason=str(why), excerpt=_excerpt(line))


def several(
    stream: IO[bytes], source: str, convert: Callable[[Row, str], Iterable[T | SetAside]], longest: int = LONGEST
) -> Iterator[T | SetAside]:
    """Yield what `convert` makes of each line, which may hold several rows; places within a line follow a `#`."""
    for line in exchanges(stream, source, lambda row, place: _Many(list(convert(row, place))), longest):  # type: ignore[type-var]  # unpacked at once
        if isinstance(line, _Many):
            yield from line.records
        else:
            yield line


class _Many:
    def __init__(self, records: list[Any]) -> None:
        self.records = records


def decode(line: bytes) -> dict[str, Any]:
    """Return the JSON object on `line`; raise BadRow when there is none."""
    try:
        row = msgspec.json.decode(line)
    except RecursionError as wrong:
        raise BadRow("nested too deeply") from wrong
    except (msgspec.DecodeError, UnicodeDecodeError):
        row = _second_look(line)
    if not isinstance(row, dict):
        raise BadRow("not a JSON object")
    return row


def share(head: Sequence[bytes], fits: Callable[[Row], bool]) -> float:
    """Return the share of the lines that are not blank which hold a JSON object that `fits`."""
    lines = [line for line in head if not line.isspace()]
    if not lines:
        return 0.0
    return sum(_fits(line, fits) for line in lines) / len(lines)


def _fits(line: bytes, fits: Callable[[Row], bool]) -> bool:
    try:
        return fits(decode(line))
    except BadRow:
        return False


def _lines(stream: IO[bytes], longest: int) -> Iterator[bytes]:
    """Yield lines with their ends; of one that is too long only `longest + 1` bytes are ever held."""
    while line := stream.readline(longest + 1):
        yield line
        while len(line) > longest and not line.endswith(b"\n"):
            line = stream.readline(longest + 1)


def _second_look(line: bytes) -> object:
    """Decode what a strict parser refuses but producers really write: a BOM, NaN, raw tabs, half surrogates, cp1252.

    The value is written once more and parsed strictly, so that nothing downstream meets what UTF-8 cannot hold.
    """
    line = line.removeprefix(BOM)
    decoded, encoding = _text(line)
    try:
        row = json.loads(decoded, strict=False, parse_constant=lambda _: None, parse_float=_finite)
        clean = json.dumps(row, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        row = msgspec.json.decode(clean)
    except RecursionError as wrong:
        raise BadRow("nested too deeply") from wrong
    except ValueError as wrong:  # msgspec's and json's decoding errors are both of this kind
        raise BadRow("not JSON" if encoding is None else "not UTF-8") from wrong
    if encoding is not None and isinstance(row, dict):
        row[ENCODING] = encoding
    return row


def _text(line: bytes) -> tuple[str, str | None]:
    """Return the line's text, and its encoding unless that is UTF-8.

    cp1252 reads almost any bytes, so it is tried only where no UTF-8 sequence stands beside the broken byte: with
    one, the line is damaged UTF-8, and reading it as cp1252 would garble every other letter.
    """
    try:
        return line.decode(), None
    except UnicodeDecodeError as wrong:
        if _UTF8_PAIR.search(line):
            raise BadRow("not UTF-8") from wrong
    try:
        return line.decode("cp1252"), "cp1252"
    except UnicodeDecodeError as wrong:
        raise BadRow("not UTF-8") from wrong


def _finite(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


def _excerpt(line: bytes) -> str:
    return line[: 4 * EXCERPT].decode("utf-8", "replace").strip()[:EXCERPT]
