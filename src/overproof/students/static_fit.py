"""Fit a static student: token vectors from an encoder, weights on train, penalty and temperature on tune.

A text is the sum of its tokens, each with its vector (so that a token training never saw speaks like its neighbours)
and with a place of its own, where training holds it (so that it may come to mean here what it does not mean at large);
pairs of tokens have a place alone. The penalty pulls towards what the vectors say. All of it is one convex problem, and
since it is linear, one row of logits for each token is all that is left of it to serve.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from overproof.core.splits import Train, Tune
from overproof.models.encoders import store
from overproof.models.encoders.table import VECTORS
from overproof.students.dense import Dense, product
from overproof.students.fitting import Half, best, matter
from overproof.students.softmax import Floats
from overproof.students.static_student import StaticStudent
from overproof.students.token_fit import Counted, Joined, count, shares
from overproof.students.token_table import Table
from overproof.students.workshops import encoder_folder

if TYPE_CHECKING:
    from overproof.core.protocols import Workshop
    from overproof.students.static_options import StaticOptions

MARGIN, FIRST_PENALTY = 3.0, 1e-5
"""Chosen on a division of Banking77's training data, where the optimum is flat."""


class Reader(NamedTuple):
    """All that turns a text into features."""

    counted: Counted
    vectors: Floats
    """Of each token, shape (singles, width)."""
    own: Floats
    """How much each token and pair counts by itself, shape (rows,)."""
    squared: Floats
    """What each adds to the squared length of a text, as if all were at right angles."""
    kept: NDArray[np.intp]
    """Rows that count by themselves."""

    def features(self, half: Half) -> Joined:
        """Return the texts of `half` as features."""
        held = shares(self.counted.rows(half.texts), self.squared)
        dense = held[:, : len(self.vectors)] @ self.vectors
        return Joined(Dense(dense), sparse.csr_array(held[:, self.kept] * self.own[self.kept]))

    def said(self, weights: Floats) -> Floats:
        """Return what each token and pair says, shape (rows, labels), for the weights of its features."""
        width = self.vectors.shape[1]
        rows = np.zeros((len(self.own), weights.shape[1]), dtype=np.float32)
        rows[: len(self.vectors)] = product(self.vectors, weights[:width])
        rows[self.kept] += weights[width:-1] * self.own[self.kept, None]
        return rows


def fit(
    options: StaticOptions, train: Train, tune: Tune, labels: tuple[str, ...], workshop: Workshop | None
) -> StaticStudent:
    """Return the student of `options`; `Static.fit` says what is raised."""
    folder = encoder_folder(workshop, options.model, options.name)
    given = matter(train, tune, labels)
    vectors = store.arrays(folder, store.TABLE)[VECTORS].astype(np.float32)
    words = store.content(folder, store.read(folder), store.TOKENIZER)
    counted = count(words, given.train.texts, pairs=options.pairs, also=np.flatnonzero(vectors.any(axis=1)).tolist())
    reader = _reader(counted, vectors)
    lesson, exam = (half.lesson(reader.features(half)) for half in (given.train, given.tune))
    found = best(options.penalty, FIRST_PENALTY, MARGIN, lesson, exam)
    return StaticStudent(
        labels=labels,
        words=words,
        table=Table(
            said=given.widened(reader.said(found.weights), 0.0).astype(np.float16),
            squared=reader.squared,
            singles=counted.singles,
            pairs=counted.pairs,
        ),
        bias=given.widened(found.weights[-1:], -np.inf)[0],
        seen=counted.seen[: len(counted.singles)],
        temperature=found.temperature,
        model=options.model,
    )


def _reader(counted: Counted, table: Floats) -> Reader:
    """Return the reader whose vectors are about their middle, and as long as the tokens are rare."""
    there = counted.singles < len(table)  # a tokenizer may have more tokens than its encoder
    vectors = np.where(there[:, None], table[np.where(there, counted.singles, 0)], 0)
    spoken = np.asarray(vectors.any(axis=1))  # not so special and unused tokens
    usual = vectors[spoken & counted.seen[: len(vectors)]]
    if len(usual):
        vectors = (vectors - usual.mean(axis=0)) / np.sqrt(((usual - usual.mean(axis=0)) ** 2).sum(axis=1).mean())
    vectors = np.where(spoken[:, None], vectors * np.sqrt(counted.rarity[: len(vectors), None]), 0).astype(np.float32)
    own = counted.own
    squared = own**2
    squared[: len(vectors)] += (vectors**2).sum(axis=1)
    return Reader(counted, vectors, own, squared, np.flatnonzero(own))
