"""The encoders of this machine: where they live, and what the commands do with them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overproof.contract import Contract
from overproof.core.chance import digest
from overproof.core.errors import UserError
from overproof.core.types import Record
from overproof.models.encoders import store
from overproof.models.encoders.store import Damage, EncoderInfo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

VARIABLE = store.VARIABLE
STANDS_ON = {"linear": None, "cascade": None, "static": "minilm", "encoder": "minilm"}
"""The encoder of our own kinds of students that name none. Others must be loaded to be asked, which takes long beside a
run that has nothing to do."""


class Checked(Record):
    """An installed encoder after every file of it was read."""

    name: str
    folder: str
    encoder: EncoderInfo | None
    """None where its record cannot be read."""
    damage: tuple[Damage, ...]
    """What is not as it was installed."""


class Added(Record):
    """An encoder that is installed now, and where."""

    folder: str
    encoder: EncoderInfo


def home(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the installed encoders: $OVERPROOF_MODELS, or the user's data folder."""
    if environ.get(VARIABLE):
        return Path(environ[VARIABLE]).expanduser()
    data = environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser() / "overproof" / "models"


def digest_of(name: str, place: Path | None = None) -> str:
    """Return the digest of an installed encoder's record, which holds those of its files; empty when it is not here."""
    record = (place or home()) / name / store.RECORD
    return digest(record.read_bytes()) if store.NAME.fullmatch(name) and record.is_file() else ""


def of_baselines(contract: Contract) -> str:
    """Return the digest of the encoders that baselines may use: another one under the same name is another baseline."""
    return _digests(contract.baselines)


def of_students(contract: Contract) -> str:
    """Return the digest of the encoders that students may use, one that is a kind's default included."""
    return _digests([*contract.students, *map(_defaults, contract.students)])


def _digests(tables: Iterable[Mapping[str, object]]) -> str:
    """Return the digest of every installed encoder that stands as an option, whatever it is called there."""
    named = {said for table in tables for said in table.values() if isinstance(said, str)}
    return digest(*(f"{name} {found}" for name in sorted(named) if (found := digest_of(name))))


def _defaults(table: Mapping[str, Any]) -> dict[str, object]:
    """Return the encoder that a student stands on without naming it."""
    if "model" in table:
        return {}
    if (own := table.get("kind")) in STANDS_ON:
        return {"model": STANDS_ON[own]}
    from overproof.core import plugins
    from overproof.core.protocols import OnEncoder

    try:
        kind = plugins.build("students", table, key="kind", where="students")
    except UserError:
        return {}  # it stands on nothing; a run says what is wrong with it before it makes anything
    return {"model": kind.model} if isinstance(kind, OnEncoder) else {}


def embedder_digest(contract: Contract) -> str:
    """Return the digest of the encoder that `prompts.semantic` compares inputs by; empty where it is not set."""
    return digest_of(contract.prompts.embedder) if contract.prompts.semantic is not None else ""


def embed(contract: Contract) -> Callable[[Sequence[str]], NDArray[np.float16]] | None:
    """Return what turns inputs into vectors for `prompts.semantic`; None where it is not set.

    Raises:
        UserError: the encoder is not installed.
    """
    if contract.prompts.semantic is None:
        return None
    from overproof.models.encoders import bag

    return partial(bag.embed, store.find(home(), contract.prompts.embedder))


def missing(name: str) -> str:
    """Return what stands between this machine and an encoder, as something to do; empty where nothing does."""
    if any(find_spec(module) is None for module in ("onnxruntime", "tokenizers")):
        return f"pip install 'overproof[encoder]' && overproof models add {name}"
    return "" if digest_of(name) else f"overproof models add {name}"


def add(
    what: str,
    *,
    path: Path | None = None,
    name: str | None = None,
    revision: str | None = None,
    tell: Callable[[str, int, int], None] = lambda what, done, total: None,  # noqa: ARG005 - nobody listens
    place: Path | None = None,
) -> Added:
    """Install an encoder (see `models.encoders.install.add`) into `place`, or this machine's home of encoders."""
    from overproof.models.encoders import install

    where = place or home()
    encoder = install.add(where, what, path=path, name=name, revision=revision, tell=tell)
    return Added(folder=str(where / encoder.name), encoder=encoder)


def remove(name: str, place: Path | None = None) -> Path:
    """Delete an installed encoder and return the folder that is gone."""
    return store.remove(place or home(), name)


def check(name: str | None = None, place: Path | None = None) -> tuple[Checked, ...]:
    """Read every file of one encoder, or of all there are, and say what is not as it was installed."""
    where = place or home()
    return tuple(map(_checked, [store.find(where, name)] if name else store.folders(where)))


def _checked(folder: Path) -> Checked:
    wrong = store.damage(folder)
    readable = all(each.file != store.RECORD for each in wrong)
    return Checked(name=folder.name, folder=str(folder), encoder=store.read(folder) if readable else None, damage=wrong)
