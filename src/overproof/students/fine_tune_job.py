"""What the process that fine-tunes is asked, and the files that it and its parent share."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from safetensors.numpy import save as tensors_to

from overproof.core.chance import digest
from overproof.core.store import write
from overproof.core.types import Record
from overproof.models.encoders.shape import Pooling

JOB, LESSON, CHECKPOINT, TUNED = "job.json", "lesson.safetensors", "checkpoint.safetensors", "tuned.safetensors"


class Job(Record):
    """All that the outcome depends on, but for processor and threads."""

    encoder: str
    """Folder of the installed encoder whose weights training starts from."""
    weights: str
    """Digest of those weights."""
    lesson: str
    """Digest of what is to be learned."""
    pooling: Pooling
    layers: int
    epochs: int
    batch: int
    learning_rate: float
    seed: int


class Progress(Record):
    """A line that the process prints."""

    done: int
    """Steps taken."""
    total: int


class Lesson(NamedTuple):
    """Examples as the network reads them."""

    tokens: list[NDArray[np.int32]]
    """Token ids of each example."""
    targets: NDArray[np.float32]
    """Shape (examples, labels), rows summing to 1."""
    share: NDArray[np.float32]
    """Shape (examples,): what each example counts for, 1 on average."""
    head: NDArray[np.float32]
    """Shape (width + 1, labels): what reads the labels off rows of length 1 at first; the last row is the bias."""


def lesson_bytes(lesson: Lesson) -> bytes:
    """Return `lesson` as a safetensors file."""
    arrays: dict[str, NDArray[Any]] = {
        "tokens": np.concatenate(lesson.tokens, dtype=np.int32),
        "ends": np.cumsum([len(each) for each in lesson.tokens], dtype=np.int64),
        "targets": lesson.targets,
        "share": lesson.share,
        "head": lesson.head,
    }
    return tensors_to(arrays)


def place(folder: Path, job: Job, lesson: bytes) -> None:
    """Lay `job` out in `folder`; what an earlier run of the same job left there stays, all else goes."""
    asked = msgspec.json.encode(job)
    if not (folder / JOB).is_file() or (folder / JOB).read_bytes() != asked:
        for name in (JOB, CHECKPOINT, TUNED):
            (folder / name).unlink(missing_ok=True)
        write(folder / LESSON, lesson)
        write(folder / JOB, asked)  # last, for it says that the rest is there


def read(folder: Path) -> tuple[Job, Lesson]:
    """Return what `place` laid out.

    Raises:
        ValueError: the lesson is not the one that the job names.
    """
    job = msgspec.json.decode((folder / JOB).read_bytes(), type=Job)
    if digest((folder / LESSON).read_bytes()) != job.lesson:
        raise ValueError(f"{folder / LESSON} was changed after it was written")
    arrays = load_file(folder / LESSON)
    tokens = np.split(arrays["tokens"], arrays["ends"][:-1])
    return job, Lesson(tokens, arrays["targets"], arrays["share"], arrays["head"])
