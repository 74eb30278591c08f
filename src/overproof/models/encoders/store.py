"""Installed encoders: one folder each, every file under a digest that is held against it whenever it is read.

HOME/NAME/encoder.json          what it is, and the digest of each file below
          model.onnx            the graph, float32
          model.int8.onnx       the graph with 8-bit weights
          tokenizer.json        as it came
          table.safetensors     one vector for each token of the vocabulary, for students without layers
          weights.safetensors   as they came, for training and for cutting layers; not from an ONNX file
          config.json           as it came
"""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from overproof.core.errors import UserError
from overproof.core.types import Record
from overproof.models.encoders.shape import Pooling

if TYPE_CHECKING:
    from numpy.typing import NDArray

RECORD, FP32, INT8, TOKENIZER = "encoder.json", "model.onnx", "model.int8.onnx", "tokenizer.json"
TABLE, WEIGHTS, CONFIG = "table.safetensors", "weights.safetensors", "config.json"
FILES = (FP32, INT8, TOKENIZER, TABLE, WEIGHTS, CONFIG)
FORMAT = 1
VARIABLE = "OVERPROOF_MODELS"
"""Environment variable that names the home of encoders. Whoever starts the program reads it; here it is only named."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Parity(Record):
    """How near the 8-bit vectors are to the float32 ones, over fixed sentences in several languages."""

    lowest: float
    """Smallest cosine of a sentence's two vectors."""
    mean: float
    agreement: float
    """Share of the sentences that have the same nearest neighbour among the others either way."""


class EncoderInfo(Record):
    """An installed encoder."""

    format: int = FORMAT
    name: str
    source: str
    """Where it came from: a package and version, a path, or a hub name."""
    revision: str = ""
    """The hub's commit, where it came from there."""
    licence: str = ""
    """As the source states it; empty when it states none."""
    model_type: str
    width: int
    layers: int
    """0: its config.json does not say."""
    tokens: int
    """Longest text, in tokens; the rest of a longer one is not read."""
    vocabulary: int
    pooling: Pooling
    trainable: bool
    """Whether its weights are there to be trained further and cut."""
    int8_holds: bool
    """Whether the 8-bit graph is near enough to be the one that is opened."""
    parity: Parity
    taken: dict[str, str]
    """SHA-256 of each file as it came, by its name there."""
    files: dict[str, str]
    """SHA-256 of each file in the folder but encoder.json."""
    size_bytes: int
    seconds: float
    """Time it took to make its files."""


class Damage(Record):
    """A file that is not what it was."""

    file: str
    what: str


def find(home: Path, name: str) -> Path:
    """Return the folder of an installed encoder; its files are held against their digests as they are read.

    Raises:
        UserError: no such encoder; the text lists those there are.
    """
    if not NAME.fullmatch(name) or not (home / name / RECORD).is_file():
        there = ", ".join(each.name for each in folders(home)) or "none"
        raise UserError(
            f"no encoder is called {name!r} here; there are: {there}; `overproof models add` installs one "
            f"(looked in {home}; set {VARIABLE} if they are elsewhere)"
        )
    return home / name


def installed(home: Path) -> tuple[EncoderInfo, ...]:
    """Return what is installed in `home`, by name."""
    return tuple(map(read, folders(home)))


def folders(home: Path) -> tuple[Path, ...]:
    """Return the folders of what is installed in `home`, by name; none where there is no `home`."""
    found = home.iterdir() if home.is_dir() else ()
    return tuple(sorted(each for each in found if NAME.fullmatch(each.name) and (each / RECORD).is_file()))


def read(folder: Path) -> EncoderInfo:
    """Return what the encoder in `folder` says about itself.

    Raises:
        UserError: the record cannot be read, or was written by another version.
    """
    try:
        info = msgspec.json.decode((folder / RECORD).read_bytes(), type=EncoderInfo)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise UserError(f"{folder / RECORD} cannot be read ({wrong}): {_again(folder.name)}") from wrong
    if info.format != FORMAT or info.name != folder.name or not set(info.files) <= {*FILES}:
        raise UserError(f"{folder / RECORD} is not this version's, or of another encoder: {_again(folder.name)}")
    return info


def content(folder: Path, info: EncoderInfo, name: str) -> bytes:
    """Return the bytes of one file after holding them against their digest.

    Raises:
        UserError: the file is missing or damaged, or this encoder has none of that name.
    """
    if name not in info.files:
        raise UserError(f"encoder {info.name!r} has no {name}: it was made from an ONNX file, not from weights")
    try:
        data = (folder / name).read_bytes()
    except FileNotFoundError:
        raise UserError(f"{folder / name} is missing: {_again(info.name)}") from None
    if hashlib.sha256(data).hexdigest() != info.files[name]:
        raise UserError(f"{folder / name} is not the file that was installed: {_again(info.name)}")
    return data


def arrays(folder: Path, name: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of `weights.safetensors` or `table.safetensors`, checked as `content` checks."""
    from safetensors.numpy import load

    return load(content(folder, read(folder), name))


def config(folder: Path) -> dict[str, Any]:
    """Return the encoder's own `config.json`, checked as `content` checks."""
    return msgspec.json.decode(content(folder, read(folder), CONFIG), type=dict[str, Any])


def damage(folder: Path) -> tuple[Damage, ...]:
    """Return what is wrong with the encoder in `folder`, file by file, after reading all of it."""
    try:
        info = read(folder)
    except UserError as wrong:
        return (Damage(file=RECORD, what=str(wrong)),)
    found = [Damage(file=name, what=what) for name in sorted(info.files) if (what := _wrong(folder, info, name))]
    stray = sorted(each.name for each in folder.iterdir() if each.name not in {*info.files, RECORD})
    return (*found, *(Damage(file=name, what="is not part of the encoder") for name in stray))


def _wrong(folder: Path, info: EncoderInfo, name: str) -> str | None:
    path = folder / name
    if path.is_symlink() or not path.is_file():
        return "is missing"
    return None if sha256(path) == info.files[name] else "is not the file that was installed"


def remove(home: Path, name: str) -> Path:
    """Delete an installed encoder, damaged or not, and return the folder that is gone.

    Raises:
        UserError: no such encoder.
    """
    folder = find(home, name)
    shutil.rmtree(folder)
    return folder


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _again(name: str) -> str:
    return f"`overproof models remove {name}`, then add it again"
