"""The process that fine-tunes: python -m overproof.students.fine_tune_child FOLDER SECONDS.

It reads the job in FOLDER, prints a line of JSON as it gets on, keeps a checkpoint every so many SECONDS, and leaves
the trained weights. It goes on from a checkpoint that it finds, and ends as soon as its standard input is closed: a
parent that dies, in whatever way, leaves nothing running.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from time import perf_counter
from typing import BinaryIO

import msgspec

from overproof.core.store import write
from overproof.students.fine_tune_job import CHECKPOINT, TUNED, Progress, read

TELL_EVERY = 0.5
"""Seconds between two lines of progress."""


class Teller:
    """Prints how far it is, not too often."""

    def __init__(self, to: BinaryIO) -> None:
        self.to = to
        self.told = -TELL_EVERY

    def __call__(self, done: int, total: int) -> None:
        """Say that `done` of `total` steps are taken."""
        if done == total or perf_counter() - self.told >= TELL_EVERY:
            self.to.write(msgspec.json.encode(Progress(done=done, total=total)) + b"\n")
            self.to.flush()
            self.told = perf_counter()


def main() -> None:
    """Train what the job in the folder asks for."""
    told_to = _own_stdout()
    _end_with_parent()
    folder, every = Path(sys.argv[1]), float(sys.argv[2])
    _train(folder, every, Teller(told_to))


def _train(folder: Path, every: float, tell: Teller) -> None:
    from safetensors.torch import save

    from overproof.students.fine_tune_network import open_network
    from overproof.students.fine_tune_steps import Trainer

    job, lesson = read(folder)
    network = open_network(Path(job.encoder), job.pooling, job.layers, lesson.head)
    trainer = Trainer(job, lesson, network)
    if (folder / CHECKPOINT).is_file():
        trainer.take_up(folder / CHECKPOINT)
    else:
        trainer.find_pace()
    trainer.run(every, lambda: trainer.save(folder / CHECKPOINT), tell)
    write(folder / TUNED, save({name: each.detach() for name, each in network.trained().items()}))


def _own_stdout() -> BinaryIO:
    """Return standard output for this module alone; whatever else prints is sent to standard error."""
    own = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return own


def _end_with_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, and it decides

    def wait() -> None:
        while os.read(0, 1024):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    main()
