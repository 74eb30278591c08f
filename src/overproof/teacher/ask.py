"""Ask a model many things at once: bounded, watched, and safe to stop at any moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

from overproof.core.errors import UserError
from overproof.core.protocols import Ask, Model, Reply
from overproof.core.types import Completion, PromptId, Record
from overproof.models.budget import OUT_OF_BUDGET

AT_ONCE = 128
"""Asks under way at once; an endpoint lets fewer through by itself."""
HOPELESS = 25
"""When the first so many asks have all failed, the rest would too."""
EVERY_S = 0.1
"""Seconds between two reports of progress, at least."""


class Progress(Record):
    """How far the asking has come."""

    done: int
    total: int
    bought: int
    cached: int
    failed: int
    unaffordable: int
    """Not asked, because the budget might not have sufficed."""
    usd: float
    """Spent by this asking."""
    elapsed_s: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.done / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds that remain at this rate; None before there is one."""
        return (self.total - self.done) / self.rate if self.rate else None


Watch = Callable[[Progress], None]


async def ask(
    model: Model,
    asks: Sequence[tuple[PromptId, Ask]],
    progress: Watch | None = None,
    *,
    at_once: int = AT_ONCE,
    clock: Callable[[], float] = time.monotonic,
) -> list[Completion]:
    """Return one completion for each of `asks`, in their order; a row that failed says why in `error`.

    When it is called off, what was answered until then is in the model's cache. Raises `UserError` when no row can be
    answered: the model says so itself, or the first 25 asks all failed.
    """
    tally = _Tally(len(asks), progress, clock)
    replies: list[Reply | None] = [None] * len(asks)
    queue = (placed for placed in enumerate(asks))  # shared by all workers: each takes the next

    async def work() -> None:
        try:
            for place, (_, each) in queue:
                replies[place] = reply = await model.ask(each)
                tally.count(reply)
        except BaseException:
            queue.close()  # nothing more is asked, not even what would be answered without waiting
            raise

    await _together(work() for _ in range(min(max(1, at_once), len(asks))))
    tally.report()
    return [
        _completion(name, each, reply, model.identity)
        for (name, each), reply in zip(asks, replies, strict=True)
        if reply is not None  # never so here; said for the types
    ]


async def _together(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all; the first failure ends the others, and is raised as itself."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _completion(name: PromptId, ask: Ask, reply: Reply, identity: str) -> Completion:
    return Completion(
        prompt_id=name,
        sample=ask.sample,
        model=reply.answered_by or identity.rpartition("|")[2],
        text=reply.text,
        finish_reason=reply.finish_reason,
        error=reply.error,
        source="cache" if reply.cached else "asked",
        input_tokens=reply.input_tokens,
        output_tokens=reply.output_tokens,
        cost_usd=reply.cost_usd,
        latency_ms=reply.latency_ms if reply.error is None else None,
        logprob=reply.logprob,
    )


class _Tally:
    """Counts replies, and tells who watches now and then."""

    def __init__(self, total: int, watch: Watch | None, clock: Callable[[], float]) -> None:
        self._total = total
        self._watch = watch
        self._clock = clock
        self._began = self._told = clock()
        self._done = self._bought = self._cached = self._failed = self._unaffordable = 0
        self._usd = 0.0

    def count(self, reply: Reply) -> None:
        """Take note of one reply; raise when there is no hope left."""
        self._done += 1
        self._usd += reply.cost_usd
        if reply.error is None:
            self._cached += reply.cached
            self._bought += not reply.cached
        elif reply.error == OUT_OF_BUDGET:
            self._unaffordable += 1
        else:
            self._failed += 1
            if self._failed == self._done == HOPELESS:
                raise UserError(f"the first {HOPELESS} asks all failed, the last one so: {reply.error}")
        if self._watch is not None and (now := self._clock()) - self._told >= EVERY_S:
            self._told = now
            self.report()

    def report(self) -> None:
        """Tell how far it has come."""
        if self._watch is None:
            return
        self._watch(
            Progress(
                done=self._done,
                total=self._total,
                bought=self._bought,
                cached=self._cached,
                failed=self._failed,
                unaffordable=self._unaffordable,
                usd=self._usd,
                elapsed_s=self._clock() - self._began,
            )
        )
