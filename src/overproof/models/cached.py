"""A model that remembers: what was paid for once is never bought again."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from overproof.core.chance import canonical, digest
from overproof.core.protocols import Ask, Model, Reply
from overproof.models import journal, wire
from overproof.models.journal import Entry, Journal

_encode = msgspec.json.Encoder().encode
_sorted = msgspec.json.Encoder(order="sorted").encode


def key(identity: str, ask: Ask, send_metadata: Collection[str] | None = None) -> str:
    """Return the key of an answer: model and endpoint, every message, every parameter, metadata that is sent, sample.

    `send_metadata` are the metadata keys that reach the model; None when all do.
    """
    metadata = ask.metadata if send_metadata is None else wire.sendable(ask.metadata, send_metadata)
    parameters = _canonical(_encode(ask.parameters))
    return digest(_sorted((identity, parameters, ask.sample, metadata, ask.messages)))


@lru_cache(maxsize=1024)
def _canonical(encoded: bytes) -> msgspec.Raw:
    """Return the one spelling of parameters: 0.0 is 0, order is no matter. Few different ones stand in many asks."""
    return msgspec.Raw(canonical(msgspec.json.decode(encoded)))


class Cached:
    """A `Model` around another: `with Cached(model, path) as model: ...`.

    Answers are kept at `path` as they come, one line each; failures are not kept. Equal asks under way at the same time
    are bought once. `lookup` also works before it is entered, and then takes no lock.
    """

    def __init__(self, model: Model, path: Path, *, send_metadata: Collection[str] | None = None) -> None:
        self._model = model
        self._path = path
        self._send_metadata = send_metadata
        self._identity = model.identity
        self._known: dict[str, Entry] | None = None
        self._spent = 0.0
        self._journal: Journal | None = None
        self._under_way: dict[str, asyncio.Future[Reply | None]] = {}

    @property
    def identity(self) -> str:
        """That of the model inside."""
        return self._identity

    @property
    def spent(self) -> float:
        """Dollars that everything in the file cost, over all runs and models."""
        self._load()
        return self._spent

    def __repr__(self) -> str:
        return f"Cached({self._model!r})"

    def __enter__(self) -> Self:
        self._journal = Journal(self._path)
        self._known, self._spent = {}, 0.0  # under the lock the file cannot change any more: read it afresh
        self._remember(self._known, self._journal.entries)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def lookup(self, ask: Ask) -> Reply | None:
        """Return the answer if it was paid for before, without asking anyone."""
        entry = self._load().get(key(self._identity, ask, self._send_metadata))
        return entry.reply() if entry else None

    async def ask(self, ask: Ask) -> Reply:
        """Answer from the file, from an equal ask under way, or from the model inside."""
        assert self._journal is not None, "a cache is entered before it is asked"
        wanted = key(self._identity, ask, self._send_metadata)
        known = self._load()
        while True:
            if (entry := known.get(wanted)) is not None:
                return entry.reply()
            if (under_way := self._under_way.get(wanted)) is None:
                return await self._buy(wanted, ask, self._journal)
            if (reply := await asyncio.shield(under_way)) is not None:
                return msgspec.structs.replace(reply, cost_usd=0.0, cached=reply.error is None)

    async def _buy(self, wanted: str, ask: Ask, kept: Journal) -> Reply:
        """Ask the model inside, and keep the answer before anyone sees it."""
        under_way = self._under_way[wanted] = asyncio.get_running_loop().create_future()
        reply = None
        try:
            reply = await self._model.ask(ask)
            if reply.error is None:
                entry = Entry.of(wanted, reply, ask.about)
                kept.append(entry)
                self._remember(self._load(), [entry])
            return reply
        finally:
            del self._under_way[wanted]
            under_way.set_result(reply)  # None: it was called off, so whoever waits asks for itself

    def _load(self) -> dict[str, Entry]:
        if self._known is None:
            self._known = {}
            self._remember(self._known, journal.read(self._path))
        return self._known

    def _remember(self, known: dict[str, Entry], entries: Iterable[Entry]) -> None:
        for entry in entries:
            known[entry.key] = entry
            self._spent += entry.cost_usd
