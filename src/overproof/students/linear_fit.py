"""Fit a linear student: lexicon and weights on train, penalty and temperature on tune."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import log_softmax

from overproof.core.errors import NotEnoughData
from overproof.core.splits import Train, Tune, only
from overproof.proof.reliability import fit_temperature
from overproof.students.lexicon import Counted, Lexicon, learn
from overproof.students.linear_student import LinearStudent
from overproof.students.softmax import Design, Floats, Matrix, loss, minimise
from overproof.students.targets import soft_labels

if TYPE_CHECKING:
    from overproof.students.linear_options import LinearOptions

LONGER = 0.65
"""Weight of a run of words beside a single word: it says again what its words say."""
PIECE = 0.4
"""Weight of a piece beside its word."""
RARITY = 1.3
"""Power of the inverse document frequency: above 1, rare words and pieces count for more than is usual.

These three were chosen on divisions of training data, five small multilingual ones and two large ones; the optimum is
flat.
"""

MARGIN = 10.0
"""Head start of the wrong labels while fitting. Without one, a few hundred examples are fitted long before they are
told apart well: with it more is right, and more of it surely, on small and noisy data as on large."""

FIRST_PENALTY, WEAKEST, STRONGEST = 4e-6, 1e-7, 1e-2
STEP = 5.0
WORTH = 2e-3
"""Log-losses on tune closer than this share are equal; of equals, the weaker penalty is right more often."""


class Lesson(NamedTuple):
    """One split, ready to be learned from or judged on."""

    design: Design
    targets: Floats
    """Shape (texts, labels seen in train), rows summing to 1."""
    share: Floats
    """Shape (texts,): what each text counts for, summing to 1."""


@dataclass(frozen=True)
class Fitted:
    """What one penalty led to."""

    penalty: float
    weights: Floats
    """Shape (features + 1, labels seen in train)."""
    temperature: float
    doubt: float
    """Log-loss on tune at that temperature."""


def fit(options: LinearOptions, train: Train, tune: Tune, labels: tuple[str, ...]) -> LinearStudent:
    """Return the student of `options`; `Linear.fit` says what is raised."""
    learned, judged = only(Train, train).frame, only(Tune, tune).frame
    taught, wanted = soft_labels(learned, labels), soft_labels(judged, labels)
    present = np.flatnonzero(taught.sum(axis=0))
    known = wanted[:, present].sum(axis=1) > 0  # what train never saw says nothing about penalty or temperature
    _check(labels, present, int(known.sum()))
    counted = learn(learned["input"].to_list(), options)
    scale = _scale(counted, learned.height, options)
    lesson = _lesson(counted.lexicon, scale, learned, taught[:, present])
    exam = _lesson(counted.lexicon, scale, judged.filter(known), wanted[known][:, present])
    best = _chosen(options, lesson, exam)
    return LinearStudent(
        labels=labels,
        lexicon=counted.lexicon,
        weights=_widened(best.weights[:-1], present, len(labels), 0.0),
        scale=scale,
        bias=_widened(best.weights[-1:], present, len(labels), -np.inf)[0],
        temperature=best.temperature,
    )


def _check(labels: tuple[str, ...], present: NDArray[np.intp], tuned_on: int) -> None:
    if len(present) < 2:
        seen = f"is {labels[present[0]]!r} in every one" if len(present) else "is missing: there is no training example"
        raise NotEnoughData(
            f"a student needs training examples of at least two labels, and the answer {seen}: "
            f"bring more logs, or let fewer filters reject"
        )
    if not tuned_on:
        raise NotEnoughData(
            "tune holds no example of a label that train knows, to fit a temperature on: bring more logs"
        )


def _scale(counted: Counted, texts: int, options: LinearOptions) -> Floats:
    """Return how much each run and piece counts, shape (runs + pieces,): by its kind and by how few texts hold it."""
    shortest, longest = options.words
    sizes = np.array([run.count(" ") + 1 for run in counted.lexicon.runs], dtype=np.intp)
    kind = np.array([0.0 if size < shortest else 1.0 if size == 1 else LONGER for size in range(longest + 1)])
    held = np.array([*counted.runs, *counted.pieces], dtype=np.float64)
    by_kind = np.concatenate([kind[sizes], np.full(len(counted.pieces), PIECE)])
    return (by_kind * (np.log((1 + texts) / (1 + held)) + 1) ** RARITY).astype(np.float32)


def _lesson(lexicon: Lexicon, scale: Floats, frame: pl.DataFrame, targets: Floats) -> Lesson:
    # A request seen a hundred times was answered once: it matters more than one seen once, not a hundred times more.
    share = np.sqrt(frame["weight"].to_numpy())
    return Lesson(
        design(lexicon, scale, frame["input"].to_list()),
        (targets / targets.sum(axis=1, keepdims=True)).astype(np.float32),
        (share / share.sum()).astype(np.float32),
    )


def design(lexicon: Lexicon, scale: Floats, texts: Sequence[str]) -> Design:
    """Return `texts` as matrices; units are the lexicon's runs, then each word that has only pieces."""
    found = [lexicon.read(text) for text in texts]
    strangers = {word: at for at, word in enumerate(dict.fromkeys(w for each in found for w in each.unknown))}
    first = len(lexicon.runs)
    bags = [each.rows + [first + strangers[word] for word in each.unknown] for each in found]
    features: list[list[int]] = [[row] for row in range(first)]
    for row, word in lexicon.single():
        features[row] += [first + piece for piece in lexicon.pieces_of(word)]
    features += [[first + piece for piece in lexicon.pieces_of(word)] for word in strangers]
    units = _bags(features, len(scale)) * scale
    plain = _bags(bags, len(features))
    length = np.sqrt(plain @ units.power(2).sum(axis=1))
    per_text = np.divide(1, length, out=np.zeros_like(length), where=length > 0)
    return Design((plain * per_text[:, None]).tocsr(), units.tocsr())


def _bags(bags: Sequence[Sequence[int]], width: int) -> Matrix:
    """Return a matrix with a row for each of `bags`, 1 at the columns it names."""
    ends = np.cumsum([0, *map(len, bags)])
    columns = np.fromiter((column for bag in bags for column in bag), dtype=np.int32, count=int(ends[-1]))
    return sparse.csr_array((np.ones(len(columns), dtype=np.float32), columns, ends), shape=(len(bags), width))


def _chosen(options: LinearOptions, lesson: Lesson, exam: Lesson) -> Fitted:
    """Return the fit whose penalty does best on tune: weaker than the first while that does no harm, else stronger."""
    start = np.zeros((lesson.design.units.shape[1] + 1, lesson.targets.shape[1]), dtype=np.float32)
    if options.penalty is not None:
        return _fitted(options.penalty, start, lesson, exam)
    first = best = _fitted(FIRST_PENALTY, start, lesson, exam)
    for factor, enough in ((1 / STEP, 1 + WORTH), (STEP, 1 - WORTH)):
        while WEAKEST < best.penalty * factor < STRONGEST:
            tried = _fitted(best.penalty * factor, best.weights, lesson, exam)
            if tried.doubt > best.doubt * enough:
                break
            best = tried
        if best is not first:
            break
    return best


def _fitted(penalty: float, start: Floats, lesson: Lesson, exam: Lesson) -> Fitted:
    weights = minimise(loss(lesson.design, lesson.targets, lesson.share, penalty, MARGIN), start)
    # Platt's correction (1999): a tune set answered without a mistake is no proof that there are none.
    n, labels = exam.targets.shape
    softened = (exam.targets * (n + 1) + 1 / labels) / (n + 2)
    logits = exam.design.logits(weights)
    temperature = fit_temperature(logits, softened, exam.share)
    surprise = -(softened * log_softmax(logits.astype(np.float64) / temperature, axis=1)).sum(axis=1)
    return Fitted(penalty, weights, temperature, float(exam.share @ surprise))


def _widened(found: Floats, present: NDArray[np.intp], labels: int, elsewhere: float) -> Floats:
    """Return `found` with a column for every label; those train never saw hold `elsewhere`."""
    wide = np.full((len(found), labels), elsewhere, dtype=np.float32)
    wide[:, present] = found
    return wide
