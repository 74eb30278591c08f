"""How many requests may be in flight: fewer when the provider pushes back, more again as it answers."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType


class Pace:
    """The policy: halve when pushed back, one more after a round of successes, never above the ceiling.

    A push-back on a request that was sent before the last halving says nothing new. So each request notes the
    `epoch` it was sent in, and only a push-back from the present epoch counts: at most one halving a round trip.
    """

    def __init__(self, ceiling: int) -> None:
        self.ceiling = max(1, ceiling)
        self.limit = self.ceiling
        self.epoch = 0
        self._successes = 0

    def pushed_back(self, epoch: int) -> None:
        """Take note that a request sent in `epoch` was refused for coming too fast."""
        if epoch != self.epoch:
            return
        self.limit = max(1, self.limit // 2)
        self.epoch += 1
        self._successes = 0

    def succeeded(self) -> None:
        """Take note of an answer."""
        if self.limit == self.ceiling:
            return
        self._successes += 1
        if self._successes >= self.limit:
            self.limit += 1
            self._successes = 0


class Gate:
    """Lets as many through at once as the pace allows, first come, first served: `async with gate: ...`."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.inside = 0

    async def __aenter__(self) -> None:
        if self.inside < self._pace.limit and not self._waiting:
            self.inside += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the place was already handed over: hand it on
                self._leave()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        """Give up a place, then hand out every place that is free: the limit may have risen meanwhile."""
        self.inside -= 1
        while self._waiting and self.inside < self._pace.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self.inside += 1
                turn.set_result(None)
