"""The baseline that remembers loosely: a question like one asked before gets the same answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from overproof.baselines.answer_cache import pooled
from overproof.baselines.nearby import Found, Nearby
from overproof.core import tables
from overproof.core.protocols import Means, Model, Task
from overproof.core.splits import Train, only
from overproof.core.types import Prediction, PromptId, Record
from overproof.models import embed


class NearAnswerCache(Record):
    """Answers as the most similar accepted input of train was answered; silent where nothing has anything in common.

    Its confidence is the cosine of the two inputs: no chance of being right, only an order, and how similar is similar
    enough is calibrated on evidence of its own. Equal inputs are pooled as in `answer_cache`, those whose answers are
    tied count as never seen, and of equally similar ones the first by prompt id answers. The latency is that of each
    lookup as it ran here, turning the text into a vector included; the cost is that time on a processor core.
    """

    embedder: str = embed.WORDS
    """`words`, which needs nothing installed, or the name of an installed encoder."""
    name: str = "near_answer_cache"
    """Name in tables and report."""

    def check(self, encoders: Path) -> None:
        """Raise a `UserError` where the embedder is not installed."""
        embed.check(self.embedder, encoders)

    async def answer(
        self,
        prompts: pl.DataFrame,
        train: Train,
        task: Task,  # noqa: ARG002 - the seam
        model: Model | None,  # noqa: ARG002 - the seam
        means: Means,
    ) -> pl.DataFrame:
        """Return a table of `Prediction`, one row for each of `prompts`."""
        known = pooled(only(Train, train).frame.sort("prompt_id"))
        answers = [answer for answer, _ in known.values()]
        nearby = Nearby(list(known), self.embedder, means)
        found = nearby.nearest(prompts["input"].to_list(), 1)
        return tables.frame(
            (
                _prediction(prompt, each, answers, means.cost(each.took_ms))
                for prompt, each in zip(prompts["id"], found, strict=True)
            ),
            Prediction,
        )


def _prediction(prompt: str, found: Found, answers: Sequence[str], cost_usd: float) -> Prediction:
    similar = found.similarity[0] if found.similarity else 0.0
    return Prediction(
        prompt_id=PromptId(prompt),
        answer=answers[found.places[0]] if similar > 0 else None,
        confidence=max(0.0, similar),
        cost_usd=cost_usd,
        latency_ms=found.took_ms,
    )
