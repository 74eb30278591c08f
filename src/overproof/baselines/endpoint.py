"""The baseline that buys: a cheaper model off the shelf, asked exactly what the teacher was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import polars as pl

from overproof.core import tables
from overproof.core.errors import UserError
from overproof.core.protocols import Ask, Model, Reply, Task
from overproof.core.splits import Train
from overproof.core.types import EndpointOptions, Prediction, Price, Prompt, Record
from overproof.models import prices
from overproof.models.budget import OUT_OF_BUDGET

_HOPELESS = 25
"""When the first so many asks have all failed, the rest would too."""


class OffTheShelf(Record):
    """Asks a smaller model the same prompts, unchanged, and takes its answers as they come.

    No better prompt, no examples: what it reaches is the least such a model can do. It gives no confidence that could
    be had from every provider, so an answer that can be read has confidence 1 and one that cannot has no answer and
    confidence 0: it answers everything or nothing, and its calibration will say so. Cost and latency are those of the
    replies; a reply that comes out of the cache is counted at what it would cost to buy it.
    """

    model: str
    """Name the endpoint knows it by."""
    base_url: str
    """`https://host/v1`, or `replay:helpdesk` for the recorded demo models."""
    name: str = ""
    """Name in tables and report; left out, the model's."""
    api_key_env: str | None = None
    """Environment variable that holds the key; None for endpoints that need none."""
    price: Price | None = None
    """None: looked up by model name in a maintained price library."""
    send_metadata: tuple[str, ...] = ()
    """Metadata keys sent along when asking; most providers want none."""
    at_once: int = 16
    """Requests in flight at most."""
    timeout_s: float = 60.0
    """Seconds before one attempt is given up."""
    attempts: int = 6
    """Tries for each answer before the row is recorded as failed."""

    def __post_init__(self) -> None:
        """Take the model's name where none is given; raise UserError for numbers that allow no call."""
        if not self.name:
            msgspec.structs.force_setattr(self, "name", self.model)
        if self.at_once < 1 or self.attempts < 1 or self.timeout_s <= 0:
            raise UserError(f"baseline {self.name!r}: at_once, attempts and timeout_s must be positive")

    @property
    def endpoint(self) -> EndpointOptions | None:
        """Return what the model is reached by."""
        return EndpointOptions(
            **{field: getattr(self, field) for field in EndpointOptions.__struct_fields__}  # the same names by design
        )

    async def answer(self, prompts: pl.DataFrame, train: Train, task: Task, model: Model | None) -> pl.DataFrame:  # noqa: ARG002 - the seam
        """Return a table of `Prediction`, one row for each of `prompts`; a failed call has no answer.

        Raises:
            UserError: no model was handed in, or the first 25 asks all failed.
        """
        if model is None:
            raise UserError(f"baseline {self.name!r} asks a model, and was handed none")
        asked = list(tables.records(prompts, Prompt))
        asks = [self._ask(prompt) for prompt in asked]
        replies = await _ask_all(model, asks, self.at_once)
        price = self.price or prices.price(self.model, self.base_url)
        return tables.frame(
            (
                _prediction(prompt, reply, task, _cost(ask, reply, price))
                for prompt, ask, reply in zip(asked, asks, replies, strict=True)
            ),
            Prediction,
        )

    def _ask(self, prompt: Prompt) -> Ask:
        sent = {key: prompt.metadata[key] for key in self.send_metadata if key in prompt.metadata}
        return Ask(messages=prompt.messages, parameters=prompt.parameters, metadata=sent)


async def _ask_all(model: Model, asks: Sequence[Ask], at_once: int) -> list[Reply]:
    """Return the reply to each of `asks`, in their order, with at most `at_once` under way."""
    replies: dict[int, Reply] = {}
    waiting = iter(enumerate(asks))

    async def work() -> None:
        for place, ask in waiting:
            replies[place] = reply = await model.ask(ask)
            if len(replies) == _HOPELESS and all(map(_failed, replies.values())):
                raise UserError(f"the first {_HOPELESS} asks all failed, the last one so: {reply.error}")

    workers = [asyncio.create_task(work()) for _ in range(min(at_once, len(asks)))]
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
