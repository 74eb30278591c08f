"""The baseline that buys: a cheaper model, asked exactly what the teacher was asked; and what all that ask share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import polars as pl

from overproof.core import tables
from overproof.core.errors import UserError
from overproof.core.protocols import Ask, Means, Model, Reply, Task
from overproof.core.splits import Train
from overproof.core.types import EndpointOptions, Message, Prediction, Price, Prompt
from overproof.models import prices
from overproof.models.budget import OUT_OF_BUDGET
from overproof.models.wire import sendable

_HOPELESS = 25
"""When the first so many asks have all failed, the rest would too."""


class AsksModel(EndpointOptions):
    """What baselines that ask a model have in common: their endpoint, and how its replies are read.

    A model gives no confidence that could be had from every provider, so an answer that can be read has confidence 1
    and one that cannot has no answer and confidence 0: everything or nothing, and its calibration will say so. Cost and
    latency are those of the replies; one that comes out of the cache is counted at what it would cost to buy it.
    """

    base_url: str
    """`https://host/v1`, or `replay:helpdesk` for the recorded demo models."""
    name: str = ""
    """Name in tables and report; left out, one made from the model's."""

    @property
    def endpoint(self) -> EndpointOptions:
        """Return what the model is reached by."""
        return EndpointOptions(**{field: getattr(self, field) for field in EndpointOptions.__struct_fields__})

    def ask(self, prompt: Prompt, messages: tuple[Message, ...]) -> Ask:
        """Return the call that puts `messages` with all else that `prompt` says."""
        sent = sendable(prompt.metadata, self.send_metadata)
        return Ask(messages=messages, parameters=prompt.parameters, metadata=sent, about=prompt.id)

    async def told(
        self, model: Model | None, asks: Sequence[Ask], prompts: Sequence[Prompt], task: Task
    ) -> list[Prediction]:
        """Return what the model says to each of `prompts`, which was put to it as the ask at its place.

        Raises:
            UserError: no model was handed in, or the first 25 asks all failed.
        """
        if model is None:
            raise UserError(f"baseline {self.name!r} asks a model, and was handed none")
        replies = await _ask_all(model, asks, self.at_once)
        price = self.price or prices.price(self.model, self.base_url)
        return [
            _prediction(prompt, reply, task, _cost(ask, reply, price))
            for prompt, ask, reply in zip(prompts, asks, replies, strict=True)
        ]


class OffTheShelf(AsksModel):
    """Asks a smaller model the same prompts, unchanged, and takes its answers as they come.

    No better prompt, no examples: what it reaches is the least such a model can do.
    """

    def __post_init__(self) -> None:
        """Take the model's name where none is given."""
        if not self.name:
            msgspec.structs.force_setattr(self, "name", self.model)

    def asks(self, prompts: pl.DataFrame, train: Train | None, task: Task, means: Means) -> list[Ask]:  # noqa: ARG002 - the seam
        """Return the prompts as the teacher was asked them."""
        return [self.ask(prompt, prompt.messages) for prompt in tables.records(prompts, Prompt)]

    async def answer(
        self, prompts: pl.DataFrame, train: Train, task: Task, model: Model | None, means: Means
    ) -> pl.DataFrame:
        """Return a table of `Prediction`, one row for each of `prompts`; a failed call has no answer."""
        asks = self.asks(prompts, train, task, means)
        return tables.frame(await self.told(model, asks, list(tables.records(prompts, Prompt)), task), Prediction)


async def _ask_all(model: Model, asks: Sequence[Ask], at_once: int) -> list[Reply]:
    """Return the reply to each of `asks`, in their order, with at most `at_once` under way."""
    replies: dict[int, Reply] = {}
    waiting = iter(enumerate(asks))

    async def work() -> None:
        for place, ask in waiting:
            replies[place] = reply = await model.ask(ask)
            if len(replies) == _HOPELESS and all(map(_failed, replies.values())):
                raise UserError(f"the first {_HOPELESS} asks all failed, the last one so: {reply.error}")

    workers = [asyncio.create_task(work()) for _ in range(min(max(1, at_once), len(asks)))]
    try:
        await asyncio.gather(*workers)  # not a TaskGroup: a UserError must come out as itself
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return [replies[place] for place in range(len(asks))]


def _failed(reply: Reply) -> bool:
    return reply.error is not None and reply.error != OUT_OF_BUDGET  # money is counted, and missed, elsewhere


def _prediction(prompt: Prompt, reply: Reply, task: Task, cost_usd: float) -> Prediction:
    answer = task.read(reply.text).answer
    return Prediction(
        prompt_id=prompt.id,
        answer=answer,
        confidence=0.0 if answer is None else 1.0,
        cost_usd=cost_usd,
        latency_ms=reply.latency_ms if reply.error is None else None,
    )


def _cost(ask: Ask, reply: Reply, price: Price | None) -> float:
    """Return what the reply costs in production: one from the cache was free here, but would not be there."""
    if not reply.cached or price is None:
        return reply.cost_usd
    sent = sum(prices.tokens(message.content) for message in ask.messages)
    return prices.cost(
        price,
        sent if reply.input_tokens is None else reply.input_tokens,
        prices.tokens(reply.text or "") if reply.output_tokens is None else reply.output_tokens,
    )
