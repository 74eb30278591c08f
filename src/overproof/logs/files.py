"""Find log files and open them: globs, gzip, zstd, and files that break off."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from glob import glob
from pathlib import Path
from typing import IO, cast

from overproof.core.errors import UserError
from overproof.logs import remote
from overproof.logs.remote import RemoteFile

GZIP = b"\x1f\x8b\x08"
ZSTD = b"\x28\xb5\x2f\xfd"
_BUFFER = 2**18

LogFile = Path | RemoteFile
"""A file on this machine, or one behind a URL."""


class Torn(OSError):
    """A file that ends in the middle or is damaged; what stands before has been read."""


class Unreadable(Torn):
    """A file of which nothing can be read, and why."""


def expand(pattern: str, root: Path) -> list[LogFile]:
    """Return the files that `pattern` names (relative to `root`, or a URL), in a stable order; none is an error."""
    if remote.is_url(pattern):
        return [*remote.expand(pattern)]
    whole = root / pattern
    if whole.is_file():
        return [whole]
    if whole.is_dir():
        raise UserError(f"logs: {pattern!r} is a folder; name its files, such as '{pattern.rstrip('/')}/*.jsonl'")
    matches = glob(str(whole), recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern, and hidden files
    found = sorted(path for path in map(Path, matches) if path.is_file())
    if not found:
        raise UserError(f"logs: no file matches {pattern!r} in {root.resolve()}; check the path in overproof.toml")
    return [*found]


def name(path: LogFile, root: Path) -> str:
    """Return how a file is called in every record: relative to the project where it lies in it."""
    if isinstance(path, RemoteFile):
        return path.url
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def open_log(path: LogFile) -> IO[bytes]:
    """Open a plain, gzip or zstd file, told apart by its first bytes; damage surfaces as `Torn` where it lies."""
    try:
        file: IO[bytes] = path.open("rb")
    except OSError as wrong:
        raise UserError(f"logs: cannot open {path}: {wrong.strerror}") from wrong
    magic = _first(file)
    if magic.startswith(GZIP):
        return _buffered(_Unpacked(file, gzip.GzipFile(fileobj=file)))
    if magic == ZSTD:
        return _buffered(_Unpacked(file, _zstd(file)))
    return file


def is_packed(path: LogFile) -> bool:
    """Say whether a file is compressed."""
    with path.open("rb") as file:
        return file.read(4).startswith((GZIP, ZSTD))


def _first(file: IO[bytes]) -> bytes:
    """Return a file's first four bytes, and stand before them again."""
    magic = file.read(4)
    file.seek(0)
    return magic


class _Unpacked(io.RawIOBase):
    """Bytes of a compressed file; owns the file below, and gives every kind of damage one name."""

    def __init__(self, file: IO[bytes], inner: io.BufferedIOBase) -> None:
        self._file = file
        self._inner = inner

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # BufferedReader hands a memoryview
        try:
            data = self._inner.read1(len(buffer))  # what there is: to wait for all would lose it to the tear
        except _faults() as tear:
            raise Torn(f"{tear}") from tear
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def _buffered(raw: io.RawIOBase) -> IO[bytes]:
    return cast("IO[bytes]", io.BufferedReader(raw, _BUFFER))  # typeshed tells the two apart by name only


def _zstd(file: IO[bytes]) -> io.BufferedIOBase:
    if sys.version_info >= (3, 14):
        from compression.zstd import ZstdFile

        return ZstdFile(file)
    return _ZstdFrames(file)


def _faults() -> tuple[type[Exception], ...]:
    """Return every way in which a compressed file says that it is damaged."""
    if sys.version_info >= (3, 14):
        from compression.zstd import ZstdError
    else:
        from zstandard import ZstdError
    return (EOFError, zlib.error, gzip.BadGzipFile, ZstdError)


class _ZstdFrames(io.BufferedIOBase):
    """Frames of zstd, one after another. The package's own stream ends in silence where a file is cut; not this one."""

    def __init__(self, file: IO[bytes]) -> None:
        import zstandard

        self._file = file
        self._new = zstandard.ZstdDecompressor().decompressobj
        self._frame = self._new()
        self._left = b""
        self._inside = False
        self._ready = memoryview(b"")

    def read1(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, b"" at a proper end; raise EOFError where a frame is cut."""
        while not self._ready:
            data = self._left or self._file.read(_BUFFER)
            self._left = b""
            if not data:
                if self._inside:
                    raise EOFError("the file ends inside a zstd frame")
                break
            if self._frame.eof:
                self._frame = self._new()
            self._ready = memoryview(self._frame.decompress(data))
            self._inside = not self._frame.eof
            self._left = self._frame.unused_data
        out, self._ready = self._ready[:size], self._ready[size:]
        return bytes(out)
