"""Let a fitted student answer prompts, timed one request at a time as it would be served."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import polars as pl

from overproof.core import tables
from overproof.core.protocols import Student
from overproof.core.types import Confidence, Prediction
from overproof.tasks.answering import answers

WARM_UP = 20
"""Requests answered before the clock counts: caches and lazy imports are not what production pays."""


PLAIN = Confidence()


def predict(
    student: Student, prompts: pl.DataFrame, core_hour_usd: float, confidence: Confidence = PLAIN
) -> pl.DataFrame:
    """Return a table of `Prediction`, one row for each of `prompts` (a table of `Prompt`).

    Each is answered by itself, as a request would be, and timed in this process; how sure the student is goes by
    `confidence`. Cost is that time at `core_hour_usd` dollars an hour of one processor core.
    """
    inputs = prompts["input"].to_list()
    for text in inputs[:WARM_UP]:
        answers(student, [text], confidence)
    best, sure, taken = np.zeros(len(inputs), dtype=np.intp), np.zeros(len(inputs)), np.zeros(len(inputs))
    for i, text in enumerate(inputs):
        began = perf_counter()
        said = answers(student, [text], confidence)
        taken[i] = perf_counter() - began
        best[i], sure[i] = said.best[0], said.sure[0]
    return pl.DataFrame(
        {
            "prompt_id": prompts["id"],
            "answer": np.array(student.labels)[best],
            "confidence": sure,
            "cost_usd": taken / 3600 * core_hour_usd,
            "latency_ms": taken * 1000,
        },
        schema=tables.schema(Prediction),
    )
