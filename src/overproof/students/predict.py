"""Let a fitted student answer prompts, timed one request at a time as it would be served."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import polars as pl

from overproof.core import tables
from overproof.core.protocols import Student
from overproof.core.types import Prediction

WARM_UP = 20
"""Requests answered before the clock counts: caches and lazy imports are not what production pays."""


def predict(student: Student, prompts: pl.DataFrame, core_hour_usd: float) -> pl.DataFrame:
    """Return a table of `Prediction`, one row for each of `prompts` (a table of `Prompt`).

    Latency is measured per prompt, in this process, without batching; cost is that time at `core_hour_usd` dollars an
    hour of one processor core.
    """
    inputs = prompts["input"].to_list()
    chances = student.probabilities(inputs)
    best = chances.argmax(axis=1) if len(inputs) else np.zeros(0, dtype=np.intp)
    latency = _latencies(student, inputs)
    labels = np.array(student.labels)
    return pl.DataFrame(
        {
            "prompt_id": prompts["id"],
            "answer": labels[best],
            "confidence": chances[np.arange(len(inputs)), best].astype(np.float64),
            "cost_usd": latency / 1000 / 3600 * core_hour_usd,
            "latency_ms": latency,
        },
        schema=tables.schema(Prediction),
    )


def _latencies(student: Student, inputs: list[str]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return milliseconds for each input, answered by itself."""
    for text in inputs[:WARM_UP]:
        student.probabilities([text])
    taken = np.zeros(len(inputs))
    for i, text in enumerate(inputs):
        began = perf_counter()
        student.probabilities([text])
        taken[i] = perf_counter() - began
    return taken * 1000
