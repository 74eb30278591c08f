"""What a student fitted on the other units thinks of every answer: the chance that it is wrong, without any gold.

Confident learning (Northcutt, Jiang & Chuang 2021) finds label errors where a model that never saw an example
disagrees with its label: out-of-fold probabilities, and noise that depends on the class alone. We keep both and replace
its thresholds by Bayes' rule, which gives what is needed here, a chance. With q(k) the student's calibrated chance of
answer k, ε the teacher's rate of mistakes and c(k → y) how a mistake about a k falls on y,

    chance that y is wrong  =  ε Σ q(k) c(k → y)  /  (ε Σ q(k) c(k → y) + (1 - ε) q(y)),     k ≠ y.

ε is how often teacher and student differ where the student is surest, on a fifth of the examples: there nearly all of
the difference is the teacher's. It is what keeps the whole honest: a teacher that a student does not contradict when it
is sure is not doubted for what the student cannot do. c is the expected table of confusions: every example that was
answered y counts q(k) for k. The chance is computed twice, with that rate and with its exact lower bound
(Clopper-Pearson, 5 %): the first says where asking again may pay, the second what can be held against an answer with
nobody else to ask, so that a few examples never convict.

q is the chance of what the teacher *says*, mistakes included. Taken for the truth's, as here, it errs on the careful
side: more answers are wrong than the chance says, seldom fewer (`make bench-filters` prints the table).

Folds are dealt by a hash of the **unit**: a near copy of an example would vouch for its own mistake.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from overproof.core.chance import draws
from overproof.core.errors import NotEnoughData
from overproof.core.protocols import StudentKind
from overproof.core.splits import Train, Tune
from overproof.proof import binomial
from overproof.proof.reliability import fit_temperature

Floats = NDArray[np.float64]

FOLDS: Final = 5
TUNED: Final = 0.1
"""Share of the other folds' units that a fold's student is tuned on."""
SUREST: Final = 0.2
"""Share of the examples, the ones the student is surest of, on which the teacher's rate of mistakes is counted."""
ENOUGH: Final = 20_000
"""Examples that a fold's student learns from at most, whole units drawn by hash: more would cost minutes for little."""
LEVEL: Final = 0.05
"""Chance that the lower bound of that rate is above it."""
LEAST_SEEN: Final = 5
"""Examples of an answer that the other folds must hold before their student may speak against it."""


@dataclass(frozen=True)
class Opinion:
    """The chance that each answer to each prompt would be wrong."""

    prompts: dict[str, int]
    """Row of each prompt."""
    labels: dict[str, int]
    """Column of each answer."""
    wrong: Floats
    """Shape (prompts, labels)."""
    at_least: Floats
    """The same at the least rate of mistakes that can be shown."""

    @classmethod
    def none(cls) -> Opinion:
        """Return the opinion of nobody: it has no doubt about anything."""
        return cls({}, {}, np.zeros((0, 0)), np.zeros((0, 0)))

    def of(self, prompts: Sequence[str], answers: Sequence[str]) -> tuple[Floats, Floats]:
        """Return `wrong` and `at_least` of each of `answers`, both of shape (prompts,); 0 where nothing is known."""
        found, least = np.zeros(len(prompts)), np.zeros(len(prompts))
        for place, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
            row, column = self.prompts.get(prompt), self.labels.get(answer)
            if row is not None and column is not None:
                found[place], least[place] = self.wrong[row, column], self.at_least[row, column]
        return found, least


def opinion(
    kind: StudentKind, examples: pl.DataFrame, dealt: pl.DataFrame, labels: tuple[str, ...], folds: int = FOLDS
) -> Opinion:
    """Return what students of `kind`, each fitted on all folds but one, think of the answers to the fold left out.

    `examples` is a table of `Example` made from first answers, `dealt` comes from `sift.dealt`: the prompts to have an
    opinion on. With too few examples for `kind` to be fitted on any `folds - 1` of the folds there is none.
    """
    try:
        chances, seen = out_of_fold(kind, examples, dealt, labels, folds)
    except NotEnoughData:
        return Opinion.none()
    rows = {name: row for row, name in enumerate(dealt["prompt_id"])}
    columns = {label: column for column, label in enumerate(labels)}
    at = np.fromiter((rows[name] for name in examples["prompt_id"]), dtype=np.intp, count=examples.height)
    said = np.fromiter((columns[answer] for answer in examples["answer"]), dtype=np.intp, count=examples.height)
    believed = calibrated(chances, at, said)
    known = seen >= LEAST_SEEN
    likely, least = (
        np.where(known, chance_wrong(believed, at, said, rate), 0.0) for rate in mistakes(believed, at, said)
    )
    return Opinion(rows, columns, likely, least)


def out_of_fold(
    kind: StudentKind, examples: pl.DataFrame, dealt: pl.DataFrame, labels: tuple[str, ...], folds: int
) -> tuple[Floats, NDArray[np.int64]]:
    """Return chances and how many examples of each label the student had, both of shape (prompts, labels).

    Arguments as for `opinion`. Raises `NotEnoughData` when `kind` does.
    """
    places = pl.DataFrame({"unit": dealt["unit"].unique(maintain_order=True)})
    places = places.with_columns(pl.Series("place", draws("doubt", places["unit"]), dtype=pl.Float64) * folds)
    fold, within = pl.col("place").cast(pl.Int64), pl.col("place") % 1
    known = examples.join(places, on="unit", how="left", maintain_order="left")
    asked = dealt.join(places, on="unit", how="left", maintain_order="left")
    chances = np.zeros((dealt.height, len(labels)))
    seen = np.zeros((dealt.height, len(labels)), dtype=np.int64)
    for each in range(folds):
        others, left_out = known.filter(fold != each), (asked["place"].cast(pl.Int64) == each).to_numpy()
        until = TUNED + (1 - TUNED) * min(1.0, ENOUGH / max(1, others.height))
        train, tune = others.filter(within.is_between(TUNED, until)), others.filter(within < TUNED)
        student = kind.fit(Train(train.select(examples.columns)), Tune(tune.select(examples.columns)), labels, seed=0)
        counted = dict(train["answer"].value_counts().iter_rows())
        chances[left_out] = student.probabilities(asked.filter(left_out)["input"].to_list())
        seen[left_out] = [counted.get(label, 0) for label in labels]
    return chances, seen


def calibrated(chances: Floats, at: NDArray[np.intp], said: NDArray[np.intp]) -> Floats:
    """Return `chances` at the one temperature that fits what was `said` at the rows `at`, over all folds together."""
    logits = np.log(np.maximum(chances, 1e-12))
    targets = np.zeros((len(at), chances.shape[1]))
    targets[np.arange(len(at)), said] = 1
    cooled = logits / fit_temperature(logits[at], targets)
    heated = np.exp(cooled - cooled.max(axis=1, keepdims=True))
    return np.asarray(heated / heated.sum(axis=1, keepdims=True))


def mistakes(believed: Floats, at: NDArray[np.intp], said: NDArray[np.intp]) -> tuple[float, float]:
    """Return the teacher's rate of mistakes and its exact lower bound, where the student is surest.

    `believed` are calibrated chances, shape (prompts, labels); the teacher `said` these labels at the rows `at`.
    """
    shown = believed[at]
    surest = np.argsort(-shown.max(axis=1), kind="stable")[: max(1, round(SUREST * len(at)))]
    differ = int((shown[surest].argmax(axis=1) != said[surest]).sum())
    return differ / len(surest), float(binomial.lower(differ, len(surest), LEVEL))


def chance_wrong(believed: Floats, at: NDArray[np.intp], said: NDArray[np.intp], rate: float) -> Floats:
    """Return the chance that each answer would be wrong, had a teacher with this `rate` of mistakes given it.

    Arguments as for `mistakes`; the result has the shape of `believed`.
    """
    labels = believed.shape[1]
    falls = np.zeros((labels, labels))
    np.add.at(falls.T, said, believed[at])
    np.fill_diagonal(falls, 0.0)
    falls /= np.maximum(falls.sum(axis=1, keepdims=True), 1e-300)
    against, for_it = rate * (believed @ falls), (1 - rate) * believed
    return np.asarray(against / np.maximum(against + for_it, 1e-300))
