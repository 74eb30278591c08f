"""Look among the inputs of train for the most similar one, timed as it would be served: one text at a time."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import NamedTuple

from overproof.core.protocols import Means
from overproof.models.embed import embedder
from overproof.models.neighbours import Neighbours

WARM_UP = 20
"""Texts looked up before the clock counts: caches and lazy imports are not what production pays."""


class Found(NamedTuple):
    """What lies nearest to a text, most similar first."""

    places: list[int]
    similarity: list[float]
    """In [-1, 1]; 0 where nothing is in common."""
    took_ms: float
    """Of one processor core: turning the text into a vector, and looking at every other."""


class Nearby:
    """The vectors of some inputs; of equally similar ones the first is nearer."""

    def __init__(self, inputs: Sequence[str], called: str, means: Means) -> None:
        """Take the inputs and the name of what turns them into vectors."""
        self._embedder = embedder(called, inputs, means.encoders)
        self._neighbours = Neighbours(self._embedder.embed(inputs))

    def nearest(self, texts: Sequence[str], k: int) -> list[Found]:
        """Return the `k` nearest inputs to each of `texts`."""
        for text in texts[:WARM_UP]:
            self._look_up(text, k)
        return [self._look_up(text, k) for text in texts]

    def _look_up(self, text: str, k: int) -> Found:
        began = perf_counter()
        near = self._neighbours.nearest(self._embedder.embed([text]), k)
        places, similarity = near.places[0].tolist(), near.similarity[0].tolist()
        return Found(places, similarity, (perf_counter() - began) * 1000)
