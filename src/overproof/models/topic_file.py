"""The head of a file of topics: names and words, as JSON in front of the arrays. Light: no array is read here."""

from __future__ import annotations

import msgspec

from overproof.core.types import Record

FILE = "topics.safetensors"
FORMAT = 1


class Head(Record):
    """All of some topics that is no array."""

    format: int = FORMAT
    id: str
    names: tuple[str, ...]
    words: tuple[str, ...]


class _Safetensors(msgspec.Struct):
    metadata: dict[str, str] = msgspec.field(name="__metadata__")


def metadata(head: Head) -> dict[str, str]:
    """Return what a safetensors file is to be given."""
    return {"topics": msgspec.json.encode(head).decode()}


def read(data: bytes) -> Head:
    """Return the head of a file.

    Raises:
        ValueError: it is no such file, or of another version.
    """
    try:
        found = msgspec.json.decode(data[8 : 8 + int.from_bytes(data[:8], "little")], type=_Safetensors)
        head = msgspec.json.decode(found.metadata["topics"], type=Head)
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError) as wrong:
        raise ValueError(f"no topics: {wrong}") from wrong
    if head.format != FORMAT:
        raise ValueError(f"topics of format {head.format}, this version reads {FORMAT}")
    return head
