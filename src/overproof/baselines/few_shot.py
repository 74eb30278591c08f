"""The baseline that shows how: a cheaper model, asked with the most similar accepted answers as earlier turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import polars as pl
from msgspec import Meta

from overproof.baselines.answer_cache import pooled
from overproof.baselines.endpoint import AsksModel
from overproof.baselines.nearby import Nearby
from overproof.core import tables
from overproof.core.protocols import Ask, Means, Model, Task
from overproof.core.splits import Train, only
from overproof.core.types import Message, Prediction, Prompt
from overproof.models import embed
from overproof.tasks.inputs import INSTRUCTIONS

AMONG = 16
"""Times `examples`: so many of the nearest inputs are looked through for examples that differ enough."""


class Shown(NamedTuple):
    """An accepted example, as it may be shown."""

    input: str
    answer: str
    unit: str


class FewShot(AsksModel):
    """Asks a smaller model each prompt after a few like it with their accepted answers, the most similar one last.

    Examples come from train alone. Of each unit only one is shown, and of each answer at most `per_label`, so that the
    model sees alternatives and not one question five times. Equal inputs are pooled as in `answer_cache`. The latency
    is that of looking for examples, as it ran here, and of the reply; the cost that of the longer request and of the
    processor core meanwhile.
    """

    examples: Annotated[int, Meta(ge=1)] = 5
    """Shown before each prompt; fewer where not so many differ enough."""
    per_label: Annotated[int, Meta(ge=1)] = 3
    """Of them, with the same answer, at most."""
    embedder: str = embed.WORDS
    """How likeness is judged: `words`, which needs nothing installed, or the name of an installed encoder."""

    def __post_init__(self) -> None:
        """Take the model's name where none is given."""
        if not self.name:
            msgspec.structs.force_setattr(self, "name", f"{self.model} few-shot")

    def check(self, encoders: Path) -> None:
        """Raise a `UserError` where the embedder is not installed."""
        embed.check(self.embedder, encoders)

    def asks(self, prompts: pl.DataFrame, train: Train | None, task: Task, means: Means) -> list[Ask]:
        """Return each prompt with its examples; without `train`, with about as much text as they can come to."""
        if train is None:
            return list(self._longest(prompts, task))
        return [ask for ask, _ in self._asks(prompts, train, means)]

    async def answer(
        self, prompts: pl.DataFrame, train: Train, task: Task, model: Model | None, means: Means
    ) -> pl.DataFrame:
        """Return a table of `Prediction`, one row for each of `prompts`; a failed call has no answer."""
        asks = list(self._asks(prompts, train, means))
        said = await self.told(model, [ask for ask, _ in asks], list(tables.records(prompts, Prompt)), task)
        took_ms = pl.Series([took for _, took in asks], dtype=pl.Float64)
        own_usd = pl.Series([means.cost(took) for _, took in asks], dtype=pl.Float64)
        return tables.frame(said, Prediction).with_columns(pl.col("latency_ms") + took_ms, pl.col("cost_usd") + own_usd)

    def _asks(self, prompts: pl.DataFrame, train: Train, means: Means) -> Iterator[tuple[Ask, float]]:
        """Yield the call for each of `prompts`, and the milliseconds it took to find its examples."""
        known = _shown(only(Train, train).frame.sort("prompt_id"))
        nearby = Nearby([each.input for each in known], self.embedder, means)
        found = nearby.nearest(prompts["input"].to_list(), AMONG * self.examples)
        for prompt, near in zip(tables.records(prompts, Prompt), found, strict=True):
            chosen = self._chosen([known[place] for place in near.places])
            yield self.ask(prompt, with_examples(prompt.messages, chosen[::-1])), near.took_ms

    def _chosen(self, nearest: Sequence[Shown]) -> list[Shown]:
        """Return the first that differ enough from those before them."""
        chosen: list[Shown] = []
        units: set[str] = set()
        answers: Counter[str] = Counter()
        for each in nearest:
            if len(chosen) < self.examples and each.unit not in units and answers[each.answer] < self.per_label:
                chosen.append(each)
                units.add(each.unit)
                answers[each.answer] += 1
        return chosen

    def _longest(self, prompts: pl.DataFrame, task: Task) -> Iterator[Ask]:
        """Yield calls to be priced, not sent: examples as long as the prompt's own input, or as the average if longer.

        An input's neighbours are about as long as itself, drawn towards the average.
        """
        sizes = prompts["input"].str.len_bytes()
        average = round(float(sizes.sum()) / max(1, len(sizes)))
        answer = max(task.labels, key=len, default="")
        for prompt, size in zip(tables.records(prompts, Prompt), sizes, strict=True):
            example = Shown("x" * max(size, average), answer, "")
            yield self.ask(prompt, with_examples(prompt.messages, [example] * self.examples))


def with_examples(messages: Sequence[Message], shown: Sequence[Shown]) -> tuple[Message, ...]:
    """Return `messages` with `shown` as turns after the instructions; the input is all that such a user says."""
    head = sum(1 for _ in takewhile(lambda message: message.role in INSTRUCTIONS, messages))
    turns = (
        Message(role=role, content=content)
        for each in shown
        for role, content in (("user", each.input), ("assistant", each.answer))
    )
    return (*messages[:head], *turns, *messages[head:])


def _shown(examples: pl.DataFrame) -> list[Shown]:
    """Return each accepted input once, with the answer most of its requests have; none whose answers are tied."""
    units = dict(examples.select("input", "unit").reverse().iter_rows())  # the first of each input, as everywhere
    return [Shown(text, answer, units[text]) for text, (answer, _) in pooled(examples).items()]
