"""Work over a range of items, on as many threads as were measured to help."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

TRIAL = 64
"""Items a thread count is tried on: at a millisecond each, long beside the start of a thread."""
PART = 16
"""Items a thread takes at a time."""
WORTH = 1.2
"""How much faster more threads must be: less may be chance, and leaves no core for others."""

Work = Callable[[int], None]
Tell = Callable[[int, int], None]


def silent(done: int, total: int) -> None:
    """Hear how many of how many items are done, and say nothing."""


class Crew:
    """Threads that share a range of items. What an item's work does must not depend on who does it, or when."""

    def __init__(self, cores: int | None = None) -> None:
        """Use `cores` threads at most; None: as many as this process may use."""
        self._cores = cores or available()
        self._chosen = 1 if self._cores == 1 else None

    @property
    def threads(self) -> int | None:
        """How many threads were found to be best; None before the first range that was long enough to find out."""
        return self._chosen

    def over(self, total: int, work: Work, tell: Tell = silent) -> None:
        """Call `work(item)` once for each item of range(total); `tell` hears of progress."""
        done = 0
        if self._chosen is None and total >= TRIAL * (len(self._counts()) + 1):
            done = self._try(total, work, tell)
        self._share(done, total, self._chosen or 1, work, tell)

    def _counts(self) -> list[int]:
        """Return the thread counts to compare: 1, 2, 4, ... and all cores."""
        powers = (1 << power for power in range(self._cores.bit_length()))
        return sorted({count for count in powers if count < self._cores} | {self._cores})

    def _try(self, total: int, work: Work, tell: Tell) -> int:
        """Do the first items with each thread count in turn, keep the best, and return how many were done."""
        best, done, rate = 1, 0, 0.0
        for count in self._counts():
            began = perf_counter()
            self._share(done, done + TRIAL, count, work)
            found = TRIAL / (perf_counter() - began)
            done += TRIAL
            tell(done, total)
            if found < rate * WORTH:
                break
            best, rate = count, found
        self._chosen = best
        return done

    def _share(self, start: int, stop: int, threads: int, work: Work, tell: Tell = silent) -> None:
        def part(first: int) -> int:
            for item in range(first, min(first + PART, stop)):
                work(item)
            return min(first + PART, stop)

        starts = range(start, stop, PART)
        if threads == 1 or len(starts) < 2:
            for first in starts:
                tell(part(first), stop)
            return
        with ThreadPoolExecutor(threads) as pool:
            for done in pool.map(part, starts):
                tell(done, stop)


def available() -> int:
    """Return how many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1
