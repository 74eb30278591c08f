"""Read the test candidate by candidate, in the order fixed on `calibrate`, until the first that is not proven."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from overproof.evaluate.evaluate import Evaluation
from overproof.proof import selection


def tested(order: Sequence[str], test: Callable[[str], Evaluation]) -> dict[str, Evaluation]:
    """Return the evaluation of each candidate that was tested, by name, in order.

    Each is tested at the full level of its family, and the chance that any false one is proven is still at most that
    level: up to the first false one nothing can go wrong, and that one stops the sequence unless it is proven. `test`
    is not called for candidates after the first that is not proven.
    """
    found: dict[str, Evaluation] = {}

    def outcomes() -> Iterator[bool]:
        for name in order:
            found[name] = test(name)
            yield found[name].proven

    selection.fixed_sequence(outcomes())
    return found
