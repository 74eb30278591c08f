"""How much a student may answer at a promised error rate: calibrated on one half of a test set, judged on the other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import fisher_exact

from overproof.calibrate import head
from overproof.calibrate.calibrate import calibrate
from overproof.calibrate.options import CalibrateOptions
from overproof.core import tables
from overproof.core.protocols import Student
from overproof.core.splits import Calibrate, Tune
from overproof.core.types import Prediction
from overproof.tasks.answering import answers
from overproof.tasks.classify import Classify

ALPHA, DELTA, SPLITS = 0.05, 0.10, 20
Mask = NDArray[np.bool_]


class Served(NamedTuple):
    """Means over the divisions, and the spread of the first."""

    coverage: float
    spread: float
    risk: float
    """Share of wrong answers among those answered, in the half that judged."""
    beyond: float
    """Share of the divisions in which that was more than alpha."""
    unlike: float
    """Share in which an exact test at 5 % tells the two halves' error rates among the answered apart."""


def served(student: Student, tune: Tune, texts: list[str], gold: list[str], splits: int = SPLITS) -> Served:
    """Return what the most lenient certified threshold answers, over random halves, each calibrating in turn."""
    inputs = tune.frame["input"].to_list()
    confidence = head.fit(tune, student.labels, student.probabilities(inputs), student.novelty(inputs))
    said, tuned = answers(student, texts, confidence), answers(student, inputs, confidence).sure
    labels = np.array(student.labels)
    predictions = _predictions(labels[said.best].tolist(), said.sure)
    evidence, wrong = _evidence(gold), labels[said.best] != gold
    rng, found = np.random.default_rng(0), []
    for split in range(splits):
        order = rng.permutation(len(texts))
        halves = order[: len(order) // 2], order[len(order) // 2 :]
        for here, there in (halves, halves[::-1]):
            calibration = calibrate(
                Calibrate(evidence[here]),
                predictions,
                Classify(labels=student.labels),
                candidate="student",
                reference="gold",
                alpha=ALPHA,
                delta=DELTA,
                critical=(),
                tune_confidence=tuned,
                options=CalibrateOptions(),
                seed=f"{split}",
            )
            least = 2.0 if calibration.threshold is None else calibration.threshold
            found.append(_judged(wrong, said.sure >= least, here, there))
    each = np.array(found)
    coverage, risk, beyond, unlike = each.mean(axis=0)
    return Served(coverage, each[:, 0].std(), risk, beyond, unlike)


def _judged(
    wrong: Mask, answered: Mask, here: NDArray[np.intp], there: NDArray[np.intp]
) -> tuple[float, float, bool, bool]:
    counts = [(int(answered[half].sum()), int((answered & wrong)[half].sum())) for half in (here, there)]
    (_, _), (n, errors) = counts
    risk = errors / max(n, 1)
    apart = fisher_exact(np.array([[k, m - k] for m, k in counts])).pvalue <= 0.05
    return n / len(there), risk, risk > ALPHA, bool(apart)


def _evidence(gold: list[str]) -> pl.DataFrame:
    n = len(gold)
    return pl.DataFrame(
        {
            "request_id": [f"r{i}" for i in range(n)],
            "prompt_id": [f"p{i}" for i in range(n)],
            "unit": [f"u{i}" for i in range(n)],
            "slices": [["all"]] * n,
            "reference": gold,
            "teacher": gold,
            "teacher_cost": [0.0] * n,
            "teacher_latency_ms": [0.0] * n,
            "at": [None] * n,
        },
        schema_overrides={"at": tables.TIME},
    )


def _predictions(said: list[str], sure: NDArray[np.float64]) -> pl.DataFrame:
    n = len(said)
    return pl.DataFrame(
        {
            "prompt_id": [f"p{i}" for i in range(n)],
            "answer": said,
            "confidence": sure,
            "cost_usd": [0.0] * n,
            "latency_ms": [0.0] * n,
        },
        schema=tables.schema(Prediction),
    )
