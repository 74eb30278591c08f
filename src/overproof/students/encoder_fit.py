"""Fit an encoder student: texts read once by the encoder, a head on train, penalty, temperature, precision on tune."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import sparse

from overproof.core.chance import digest, draws
from overproof.core.splits import Train, Tune
from overproof.core.store import write
from overproof.models.encoders import graph, store
from overproof.models.encoders.runtime import Encoder, Precision
from overproof.students.dense import Dense, Floats, Head
from overproof.students.encoder_student import EncoderStudent, Origin, Precise
from overproof.students.fitting import Fitted, Half, Lesson, Matter, best, matter
from overproof.students.token_fit import Counted, Joined, count, shares
from overproof.students.token_table import Table
from overproof.students.workshops import encoder_folder

if TYPE_CHECKING:
    from overproof.core.protocols import Workshop
    from overproof.students.encoder_options import EncoderOptions

MARGIN, FIRST_PENALTY = 3.0, 1e-5
BESIDE = 0.7
"""Weight of a text's tokens beside what the encoder makes of it. Like the other two it was chosen on a division of
Banking77's training data, where the optimum is flat: without tokens it makes a sixth more mistakes."""
SAMPLE = 2000
"""Examples of train, at most, that 8 bits and 32 are compared on."""
LOST = 0.02
"""Share of the log-loss on tune that 8 bits may cost: twice what they cost on Banking77, where they lose one answer in
a thousand. They take a third of the time."""
PART = 256
"""Texts that are read before the rows are put away for good."""


@dataclass(frozen=True)
class Versions:
    """One encoder in two precisions."""

    key: str
    """Of all that its rows depend on but the precision."""
    make: Callable[[Precision], Encoder]
    """What was asked for; the fp32 one all the same where 8 bits did not hold when it was installed."""


class Rows(NamedTuple):
    """Both splits as the encoder reads them."""

    train: Floats
    tune: Floats


def fit(
    options: EncoderOptions, train: Train, tune: Tune, labels: tuple[str, ...], workshop: Workshop | None
) -> EncoderStudent:
    """Return the student of `options`; `EncoderKind.fit` says what is raised."""
    folder = encoder_folder(workshop, options.model, options.name)
    assert workshop is not None  # or the line above had raised
    given = shuffled(matter(train, tune, labels))
    return student(options, given, installed(folder, options.layers), workshop)


def installed(folder: Path, layers: int | None) -> Versions:
    """Return the encoder in `folder`, cut to its first `layers`."""
    info = store.read(folder)

    def make(precision: Precision) -> Encoder:
        if layers in (None, info.layers):
            return Encoder.open(folder, precision=precision)
        weights, config = store.arrays(folder, store.WEIGHTS), store.config(folder)
        drawn = graph.build(weights, config, pooling=info.pooling, layers=layers)
        words = store.content(folder, info, store.TOKENIZER)
        kept = graph.quantise(drawn) if precision == "int8" else drawn
        return Encoder(kept, words, tokens=info.tokens, name=info.name, precision=precision)

    return Versions(digest(*(f"{name} {each}" for name, each in sorted(info.files.items())), f"{layers}"), make)


def shuffled(given: Matter) -> Matter:
    """Return `given` with train in an order of no meaning, so that its beginning is a fair sample."""
    half = given.train
    order = np.argsort(draws("precision", half.texts), kind="stable")
    train = Half([half.texts[row] for row in order], half.targets[order], half.share[order])
    return Matter(given.labels, given.present, train, given.tune)


def student(options: EncoderOptions, given: Matter, versions: Versions, workshop: Workshop) -> EncoderStudent:
    """Return the student that reads with one of `versions`, its head fitted on what that makes of `given`, shuffled."""
    encoder, precise = _settled(options, given, versions, workshop)
    rows = read(encoder, versions.key, given, workshop)
    lessons = Lessons.of(encoder, given, rows)
    found = lessons.best(options.penalty)
    width = encoder.width
    return EncoderStudent(
        labels=given.labels,
        encoder=encoder,
        head=Head(
            given.widened(found.weights[:width], 0.0), given.widened(found.weights[-1:], -np.inf)[0], found.temperature
        ),
        tokens=lessons.table(given, found.weights[width:-1]),
        centres=centres(given.train, rows.train),
        origin=Origin(model=options.model, layers=options.layers, fine_tuned=options.fine_tune, precise=precise),
    )


class Lessons(NamedTuple):
    """Both splits as features: what the encoder makes of a text, beside its tokens and pairs."""

    counted: Counted
    train: Lesson
    tune: Lesson

    @classmethod
    def of(cls, encoder: Encoder, given: Matter, rows: Rows) -> Lessons:
        """Return the lessons of `given`, which `encoder` reads as `rows`."""
        counted = count(encoder.tokenizer_json, given.train.texts, pairs=True)
        own, squared = counted.own, _squared(counted.own)

        def lesson(half: Half, dense: Floats) -> Lesson:
            held = shares(counted.rows(half.texts), squared)
            return half.lesson(Joined(Dense(dense), sparse.csr_array(held * own)))

        return cls(counted, lesson(given.train, rows.train), lesson(given.tune, rows.tune))

    def best(self, penalty: float | None) -> Fitted:
        """Return softmax regression on the features."""
        return best(penalty, FIRST_PENALTY, MARGIN, self.train, self.tune)

    def table(self, given: Matter, weights: Floats) -> Table:
        """Return what tokens and pairs say, for the weights of their features."""
        own = self.counted.own
        return Table(
            said=given.widened(weights * own[:, None], 0.0).astype(np.float16),
            squared=_squared(own),
            singles=self.counted.singles,
            pairs=self.counted.pairs,
        )


def _squared(own: Floats) -> Floats:
    """Return what tokens and pairs add to a text's squared length, so that together they are `BESIDE` long."""
    return (own / np.float32(BESIDE)) ** 2


def centres(half: Half, rows: Floats) -> Floats:
    """Return the mean direction of each label's texts, shape (labels seen in train, width), rows of length 1."""
    found = Dense(rows).slope(half.targets * half.share[:, None])[:-1].T
    length = np.sqrt((found**2).sum(axis=1, keepdims=True, dtype=np.float64))
    centred: Floats = (found / np.maximum(length, 1e-12)).astype(np.float32)
    return centred


def _settled(
    options: EncoderOptions, given: Matter, versions: Versions, workshop: Workshop
) -> tuple[Encoder, Precise | None]:
    """Return the encoder in the precision that was asked for, or that tune shows to be enough."""
    if options.precision != "auto":
        return versions.make(options.precision), None
    small = versions.make("int8")
    if small.precision != "int8":
        return small, None
    large = versions.make("fp32")
    sample = Matter(given.labels, given.present, _first(given.train, SAMPLE), given.tune)
    exams = []
    for encoder in (small, large):
        rows = read(encoder, versions.key, sample, workshop)
        lessons = Lessons.of(encoder, sample, rows)
        found = lessons.best(options.penalty)
        exams.append((found.doubt, lessons.tune.features.logits(found.weights).argmax(axis=1)))
    (doubt8, said8), (doubt32, said32) = exams
    precise = Precise(
        texts=len(given.tune.texts),
        doubt_int8=doubt8,
        doubt_fp32=doubt32,
        agreement=float(np.mean(said8 == said32)),
    )
    return (small if doubt8 <= doubt32 * (1 + LOST) else large), precise


def _first(half: Half, count: int) -> Half:
    share = half.share[:count]
    return Half(half.texts[:count], half.targets[:count], share / share.sum())


def read(encoder: Encoder, key: str, given: Matter, workshop: Workshop) -> Rows:
    """Return both splits as `encoder` reads them; `key` stands for it. What was read already is taken from scratch."""
    texts = [*given.tune.texts, *given.train.texts]
    shelf = workshop.scratch / "rows"
    parts: list[Floats] = []
    for start in range(0, len(texts), PART):
        some = texts[start : start + PART]
        parts.append(_part(encoder, some, shelf / f"{digest(key, encoder.precision, *some)}.npy"))
        workshop.tell(f"reading with {encoder.precision}", min(start + PART, len(texts)), len(texts))
    rows = np.concatenate(parts)
    return Rows(rows[len(given.tune.texts) :], rows[: len(given.tune.texts)])


def _part(encoder: Encoder, texts: Sequence[str], path: Path) -> Floats:
    """Return the rows of `texts`, put away at `path`."""
    if path.is_file():
        kept: Floats = np.asarray(np.load(path, allow_pickle=False), dtype=np.float32)
        return kept
    rows = encoder.embed(texts)
    data = io.BytesIO()
    np.save(data, rows, allow_pickle=False)
    write(path, data.getvalue())
    return rows
