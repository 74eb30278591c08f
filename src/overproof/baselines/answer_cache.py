"""The baseline that remembers: the same question gets the same answer."""

from __future__ import annotations

from time import perf_counter

import msgspec
import polars as pl

from overproof.core import tables
from overproof.core.protocols import Means, Model, Task
from overproof.core.splits import Train, only
from overproof.core.types import Prediction, Record


class AnswerCache(Record):
    """Answers a prompt whose input stands in train, letter for letter; is silent on every other.

    Its confidence is (k + 1) / (n + 2), the mean of a Beta(1, 1) posterior: n is how many of train's requests had this
    input, k how many of them the answer stands for (a request whose samples were split counts in their shares). It is
    a smoothed agreement of the teacher with itself, not a calibrated chance: the threshold is calibrated on evidence of
    its own. An input whose answers are tied counts as never seen. The latency is that of each lookup as it ran here,
    the cost that time on a processor core.
    """

    @property
    def name(self) -> str:
        """Return `answer_cache`."""
        return "answer_cache"

    async def answer(
        self,
        prompts: pl.DataFrame,
        train: Train,
        task: Task,  # noqa: ARG002 - the seam
        model: Model | None,  # noqa: ARG002 - the seam
        means: Means,
    ) -> pl.DataFrame:
        """Return a table of `Prediction`, one row for each of `prompts`; a miss has no answer and confidence 0."""
        known = pooled(only(Train, train).frame)
        found = [_look_up(known, text) for text in prompts["input"]]
        return pl.DataFrame(
            {
                "prompt_id": prompts["id"],
                "answer": [answer for answer, _, _ in found],
                "confidence": [confidence for _, confidence, _ in found],
                "cost_usd": [means.cost(latency) for _, _, latency in found],
                "latency_ms": [latency for _, _, latency in found],
            },
            schema=tables.schema(Prediction),
        )


def _look_up(known: dict[str, tuple[str, float]], text: str) -> tuple[str | None, float, float]:
    """Return answer, confidence and the milliseconds it took."""
    began = perf_counter()
    answer, confidence = known.get(text, (None, 0.0))
    return answer, confidence, (perf_counter() - began) * 1000


def pooled(examples: pl.DataFrame) -> dict[str, tuple[str, float]]:
    """Return the answer and confidence for every input; prompts that differ only around the input are pooled."""
    tallies: dict[str, dict[str, float]] = {}
    for text, votes, weight in examples.select("input", "votes", "weight").iter_rows():
        tally = tallies.setdefault(text, {})
        for answer, share in msgspec.json.decode(votes, type=dict[str, float]).items():
            tally[answer] = tally.get(answer, 0.0) + share * weight
    return {text: _best(tally) for text, tally in tallies.items() if not _tied(tally)}


def _best(tally: dict[str, float]) -> tuple[str, float]:
    answer = max(tally, key=tally.__getitem__)
    return answer, (tally[answer] + 1) / (sum(tally.values()) + 2)


def _tied(tally: dict[str, float]) -> bool:
    counts = sorted(tally.values(), reverse=True)
    return len(counts) > 1 and counts[0] <= counts[1] * (1 + 1e-9)  # shares are rounded: thirds need not add up
