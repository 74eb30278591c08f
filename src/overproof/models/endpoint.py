"""A model behind any OpenAI-compatible endpoint: asked politely, tried again, and accounted for."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from random import Random
from time import perf_counter
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from overproof.core.errors import MissingSecret, UserError
from overproof.core.protocols import Ask, Reply
from overproof.core.types import EndpointOptions, Price
from overproof.models import retry, wire
from overproof.models.limiter import Gate, Pace
from overproof.models.retry import Fault

FIRST_PAUSE_S = 0.5
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Endpoint:
    """A `Model` that asks over HTTP: `async with Endpoint(options, key, price) as model: ...`.

    `url` is where to reach it when that is not `options.base_url` itself (a replay server on a free port): the
    identity stays that of `base_url`, so that what was bought is found again.

    A row that cannot be had comes back as a reply with `error`. What no row can survive (a refused key, a model that is
    not there, no credit) raises `UserError`.
    """

    def __init__(
        self,
        options: EndpointOptions,
        key: str | None,
        price: Price | None,
        *,
        url: str | None = None,
        rng: Random | None = None,
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        if options.base_url is None:
            raise UserError(f"{options.model!r} cannot be asked: set its base_url in overproof.toml")
        self._options = options
        self._key = key.strip() if key else None  # secrets that come from files end in a newline
        self._price = price
        self._rng = rng or Random()  # noqa: S311 - jitter, not secrets
        self._first_pause_s = first_pause_s
        self._url = _completions(url or options.base_url)
        self._pace = Pace(options.at_once)
        self._gate = Gate(self._pace)
        self._seeded = True
        self._key_works = False
        self._session: aiohttp.ClientSession | None = None

    @property
    def identity(self) -> str:
        """`base_url|model`, with the address in one spelling."""
        return f"{_one_spelling(self._options.base_url or '')}|{self._options.model}"

    def __repr__(self) -> str:
        return f"Endpoint({self.identity!r})"

    async def __aenter__(self) -> Self:
        if self._options.api_key_env and not self._key:
            raise MissingSecret(self._options.api_key_env, f"asking {self._options.model!r}")
        headers = {"Content-Type": "application/json", "User-Agent": "overproof"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),  # the gate limits
            headers=headers,
            skip_auto_headers=("Accept", "Accept-Encoding"),  # answers are short: zipping them costs more than it saves
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._options.timeout_s),
            trust_env=self._url.host not in _LOOPBACK,  # companies have proxies
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(self, ask: Ask) -> Reply:
        """Answer, after as many tries as the options allow; what cannot be had is a reply with `error`."""
        async with self._gate:  # held through the pauses: who waits must not be replaced by another who pushes
            attempt = 0
            while True:
                outcome = await self._attempt(ask)
                if isinstance(outcome, Reply):
                    return outcome
                attempt += 1
                if outcome.then != "retry" or attempt >= self._options.attempts:
                    return self._given_up(outcome, attempt)
                await asyncio.sleep(retry.pause(attempt - 1, outcome.after_s, self._first_pause_s, self._rng))

    async def _attempt(self, ask: Ask) -> Reply | Fault:
        """Ask once."""
        assert self._session is not None, "an endpoint is entered before it is asked"
        epoch, seeded, began = self._pace.epoch, self._seeded, perf_counter()
        data = wire.body(self._options.model, ask, self._options.send_metadata, seeded=seeded)
        try:
            async with self._session.post(self._url, data=data) as response:
                status, headers, answer = response.status, response.headers, await response.read()
            if status == HTTPStatus.OK:
                reply = wire.reply(answer, ask, self._price, (perf_counter() - began) * 1000)
                self._pace.succeeded()
                self._key_works = True
                return reply
        except TimeoutError:
            return Fault(error=f"no answer within {self._options.timeout_s:g} s", then="retry")
        except (aiohttp.ClientError, OSError, wire.Unreadable) as broken:
            return Fault(error=f"{type(broken).__name__}: {broken}", then="retry")
        fault = retry.judge(status, headers, answer, key_works=self._key_works)
        if fault.pushed_back:
            self._pace.pushed_back(epoch)
        if ask.sample and seeded and fault.then == "give up" and "seed" in fault.error:
            self._seeded = False  # some providers refuse the parameter; their next draw differs without it
            return Fault(error=fault.error, then="retry", after_s=0.0)
        return fault

    def _given_up(self, fault: Fault, attempts: int) -> Reply:
        """Return the reply of a row that cannot be had; raise `UserError` when no row can."""
        error = fault.error.replace(self._key, "[key]") if self._key else fault.error
        if fault.then == "stop":
            raise UserError(self._advice(fault, error))
        return Reply(text=None, error=f"{error} (tried {attempts} times)" if attempts > 1 else error)

    def _advice(self, fault: Fault, error: str) -> str:
        """Return the sentence that says how to mend what stops every row."""
        where, variable = urlsplit(str(self._url)).netloc, self._options.api_key_env
        if fault.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            mend = f"check the key in the environment variable {variable}" if variable else "set api_key_env"
            return f"{where} refused the key for {self._options.model!r} (HTTP {fault.status}): {mend}"
        if fault.status == HTTPStatus.NOT_FOUND:
            return f"{where} has no model {self._options.model!r}, or base_url is wrong: {error}"
        if fault.after_s:
            return f"{where} asks to wait {fault.after_s:.0f} s: run again then; what was answered is kept ({error})"
        return f"{where} wants to be paid before it answers: {error}; what was answered is kept"


def _completions(base_url: str) -> URL:
    """Return the address that completions are asked at."""
    base = URL(base_url)
    if base.scheme not in ("http", "https") or not base.host:
        raise UserError(f"base_url is {base_url!r}, and must look like https://host/v1")
    if base.user or base.password:
        raise UserError(
            "base_url holds a password: put the key into an environment variable and name it in api_key_env"
        )
    return (base / "chat" / "completions").with_query(base.query)


def _one_spelling(base_url: str) -> str:
    """Return `base_url` in the spelling that all its equals share: case, default port, slash at the end."""
    url = URL(base_url)
    if url.scheme not in ("http", "https"):
        return base_url
    return str(url.with_port(None) if url.is_default_port() else url).rstrip("/")
