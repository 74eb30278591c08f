"""Train an encoder further on the examples, in a process of its own, and return the student that reads with it.

The parent needs no torch: it lays out a job, listens, and turns the trained weights into a graph as for any encoder.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from safetensors.numpy import load_file

from overproof.core.chance import digest
from overproof.core.errors import MissingExtra, OverproofError
from overproof.core.splits import Train, Tune
from overproof.models.encoders import graph, store
from overproof.models.encoders.runtime import Encoder, Precision
from overproof.models.encoders.tokens import tokenizer, valid
from overproof.students import encoder_fit
from overproof.students.dense import Dense, Head
from overproof.students.encoder_fit import Rows, Versions
from overproof.students.fine_tune_job import TUNED, Job, Lesson, Progress, lesson_bytes, place
from overproof.students.fine_tune_network import head_of
from overproof.students.fitting import Matter, best, matter, temper
from overproof.students.softmax import Floats
from overproof.students.token_table import Table
from overproof.students.workshops import encoder_folder

if TYPE_CHECKING:
    from overproof.core.protocols import Workshop
    from overproof.students.encoder_options import EncoderOptions
    from overproof.students.encoder_student import EncoderStudent

BATCH = 32
LEAST_STEPS = 200
"""Few examples are gone over more often, until there were this many steps: 600 of Banking77's three times over are 57
steps, after which 16 in 1,000 fewer were right."""
CHECKPOINT_S = 60.0
"""Seconds of training that a killed run may lose."""
SAID, LAST_SAID = "stderr.txt", 2000
KEPT = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "TEMP",
    "SYSTEMROOT",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "OMP_NUM_THREADS",
)
"""What the process that trains sees of the environment: no key of any teacher."""
SET = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
"""Threads that wait leave the core to others; nothing is fetched."""


class TrainingFailed(OverproofError):
    """The process that trains came to an end before training did."""

    def __init__(self, code: int, said: str) -> None:
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        super().__init__(
            f"the process that fine-tunes {how} (another run goes on from its last checkpoint); "
            f"the last it said: {said.strip() or 'nothing'}"
        )


def check(student: str) -> None:
    """Raise MissingExtra if what training takes is not installed."""
    if any(find_spec(package) is None for package in ("torch", "transformers")):
        raise MissingExtra("train", f"fine-tuning the student {student!r}")


def fit(  # noqa: PLR0917 - it stands in for `EncoderKind.fit`
    options: EncoderOptions, train: Train, tune: Tune, labels: tuple[str, ...], seed: int, workshop: Workshop | None
) -> EncoderStudent:
    """Return the student of `options`; `EncoderKind.fit` says what is raised.

    Training starts from the frozen encoder and the head fitted on it. What a killed run has learned is in the
    workshop's scratch, and is gone on from. The same seed gives the same student on the same kind of processor with the
    same number of threads.

    Raises:
        TrainingFailed: the process that trains came to an untimely end.
    """
    check(options.name)
    folder = encoder_folder(workshop, options.model, options.name)
    assert workshop is not None  # or the line above had raised
    weights, config = store.arrays(folder, store.WEIGHTS), store.config(folder)  # whose digests are checked, early
    given = encoder_fit.shuffled(matter(train, tune, labels))
    job, lesson = _job(options, folder, given, seed, workshop)
    place(workshop.scratch, job, lesson)
    tuned = workshop.scratch / TUNED
    if not tuned.is_file():
        _train(workshop)
    trained = load_file(tuned)
    drawn = graph.build(weights | trained, config, pooling=job.pooling, layers=job.layers)
    versions = Versions(digest(tuned.read_bytes()), _maker(folder, drawn))
    refitted = encoder_fit.student(options, given, versions, workshop)
    kept = _with_head(refitted, given, head_of(trained))
    return min(refitted, kept, key=lambda student: _doubt(student, given))


def _job(options: EncoderOptions, folder: Path, given: Matter, seed: int, workshop: Workshop) -> tuple[Job, bytes]:
    """Return what the process is asked, and the lesson that goes with it."""
    info = store.read(folder)
    words = tokenizer(store.content(folder, info, store.TOKENIZER), info.tokens)
    texts, targets, share = given.train.texts, given.train.targets, given.train.share
    tokens = [np.array(words.encode(valid(text)).ids, dtype=np.int32) for text in texts]
    data = lesson_bytes(
        Lesson(tokens, targets, share * np.float32(len(texts)), _start(options, folder, given, workshop))
    )
    a_pass = -(-len(texts) // BATCH)
    job = Job(
        encoder=str(folder.resolve()),
        weights=info.files[store.WEIGHTS],
        lesson=digest(data),
        pooling=info.pooling,
        layers=options.layers or info.layers,
        epochs=max(options.epochs, -(-LEAST_STEPS // a_pass)),
        batch=BATCH,
        learning_rate=options.learning_rate,
        seed=seed,
    )
    return job, data


def _start(options: EncoderOptions, folder: Path, given: Matter, workshop: Workshop) -> Floats:
    """Return the head that training starts from, shape (width + 1, labels): softmax regression on the frozen encoder.

    A head that starts from nothing pulls the encoder about before it knows what it wants (Kumar et al. 2022).
    """
    versions = encoder_fit.installed(folder, options.layers)
    rows: Rows = encoder_fit.read(versions.make("int8"), versions.key, given, workshop)
    lessons = given.train.lesson(Dense(rows.train)), given.tune.lesson(Dense(rows.tune))
    found = best(None, encoder_fit.FIRST_PENALTY, encoder_fit.MARGIN, *lessons)
    # The weights are the same on any BLAS, the temperature but for its last digits, which training would make much of.
    return found.weights / np.float32(round(found.temperature, 2))


def _maker(folder: Path, drawn: bytes) -> Callable[[Precision], Encoder]:
    """Return what makes the encoder whose graph is `drawn`, with all else of the one installed in `folder`."""
    info = store.read(folder)
    words = store.content(folder, info, store.TOKENIZER)

    def make(precision: Precision) -> Encoder:
        kept = graph.quantise(drawn) if precision == "int8" else drawn
        return Encoder(kept, words, tokens=info.tokens, name=info.name, precision=precision)

    return make


def _with_head(student: EncoderStudent, given: Matter, weights: Floats) -> EncoderStudent:
    """Return `student` with the head of `weights`, (width + 1, labels seen in train), for its own and its tokens.

    After training, what a few hundred examples look like says little about what others look like: a head fitted to
    them then, tokens and all, is right less often than the one that was trained along.
    """
    rows = Dense(student.encoder.embed(given.tune.texts))
    temperature = temper(rows.logits(weights), given.tune.targets, given.tune.share).temperature
    head = Head(given.widened(weights[:-1], 0.0), given.widened(weights[-1:], -np.inf)[0], temperature)
    said, squared, singles, pairs = student.tokens
    return replace(student, head=head, tokens=Table(said[:0], squared[:0], singles[:0], pairs[:0]))


def _doubt(student: EncoderStudent, given: Matter) -> float:
    """Return the log-loss of what `student` says about tune."""
    said = np.log(student.probabilities(given.tune.texts)[:, given.present])
    return temper(said, given.tune.targets, given.tune.share).doubt


def _train(workshop: Workshop) -> None:
    """Run the process to its end, and never beyond our own."""
    command = [
        sys.executable,
        "-P",
        "-m",
        "overproof.students.fine_tune_child",
        str(workshop.scratch),
        str(CHECKPOINT_S),
    ]
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    said = workshop.scratch / SAID
    with (
        said.open("wb") as errors,
        subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=kept | SET
        ) as child,
    ):
        try:
            assert child.stdout is not None  # it is a pipe
            for line in child.stdout:
                progress = msgspec.json.decode(line, type=Progress)
                workshop.tell("fine-tuning", progress.done, progress.total)
            code = child.wait()
        finally:
            child.kill()
    if code:
        raise TrainingFailed(code, said.read_text("utf-8", errors="replace")[-LAST_SAID:])
