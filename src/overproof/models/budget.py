"""Money that cannot be overspent: each call is reserved at its largest possible cost before it is sent."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

import msgspec

from overproof.core.protocols import Ask, Model, Reply
from overproof.core.types import Price
from overproof.models.prices import cost

OUT_OF_BUDGET = "budget"
"""The `error` of a reply that was not bought because it might have cost more than is left."""
LONGEST_ANSWER = 4096
"""Tokens an answer is reserved at when the request sets no limit of its own."""
TOKENS_PER_MESSAGE = 16
"""What a provider's own markup around a message comes to, at most."""

_encode = msgspec.json.Encoder().encode


class Purse:
    """What may be spent, in dollars: `spent` is settled, `reserved` is under way; both together never pass `limit`.

    That holds as long as no call costs more than was reserved for it.
    """

    def __init__(self, limit: float, spent: float = 0.0) -> None:
        self.limit = limit
        self.spent = spent
        self.reserved = 0.0
        self.exhausted = False
        """Some call had to be left out."""
        self._calls = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def __repr__(self) -> str:
        return f"Purse(limit={self.limit:.2f}, spent={self.spent:.4f}, reserved={self.reserved:.4f})"

    @property
    def left(self) -> float:
        """What is neither spent nor reserved."""
        return max(0.0, self.limit - self.spent - self.reserved)

    def take(self, most: float) -> bool:
        """Reserve `most` if it fits now."""
        if self.spent + self.reserved + most > self.limit:
            return False
        self.reserved += most
        self._calls += 1
        return True

    async def reserve(self, most: float) -> bool:
        """Reserve `most`; False when it cannot fit, even once all that is under way has turned out free.

        Calls mostly cost far less than was reserved, so one that does not fit now waits for others to settle.
        """
        while not self.take(most):
            if not self._calls or self.spent + most > self.limit:
                self.exhausted = True
                return False
            settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(settled)
            await settled
        return True

    def settle(self, most: float, paid: float) -> None:
        """Replace a reservation by what was paid."""
        self._calls -= 1
        self.reserved = self.reserved - most if self._calls else 0.0  # no rounding is left over when all is settled
        self.spent += paid
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(None)


class Budgeted:
    """A `Model` around another that stops asking before the purse could be overspent."""

    def __init__(self, model: Model, purse: Purse, price: Price) -> None:
        self._model = model
        self._purse = purse
        self._price = price

    @property
    def identity(self) -> str:
        """That of the model inside."""
        return self._model.identity

    def __repr__(self) -> str:
        return f"Budgeted({self._model!r}, {self._purse!r})"

    async def ask(self, ask: Ask) -> Reply:
        """Answer, or say `budget` without asking when the money might not do."""
        most = largest_cost(ask, self._price)
        if not (self._purse.take(most) or await self._purse.reserve(most)):
            return Reply(text=None, error=OUT_OF_BUDGET)
        paid = 0.0
        try:
            reply = await self._model.ask(ask)
            paid = reply.cost_usd
            return reply
        finally:
            self._purse.settle(most, paid)


def largest_cost(ask: Ask, price: Price) -> float:
    """Return the most that `ask` can cost in dollars, if all it sends is text.

    No tokeniser makes more tokens than there are bytes. Pictures and sound are priced otherwise and may cost more.
    """
    sent = len(_encode(ask.messages)) + len(_encode(ask.parameters)) + TOKENS_PER_MESSAGE * len(ask.messages)
    return cost(price, sent, longest_answer(ask.parameters))


def longest_answer(parameters: Mapping[str, Any], otherwise: int = LONGEST_ANSWER) -> int:
    """Return the tokens an answer may have at most, `otherwise` where the parameters do not say."""
    for name in ("max_completion_tokens", "max_tokens"):
        if isinstance(limit := parameters.get(name), int):
            return limit
    return otherwise
