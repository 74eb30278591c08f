"""The demo: a project made from the embedded data set, and run like any other."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from overproof.contract import FILE
from overproof.core.errors import UserError
from overproof.core.store import write
from overproof.pipeline import encoders
from overproof.pipeline.progress import Listener
from overproof.pipeline.run import Outcome, run

LAID_OUT = {FILE: FILE, "history.jsonl.gz": "logs/history.jsonl.gz", "gold.jsonl.gz": "gold.jsonl.gz"}
"""Embedded file → where it goes in the project."""
ENCODER, LADDER = "minilm", "ladder.toml"
"""Where this encoder is installed, the ladder goes on with these rungs."""


def lay_out(folder: Path) -> None:
    """Make the demo project in `folder`; one that is there already is left as it is."""
    if (folder / FILE).exists():
        return
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty and holds no {FILE}: name another folder for the demo")
    data = files("overproof.demo")
    for embedded, place in LAID_OUT.items():
        if embedded != FILE:
            write(folder / place, data.joinpath(embedded).read_bytes())
    rungs = b"" if encoders.missing(ENCODER) else data.joinpath(LADDER).read_bytes()
    write(folder / FILE, data.joinpath(FILE).read_bytes() + rungs)  # last: its presence means that all is there


def hint() -> str:
    """Return how to see the upper rungs of the ladder, empty where they are shown."""
    lacking = encoders.missing(ENCODER)
    return f"the upper rungs of the ladder need an encoder: {lacking}" if lacking else ""


def demo(folder: Path, listen: Listener | None = None) -> Outcome:
    """Make the demo project in `folder` unless it is there, and run it."""
    lay_out(folder)
    return run(folder, listen=listen)
