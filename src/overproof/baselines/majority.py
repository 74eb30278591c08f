"""The baseline that does not look: always the most common answer."""

from __future__ import annotations

import polars as pl

from overproof.core.protocols import Means, Model, Task
from overproof.core.splits import Train, only
from overproof.core.types import Record


class Majority(Record):
    """Answers every prompt with the accepted answer most requests of train have.

    The floor that everything else must beat: where it comes close, the task is lopsided, and accuracy over all requests
    says little. Its confidence is the answer's share of train's requests, the same for every prompt.
    """

    @property
    def name(self) -> str:
        """Return `majority`."""
        return "majority"

    async def answer(
        self,
        prompts: pl.DataFrame,
        train: Train,
        task: Task,  # noqa: ARG002 - the seam
        model: Model | None,  # noqa: ARG002 - the seam
        means: Means,  # noqa: ARG002 - the seam
    ) -> pl.DataFrame:
        """Return a table of `Prediction`, one row for each of `prompts`; without examples nothing is answered."""
        answer, share = _most_common(only(Train, train).frame)
        return prompts.select(
            pl.col("id").alias("prompt_id"),
            pl.lit(answer, dtype=pl.String).alias("answer"),
            pl.lit(share, dtype=pl.Float64).alias("confidence"),
            pl.lit(0.0).alias("cost_usd"),
            pl.lit(0.0).alias("latency_ms"),  # nothing is looked up
        )


def _most_common(examples: pl.DataFrame) -> tuple[str | None, float]:
    """Return the answer with the largest weight and its share; of equals, the first by name."""
    if examples.is_empty():
        return None, 0.0
    weights = examples.group_by("answer").agg(pl.col("weight").sum())
    first = weights.sort("weight", "answer", descending=[True, False]).row(0, named=True)
    return first["answer"], first["weight"] / examples["weight"].sum()
