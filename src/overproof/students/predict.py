"""Let a fitted student answer prompts, timed one request at a time as it would be served."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import polars as pl
from numpy.typing import NDArray

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

    How sure it is goes by `confidence`. Latency is measured per prompt, in this process, without batching, and is all
    that answering takes; cost is that time at `core_hour_usd` dollars an hour of one processor core.
    """
    inputs = prompts["input"].to_list()
    said = answers(student, inputs, confidence)
    latency = _latencies(student, inputs, confidence)
    labels = np.array(student.labels)
    return pl.DataFrame(
        {
            "prompt_id": prompts["id"],
            "answer": labels[said.best],
            "confidence": said.sure,
            "cost_usd": latency / 1000 / 3600 * core_hour_usd,
            "latency_ms": latency,
        },
        schema=tables.schema(Prediction),
    )


def _latencies(student: Student, inputs: list[str], confidence: Confidence) -> NDArray[np.float64]:
    """Return milliseconds for each input, answered by itself."""
    for text in inputs[:WARM_UP]:
        answers(student, [text], confidence)
    taken = np.zeros(len(inputs))
    for i, text in enumerate(inputs):
        began = perf_counter()
        answers(student, [text], confidence)
        taken[i] = perf_counter() - began
    return taken * 1000
