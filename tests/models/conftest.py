"""Servers and asks that the tests of models share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import web

from overproof.core.protocols import Ask
from overproof.core.types import EndpointOptions, Message
from overproof.models import serving


class Scripted:
    """A server that gives the responses it was told, one after the other, the last one for ever."""

    def __init__(self, *script: tuple[int, bytes, Mapping[str, str]]) -> None:
        self.script = list(script)
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        async def completions(request: web.Request) -> web.StreamResponse:
            self.bodies.append(msgspec.json.decode(await request.read()))
            self.headers.append({name.lower(): value for name, value in request.headers.items()})
            status, body, headers = self.script[min(len(self.bodies), len(self.script)) - 1]
            return web.Response(status=status, body=body, headers=dict(headers), content_type="application/json")

        async with serving.listening(completions, ["fake"]) as base_url:
            yield base_url


class Say:
    """Makes the responses of a `Scripted` server."""

    @staticmethod
    def text(text: str, **more: Any) -> tuple[int, bytes, Mapping[str, str]]:  # noqa: ANN401 - JSON
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 100, "completion_tokens": 10}
        return 200, msgspec.json.encode({"model": "fake-2026", "choices": [choice], "usage": usage} | more), {}

    @staticmethod
    def error(
        status: int, message: str = "no", code: str | None = None, **headers: str
    ) -> tuple[int, bytes, Mapping[str, str]]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return status, msgspec.json.encode({"error": {"message": message, "code": code}}), named

    @staticmethod
    def raw(data: bytes, status: int = 200) -> tuple[int, bytes, Mapping[str, str]]:
        return status, data, {}


Serve = Callable[..., Scripted]


@pytest.fixture
def say() -> type[Say]:
    return Say


@pytest.fixture
def scripted() -> type[Scripted]:
    return Scripted


@pytest.fixture
def question() -> Callable[..., Ask]:
    def make(text: str = "what is it?", **more: Any) -> Ask:  # noqa: ANN401 - an ask's own fields
        return Ask(messages=(Message(role="user", content=text),), **more)

    return make


@pytest.fixture
def options() -> Callable[..., EndpointOptions]:
    def make(**more: Any) -> EndpointOptions:  # noqa: ANN401 - the record's own fields
        return EndpointOptions(**({"model": "fake", "base_url": "http://models.test/v1", "attempts": 4} | more))

    return make


Listening = AbstractAsyncContextManager[str]
