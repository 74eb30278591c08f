from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import msgspec
import pytest
from aiohttp import web

from overproof.core.errors import MissingSecret, UserError
from overproof.core.protocols import Ask, Reply
from overproof.core.types import EndpointOptions, Price
from overproof.models import serving
from overproof.models.endpoint import Endpoint
from overproof.models.fake import FaultName, FaultyServer

KEY = "sk-very-secret-0123456789"
PRICE = Price(input=1.0, output=2.0)

Options = Callable[..., EndpointOptions]
Question = Callable[..., Ask]


Response = tuple[int, bytes, dict[str, str]]
"""Status, body, headers."""


class Scripted:
    """A server that gives the responses it was told, one after the other, the last one for ever."""

    def __init__(self, *script: Response) -> None:
        self.script = list(script)
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        async def completions(request: web.Request) -> web.StreamResponse:
            self.bodies.append(msgspec.json.decode(await request.read()))
            self.headers.append({name.lower(): value for name, value in request.headers.items()})
            status, body, headers = self.script[min(len(self.bodies), len(self.script)) - 1]
            return web.Response(status=status, body=body, headers=headers, content_type="application/json")

        async with serving.listening(completions, ["fake"]) as base_url:
            yield base_url


def says(text: str) -> Response:
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 100, "completion_tokens": 10}
    return 200, msgspec.json.encode({"model": "fake-2026", "choices": [choice], "usage": usage}), {}


def fails(status: int, message: str = "no", code: str | None = None, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, msgspec.json.encode({"error": {"message": message, "code": code}}), named


def model(options: EndpointOptions, url: str, key: str | None = None) -> Endpoint:
    return Endpoint(options, key, PRICE, url=url, rng=Random(1), first_pause_s=0.001)


def asked(server: Scripted | FaultyServer, options: EndpointOptions, *asks: Ask, key: str | None = None) -> list[Reply]:
    """Ask all at once, over real HTTP."""

    async def play() -> list[Reply]:
        async with server.listening() as url, model(options, url, key) as endpoint:
            return await asyncio.gather(*map(endpoint.ask, asks))

    return asyncio.run(play())


def test_an_answer_comes_back_with_what_it_took(options: Options, question: Question) -> None:
    server = Scripted(says("billing"))

    [reply] = asked(server, options(), question("where is my invoice?", parameters={"max_tokens": 8}), key=KEY)

    assert (reply.text, reply.finish_reason, reply.error, reply.answered_by) == ("billing", "stop", None, "fake-2026")
    assert reply.cost_usd == pytest.approx(0.00012)
    assert reply.latency_ms > 0
    assert server.bodies == [
        {"model": "fake", "messages": [{"role": "user", "content": "where is my invoice?"}], "max_tokens": 8}
    ]
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


def test_every_prompt_is_answered_through_every_kind_of_fault(options: Options, question: Question) -> None:
    shares: dict[FaultName, float] = {
        "busy": 0.1,
        "broken": 0.1,
        "truncated": 0.1,
        "garbage": 0.1,
        "reset": 0.1,
        "hang": 0.05,
        "slow": 0.1,
    }
    server = FaultyServer(lambda body: f"to {body['messages'][-1]['content']}", shares, hang_s=30, slow_s=0.01)
    asks = [question(str(i)) for i in range(150)]

    replies = asked(server, options(timeout_s=0.4, attempts=6), *asks)

    assert [reply.text for reply in replies] == [f"to {i}" for i in range(150)]
    assert set(server.faults) == set(shares)
    assert all(count == 1 for count in server.requests.values())


def test_never_more_under_way_than_allowed(options: Options, question: Question) -> None:
    server = FaultyServer(lambda _: "yes", {"slow": 0.9}, slow_s=0.002)

    asked(server, options(at_once=5), *(question(str(i)) for i in range(60)))

    assert server.most_in_flight == 5


def test_being_pushed_back_means_fewer_at_once(options: Options, question: Question) -> None:
    server = Scripted(fails(429, "slow down", retry_after="0.001"), says("yes"))

    async def play() -> int:
        async with server.listening() as url, model(options(at_once=8), url) as endpoint:
            await endpoint.ask(question())
            return endpoint._pace.limit

    assert asyncio.run(play()) == 4


def test_the_wait_that_was_asked_for_is_kept(options: Options, question: Question) -> None:
    server = Scripted(fails(429, retry_after="0.2"), fails(503, retry_after_ms="150"), says("yes"))
    began = time.monotonic()

    [reply] = asked(server, options(), question())

    assert reply.text == "yes"
    assert time.monotonic() - began >= 0.35


def test_what_never_comes_is_a_row_with_a_reason(options: Options, question: Question) -> None:
    server = Scripted(fails(500, "out of order"))

    [reply] = asked(server, options(attempts=3), question())

    assert reply.text is None
    assert reply.error == "HTTP 500: out of order (tried 3 times)"
    assert len(server.bodies) == 3


def test_a_prompt_the_provider_cannot_take_is_a_row_and_is_not_tried_again(
    options: Options, question: Question
) -> None:
    server = Scripted(fails(400, "too long"))

    [reply] = asked(server, options(), question())

    assert reply.error == "HTTP 400: too long"
    assert len(server.bodies) == 1


def test_no_answer_in_time_is_a_row(options: Options, question: Question) -> None:
    server = FaultyServer(lambda _: "yes", {"hang": 1.0}, in_a_row=99, hang_s=30)

    [reply] = asked(server, options(timeout_s=0.05, attempts=2), question())

    assert reply.error == "no answer within 0.05 s (tried 2 times)"


def test_an_address_where_nobody_listens_is_a_row(options: Options, question: Question) -> None:
    async def play() -> Reply:
        async with FaultyServer(lambda _: "").listening() as url:
            pass  # now the port is free again
        async with model(options(attempts=2), url) as endpoint:
            return await endpoint.ask(question())

    assert "ClientConnectorError" in (asyncio.run(play()).error or "")


def test_a_refused_key_stops_the_run_and_names_the_variable(options: Options, question: Question) -> None:
    server = Scripted(fails(401, f"Incorrect API key provided: {KEY}", "invalid_api_key"))

    with pytest.raises(UserError, match=r"refused the key .*check the key in the environment variable BIG_KEY") as told:
        asked(server, options(api_key_env="BIG_KEY"), question(), key=KEY)

    assert KEY not in str(told.value)
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("response", "sentence"),
    [
        ((403, "not allowed", None, {}), "refused the key"),
        ((404, "no such model", "model_not_found", {}), "has no model 'fake', or base_url is wrong"),
        ((402, "no credit left", None, {}), "wants to be paid"),
        ((429, "no credit left", "insufficient_quota", {}), "wants to be paid"),
        ((429, "daily limit", None, {"retry_after": "7200"}), "asks to wait 7200 s"),
    ],
)
def test_what_stops_every_row_stops_the_run(
    response: tuple[int, str, str | None, dict[str, str]], sentence: str, options: Options, question: Question
) -> None:
    status, message, code, headers = response

    with pytest.raises(UserError, match=sentence):
        asked(Scripted(fails(status, message, code, **headers)), options(), question())


def test_a_403_after_the_key_has_worked_costs_one_row(options: Options, question: Question) -> None:
    server = Scripted(says("yes"), fails(403, "flagged"))

    async def play() -> list[Reply]:
        async with server.listening() as url, model(options(), url) as endpoint:
            return [await endpoint.ask(question()), await endpoint.ask(question("something foul"))]

    assert [reply.error for reply in asyncio.run(play())] == [None, "HTTP 403: flagged"]


def test_the_key_is_nowhere_to_be_read(options: Options, question: Question) -> None:
    """Not in an error, even where the provider sends it back; not in a representation."""
    server = Scripted(fails(400, f"the header was Bearer {KEY}, which is odd"))

    [reply] = asked(server, options(), question(), key=KEY)

    assert reply.error == "HTTP 400: the header was Bearer [key], which is odd"
    assert KEY not in repr(Endpoint(options(), KEY, PRICE))


def test_a_newline_after_the_key_does_no_harm(options: Options, question: Question) -> None:
    server = Scripted(says("yes"))

    asked(server, options(), question(), key=f"{KEY}\n")

    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


def test_a_provider_that_refuses_seeds_is_asked_without(options: Options, question: Question) -> None:
    server = Scripted(fails(422, "extra fields: seed"), says("yes"))

    async def play() -> list[Reply]:
        async with server.listening() as url, model(options(), url) as endpoint:
            return [await endpoint.ask(question(sample=1)), await endpoint.ask(question(sample=2))]

    assert [reply.text for reply in asyncio.run(play())] == ["yes", "yes"]
    assert [body.get("seed") for body in server.bodies] == [1, None, None]


def test_a_seed_of_ones_own_that_is_refused_is_a_row(options: Options, question: Question) -> None:
    server = Scripted(fails(422, "extra fields: seed"))

    [reply] = asked(server, options(), question(parameters={"seed": 3}))

    assert reply.error == "HTTP 422: extra fields: seed"


def test_a_key_that_should_be_there_is_missed_before_anything_is_sent(options: Options) -> None:
    async def play() -> None:
        async with Endpoint(options(api_key_env="BIG_KEY"), None, PRICE):
            pass

    with pytest.raises(MissingSecret, match="BIG_KEY"):
        asyncio.run(play())


@pytest.mark.parametrize("base_url", ["ftp://models.test", "models.test/v1", "http://", None])
def test_an_address_that_cannot_be_is_refused_at_once(base_url: str | None, options: Options) -> None:
    with pytest.raises(UserError, match="base_url"):
        Endpoint(options(base_url=base_url), None, PRICE)


def test_a_password_in_the_address_is_refused_and_not_repeated(options: Options) -> None:
    with pytest.raises(UserError, match="environment variable") as told:
        Endpoint(options(base_url="https://me:hunter2@models.test/v1"), None, PRICE)

    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize(
    "base_url", ["https://models.test/v1", "https://models.test/v1/", "HTTPS://Models.Test:443/v1"]
)
def test_one_endpoint_has_one_identity_however_it_is_spelt(base_url: str, options: Options) -> None:
    assert Endpoint(options(base_url=base_url), None, PRICE).identity == "https://models.test/v1|fake"


def test_the_identity_is_not_the_place_a_replay_happens_to_listen_at(options: Options) -> None:
    replayed = options(base_url="replay:helpdesk")

    first = Endpoint(replayed, None, PRICE, url="http://127.0.0.1:1111/v1")
    second = Endpoint(replayed, None, PRICE, url="http://127.0.0.1:2222/v1")

    assert first.identity == second.identity == "replay:helpdesk|fake"


def test_a_query_in_the_address_is_kept(options: Options) -> None:
    endpoint = Endpoint(options(base_url="https://models.test/v1?api-version=2"), None, PRICE)

    assert str(endpoint._url) == "https://models.test/v1/chat/completions?api-version=2"
