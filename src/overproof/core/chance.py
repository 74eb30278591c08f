"""Chance that can be repeated: every draw is a hash of an id under a named seed, and content hashes for keys."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable

import msgspec


def digest(*parts: bytes | str, size: int = 16) -> str:
    """Return a hex digest of `parts`; the boundaries between parts count."""
    state = hashlib.blake2b(digest_size=size)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()


def digests(rows: Iterable[Iterable[str]], size: int = 16) -> list[str]:
    """Return `digest(*row)` for each of `rows`, in their order."""
    begun, found = hashlib.blake2b(digest_size=size).copy, []  # to copy one is faster than to make one
    for row in rows:
        parts: list[bytes] = []
        for part in row:
            data = part.encode("utf-8", "surrogatepass")
            parts += len(data).to_bytes(8, "little"), data
        state = begun()
        state.update(b"".join(parts))  # faster than part by part
        found.append(state.hexdigest())
    return found


def canonical(value: object) -> bytes:
    """Return JSON that is equal for equal values: keys sorted, whole floats written as integers."""
    return msgspec.json.encode(_whole(msgspec.to_builtins(value)), order="sorted")


def _whole(value: object) -> object:
    """0.0 and 0 are the same parameter to every provider, so they are the same key."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return value


def draw(seed: str, identity: str) -> float:
    """Return the place of `identity` in [0, 1) under `seed`: the same one, on every machine, always."""
    data = f"{seed}\x00{identity}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big") / 2**64


def draws(seed: str, identities: Iterable[str]) -> list[float]:
    """Return `draw` for each of `identities`, in their order."""
    begun, found = hashlib.blake2b(f"{seed}\x00".encode("utf-8", "surrogatepass"), digest_size=8).copy, []
    for each in identities:
        state = begun()
        state.update(each.encode("utf-8", "surrogatepass"))
        found.append(state.digest())
    return [number / 2**64 for number in struct.unpack(f">{len(found)}Q", b"".join(found))]
