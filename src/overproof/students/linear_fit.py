"""Fit a linear student: lexicon and weights on train, penalty and temperature on tune."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from overproof.core.splits import Train, Tune
from overproof.students.fitting import best, matter
from overproof.students.lexicon import Counted, Lexicon, learn
from overproof.students.linear_student import LinearStudent
from overproof.students.softmax import Design, Floats, bags

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

FIRST_PENALTY = 4e-6


def fit(options: LinearOptions, train: Train, tune: Tune, labels: tuple[str, ...]) -> LinearStudent:
    """Return the student of `options`; `Linear.fit` says what is raised."""
    given = matter(train, tune, labels)
    counted = learn(given.train.texts, options)
    scale = _scale(counted, len(given.train.texts), options)
    lesson, exam = (half.lesson(design(counted.lexicon, scale, half.texts)) for half in (given.train, given.tune))
    found = best(options.penalty, FIRST_PENALTY, MARGIN, lesson, exam)
    return LinearStudent(
        labels=labels,
        lexicon=counted.lexicon,
        weights=given.widened(found.weights[:-1], 0.0),
        scale=scale,
        bias=given.widened(found.weights[-1:], -np.inf)[0],
        temperature=found.temperature,
    )


def _scale(counted: Counted, texts: int, options: LinearOptions) -> Floats:
    """Return how much each run and piece counts, shape (runs + pieces,): by its kind and by how few texts hold it."""
    shortest, longest = options.words
    sizes = np.array([run.count(" ") + 1 for run in counted.lexicon.runs], dtype=np.intp)
    kind = np.array([0.0 if size < shortest else 1.0 if size == 1 else LONGER for size in range(longest + 1)])
    held = np.array([*counted.runs, *counted.pieces], dtype=np.float64)
    by_kind = np.concatenate([kind[sizes], np.full(len(counted.pieces), PIECE)])
    return (by_kind * (np.log((1 + texts) / (1 + held)) + 1) ** RARITY).astype(np.float32)


def design(lexicon: Lexicon, scale: Floats, texts: Sequence[str]) -> Design:
    """Return `texts` as matrices; units are the lexicon's runs, then each word that has only pieces."""
    found = [lexicon.read(text) for text in texts]
    strangers = {word: at for at, word in enumerate(dict.fromkeys(w for each in found for w in each.unknown))}
    first = len(lexicon.runs)
    held = [each.rows + [first + strangers[word] for word in each.unknown] for each in found]
    features: list[list[int]] = [[row] for row in range(first)]
    for row, word in lexicon.single():
        features[row] += [first + piece for piece in lexicon.pieces_of(word)]
    features += [[first + piece for piece in lexicon.pieces_of(word)] for word in strangers]
    units = bags(features, len(scale)) * scale
    plain = bags(held, len(features))
    length = np.sqrt(plain @ units.power(2).sum(axis=1))
    per_text = np.divide(1, length, out=np.zeros_like(length), where=length > 0)
    return Design((plain * per_text[:, None]).tocsr(), units.tocsr())
