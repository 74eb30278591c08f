"""The file of what was paid for: one JSON line an answer, appended whole, kept through kill -9."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from overproof.core.errors import UserError
from overproof.core.protocols import Reply
from overproof.core.types import Record


class Entry(Record, omit_defaults=True, forbid_unknown_fields=False, gc=False):
    """One answer and what it cost when it was bought. A later version may have kept more of it."""

    key: str
    text: str | None = None
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float = 0.0
    latency_ms: float = 0.0
    answered_by: str = ""
    logprob: float | None = None
    about: str = ""
    """Id of the prompt it was bought for; "" in what earlier versions wrote."""

    @classmethod
    def of(cls, key: str, reply: Reply, about: str = "") -> Entry:
        """Return what is kept of `reply`."""
        return cls(
            key=key,
            about=about,
            text=reply.text,
            finish_reason=reply.finish_reason,
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            cost_usd=reply.cost_usd,
            latency_ms=reply.latency_ms,
            answered_by=reply.answered_by,
            logprob=reply.logprob,
        )

    def reply(self) -> Reply:
        """Return the answer as a hit: it costs nothing this time."""
        return Reply(
            text=self.text,
            finish_reason=self.finish_reason,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            latency_ms=self.latency_ms,
            cached=True,
            answered_by=self.answered_by,
            logprob=self.logprob,
        )


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Entry).decode


def read(path: Path) -> list[Entry]:
    """Return the entries of a file, none when it is not there; a torn last line is left out."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    return list(_entries(path, (data + b"\n")[: _whole(data)]))


def prune(path: Path, keep: Callable[[Entry], bool]) -> tuple[list[Entry], int]:
    """Leave only the entries in the file that are to be kept; return those, and how many were taken out.

    Whoever reads meanwhile sees the old file or the new one. Nobody can be writing to it: its lock is held.
    """
    lock = _locked(path)
    try:
        entries = read(path)
        kept = [entry for entry in entries if keep(entry)]
        if len(kept) < len(entries):
            _replace(path, b"".join(_encode(entry) + b"\n" for entry in kept))
        return kept, len(entries) - len(kept)
    finally:
        os.close(lock)


def _replace(path: Path, data: bytes) -> None:
    neighbour = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(neighbour, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    neighbour.replace(path)


class Journal:
    """A file of entries, open to append: one process at a time, which holds the lock beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(path)
        try:
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            self.entries = self._recover()
        except BaseException:
            os.close(self._lock)
            raise

    def append(self, entry: Entry) -> None:
        """Write one entry, whole or not at all."""
        line = _encode(entry) + b"\n"
        try:
            if os.write(self._file, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as full:
            os.ftruncate(self._file, self._size)  # no half line may stand before the next
            raise UserError(
                f"cannot write to {self.path} ({full.strerror}): what was paid for before is kept"
            ) from full
        self._size += len(line)

    def close(self) -> None:
        """Let the file reach the disk, then give up the lock."""
        os.fsync(self._file)
        os.close(self._file)
        os.close(self._lock)

    def _recover(self) -> list[Entry]:
        """Return what the file holds; cut what a dying writer left of its last line."""
        data = self.path.read_bytes()
        self._size = _whole(data)
        if self._size > len(data):  # all but the line's end was written
            os.write(self._file, b"\n")
        elif self._size < len(data):
            os.ftruncate(self._file, self._size)
        return list(_entries(self.path, (data + b"\n")[: self._size]))


def _whole(data: bytes) -> int:
    """Return the length of the whole lines; one more than there is when only the last line's end is missing."""
    end = data.rfind(b"\n") + 1
    if end == len(data):
        return end
    try:
        _decode(data[end:])
    except msgspec.MsgspecError:
        return end
    return len(data) + 1


def _entries(path: Path, data: bytes) -> Iterator[Entry]:
    for number, line in enumerate(data.split(b"\n")[:-1], start=1):
        try:
            yield _decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as wrong:
            raise UserError(
                f"{path}:{number} is not an answer ({wrong}): delete that line; the others are kept"
            ) from wrong


def _locked(path: Path) -> int:
    """Return the descriptor of the lock beside `path`, held until it is closed or the process ends, however it ends."""
    lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as taken:
        holder = os.pread(lock, 200, 0).decode("utf-8", "replace").strip() or "another process"
        os.close(lock)
        raise UserError(f"{path} is being written by {holder}: wait for it to end, or stop it") from taken
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
    return lock
