"""Models to test with: one in this process, and a server on real HTTP that fails in every way a provider does."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Literal

from aiohttp import web

from overproof.core.chance import digest, draw
from overproof.core.protocols import Ask, Reply
from overproof.models import serving
from overproof.models.prices import tokens

FaultName = Literal["busy", "broken", "hang", "truncated", "garbage", "reset", "slow"]
"""429, 500, no answer, half a body, a body that is not JSON, a connection cut; `slow` is late but whole."""


class FakeModel:
    """A `Model` that answers from a function or from a mapping by the last message; counts what it was asked.

    A mapping may hold several samples for one text; past the last it starts again. Each answer costs `cost_usd`.
    """

    def __init__(
        self,
        answers: Callable[[Ask], str | None] | Mapping[str, str | Sequence[str]],
        *,
        name: str = "fake",
        cost_usd: float = 0.0,
    ) -> None:
        self._answers = answers
        self._name = name
        self._cost_usd = cost_usd
        self.asked: list[Ask] = []

    @property
    def identity(self) -> str:
        """`fake|name`."""
        return f"fake|{self._name}"

    async def ask(self, ask: Ask) -> Reply:
        """Answer at once, or say that there is no answer."""
        self.asked.append(ask)
        text = self._text(ask)
        if text is None:
            return Reply(text=None, error="the fake model has no answer to this")
        return Reply(
            text=text,
            finish_reason="stop",
            input_tokens=sum(tokens(message.content) for message in ask.messages),
            output_tokens=tokens(text),
            cost_usd=self._cost_usd,
            answered_by=self._name,
        )

    def _text(self, ask: Ask) -> str | None:
        if callable(self._answers):
            return self._answers(ask)
        found = self._answers.get(ask.messages[-1].content if ask.messages else "")
        if found is None or isinstance(found, str):
            return found
        return found[ask.sample % len(found)] if found else None


class FaultyServer:
    """An OpenAI-compatible server that fails by plan: `async with server.listening() as base_url: ...`.

    `shares` gives the chance of each fault. Which one an attempt meets is a hash of the request and of how often it was
    tried, so a test can be repeated; after `in_a_row` faults the request is answered.

    `answered` counts the whole answers that went out: what a provider would bill.
    """

    def __init__(
        self,
        answers: serving.Answer,
        shares: Mapping[FaultName, float] | None = None,
        *,
        seed: str = "faults",
        in_a_row: int = 3,
        retry_after_s: float = 0.02,
        hang_s: float = 60.0,
        slow_s: float = 0.05,
        models: Sequence[str] = ("fake",),
    ) -> None:
        if math.fsum((shares or {}).values()) > 1:
            raise ValueError("the shares of the faults add up to more than 1")
        self._answers = answers
        self._shares = dict(shares or {})
        self._seed = seed
        self._in_a_row = in_a_row
        self._retry_after_s = retry_after_s
        self._hang_s = hang_s
        self._slow_s = slow_s
        self._models = tuple(models)
        self._tries: Counter[str] = Counter()
        self._changed = asyncio.Condition()
        self.faults: Counter[str] = Counter()
        self.answered = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.requests: Counter[str] = Counter()
        """Whole answers by digest of the request body."""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Serve until left; yields the base URL."""
        async with serving.listening(self._completions, self._models) as base_url:
            yield base_url

    async def until(self, answered: int) -> None:
        """Return as soon as so many answers have gone out."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.answered >= answered)

    def fault(self, request: str, attempt: int) -> FaultName | None:
        """Return what attempt number `attempt` (from 0) at `request` meets."""
        if attempt >= self._in_a_row:
            return None
        place = draw(self._seed, f"{request}:{attempt}")
        for name, share in self._shares.items():
            if place < share:
                return name
            place -= share
        return None

    async def _completions(self, request: web.Request) -> web.StreamResponse:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._respond(request, await request.read())
        finally:
            self.in_flight -= 1

    async def _respond(self, request: web.Request, data: bytes) -> web.StreamResponse:
        body = serving.parsed(data)
        if isinstance(body, web.Response):
            return body
        name = digest(data)
        attempt = self._tries[name]
        self._tries[name] += 1
        if (fault := self.fault(name, attempt)) is not None:
            self.faults[fault] += 1
        text = self._answers(body)
        if text is None:
            return serving.error(404, "there is no answer to this", "recording_not_found")
        answer = serving.completion(body, text)
        if fault is not None and fault != "slow":
            return await self._fail(request, fault, answer)
        if fault == "slow":
            await asyncio.sleep(self._slow_s)
        return await self._send(request, name, answer)

    async def _send(self, request: web.Request, name: str, answer: bytes) -> web.StreamResponse:
        """Send a whole answer, and count it once the last byte is handed to the network."""
        response = web.Response(body=answer, content_type=serving.JSON)
        await response.prepare(request)
        await response.write_eof()
        self.answered += 1
        self.requests[name] += 1
        async with self._changed:
            self._changed.notify_all()
        return response

    async def _fail(self, request: web.Request, fault: FaultName, answer: bytes) -> web.StreamResponse:
        match fault:
            case "busy":
                wait = {"Retry-After": f"{self._retry_after_s:g}"}
                return serving.error(429, "too many requests", "rate_limit_exceeded", wait)
            case "broken":
                return serving.error(500, "something broke", "server_error")
            case "garbage":
                return web.Response(body=b"<html>502 Bad Gateway</html>", content_type="text/html")
            case "hang":
                await asyncio.sleep(self._hang_s)
        response = web.StreamResponse(headers={"Content-Type": serving.JSON, "Content-Length": str(len(answer))})
        if fault == "truncated":
            await response.prepare(request)
            await response.write(answer[: len(answer) // 2])
        if request.transport is not None:
            request.transport.close() if fault == "truncated" else request.transport.abort()
        return response
