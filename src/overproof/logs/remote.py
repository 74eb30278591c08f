"""Log files behind a URL (`s3://…`, `gs://…`, `https://…`), through fsspec, which is an extra."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import IO, Any, cast

from overproof.core.chance import digest
from overproof.core.errors import MissingExtra, UserError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(?:://|::)")
"""A scheme of two letters or more: one alone is a Windows drive."""
_MAGIC = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class RemoteFile:
    """One file behind a URL; credentials come from where fsspec's own file systems look for them."""

    url: str

    def __str__(self) -> str:
        return self.url

    def open(self, mode: str = "rb") -> IO[bytes]:
        """Open the file for reading; it can be read from any place in it."""
        system, path = _system(self.url)
        return cast("IO[bytes]", system.open(path, mode))  # fsspec ships no types

    def state(self) -> str:
        """Return what changes whenever the file does (size, time, ETag), as its file system knows it."""
        system, path = _system(self.url)
        return digest(str(system.ukey(path)))


def is_url(pattern: str) -> bool:
    """Say whether a path of the contract is a URL."""
    return _URL.match(pattern) is not None


def expand(pattern: str) -> list[RemoteFile]:
    """Return the files that a URL names, sorted; none at all is an error."""
    system, path = _system(pattern)
    try:
        found = sorted(system.glob(path)) if _MAGIC.search(path) else [path] if system.isfile(path) else []
    except (OSError, ValueError) as wrong:
        raise UserError(f"logs: cannot list {pattern!r}: {wrong}") from wrong
    files = [RemoteFile(system.unstrip_protocol(each)) for each in found if system.isfile(each)]
    if not files:
        raise UserError(f"logs: no file matches {pattern!r}; check the path in overproof.toml")
    return files


def _system(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the path in it."""
    try:
        import fsspec
    except ImportError as missing:
        raise MissingExtra("remote", f"reading {url}") from missing
    try:
        system, path = fsspec.url_to_fs(url)
    except ImportError as missing:  # s3fs, gcsfs, ...: named by fsspec itself
        raise UserError(f"logs: {url!r} needs a file system of fsspec that is not installed: {missing}") from missing
    except ValueError as wrong:
        raise UserError(f"logs: {url!r} is no URL that fsspec knows: {wrong}") from wrong
    return system, str(path)
