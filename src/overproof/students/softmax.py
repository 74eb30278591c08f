"""Softmax regression: the loss, its slope, and the point where it is least; and texts as sparse features.

Everything is float32 with sums in float64, and no step depends on how many threads BLAS has: the same data give the
same weights.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float32]
Matrix = sparse.csr_array[Any, tuple[int, int]]
Loss = Callable[[Floats], tuple[float, Floats]]

FIRST_STEP = 8.0
"""A text has length 1, so the mean loss curves by at most 1/2 and a step of 2 always descends; longer ones often do."""


class Features(Protocol):
    """Texts as rows of features, however they are kept; a row's length is about 1."""

    @property
    def width(self) -> int:
        """Return the number of features."""

    def logits(self, weights: Floats) -> Floats:
        """Return shape (texts, labels) for `weights` of shape (width + 1, labels); the last row is the bias."""

    def slope(self, blame: Floats) -> Floats:
        """Return the slope by `weights`, given `blame`: the slope by `logits`."""


@dataclass(frozen=True)
class Design:
    """Texts as bags of units, units as bags of features: features of a text = texts @ units."""

    texts: Matrix
    """Shape (texts, units)."""
    units: Matrix
    """Shape (units, features)."""

    @property
    def width(self) -> int:
        """Return the number of features."""
        return self.units.shape[1]

    @cached_property
    def texts_by_unit(self) -> Matrix:
        """Return `texts`, transposed."""
        return self.texts.T.tocsr()

    @cached_property
    def units_by_feature(self) -> Matrix:
        """Return `units`, transposed."""
        return self.units.T.tocsr()

    def logits(self, weights: Floats) -> Floats:
        """Return shape (texts, labels) for `weights` of shape (features + 1, labels); the last row is the bias."""
        found: Floats = self.texts @ (self.units @ weights[:-1])
        found += weights[-1]
        return found

    def slope(self, blame: Floats) -> Floats:
        """Return the slope by `weights`, given `blame`: the slope by `logits`."""
        found = np.empty((self.width + 1, blame.shape[1]), dtype=np.float32)
        found[:-1] = self.units_by_feature @ (self.texts_by_unit @ blame)
        found[-1] = blame.sum(axis=0, dtype=np.float64)
        return found


def bags(held: Sequence[Sequence[int]], width: int) -> Matrix:
    """Return a matrix with a row for each of `held`, 1 at the columns it names."""
    ends = np.cumsum([0, *map(len, held)])
    columns = np.fromiter((column for bag in held for column in bag), dtype=np.int32, count=int(ends[-1]))
    return sparse.csr_array((np.ones(len(columns), dtype=np.float32), columns, ends), shape=(len(held), width))


def loss(features: Features, targets: Floats, share: Floats, penalty: float, margin: float = 0.0) -> Loss:
    """Return the penalised mean cross-entropy and its slope, as a function of weights (features + 1, labels).

    `targets` has shape (texts, labels), rows summing to 1; `share`, shape (texts,), sums to 1. The bias, the last row
    of the weights, is not penalised. With a `margin`, what is not wanted is given that head start (softmax-margin,
    Gimpel & Smith 2010): a text goes on teaching until its answer leads by as much.
    """
    column, head_start = share[:, None], np.float32(margin) * (1 - targets)

    def value_and_slope(weights: Floats) -> tuple[float, Floats]:
        scores = features.logits(weights)
        scores += head_start
        scores -= scores.max(axis=1, keepdims=True)
        fit = (targets * scores).sum(axis=1)
        np.exp(scores, out=scores)
        total = scores.sum(axis=1, keepdims=True)
        value = float(np.sum(share * (np.log(total[:, 0]) - fit), dtype=np.float64))
        scores /= total
        scores -= targets
        scores *= column
        slope = features.slope(scores)
        slope[:-1] += np.float32(penalty) * weights[:-1]
        return value + penalty / 2 * _inner(weights[:-1], weights[:-1]), slope

    return value_and_slope


def minimise(loss: Loss, start: Floats, *, steps: int = 100, memory: int = 6, tolerance: float = 1e-4) -> Floats:
    """Return about where a convex `loss` is least, from `start`: L-BFGS with backtracking.

    Nocedal & Wright (2006), algorithms 7.4 and 3.1. It stops when a step gains less than `tolerance` of the loss; the
    first `memory` steps do not count, for they know too little of the curvature to be good ones.
    """
    point = start
    value, slope = loss(point)
    moves: deque[tuple[Floats, Floats, float]] = deque(maxlen=memory)
    for _ in range(steps):
        way = _downhill(slope, moves)
        length, fall = 1.0 if moves else FIRST_STEP, _inner(slope, way)
        while True:
            tried = point + np.float32(length) * way
            new_value, new_slope = loss(tried)
            if new_value <= value + 1e-4 * length * fall:
                break
            length /= 2
            if length < 1e-6:
                return point  # float32 has no finer step to offer
        _remember(moves, tried - point, new_slope - slope)
        gained = value - new_value
        point, value, slope = tried, new_value, new_slope
        if gained <= tolerance * abs(value) and len(moves) == memory:
            break
    return point


def _downhill(slope: Floats, moves: deque[tuple[Floats, Floats, float]]) -> Floats:
    """Return minus the slope, bent by the curvature that the last moves met."""
    way = -slope
    pulls = []
    for move, change, curve in reversed(moves):
        pull = _inner(move, way) / curve
        way -= np.float32(pull) * change
        pulls.append(pull)
    if moves:
        _, change, curve = moves[-1]
        way *= np.float32(curve / _inner(change, change))
    for (move, change, curve), pull in zip(moves, reversed(pulls), strict=True):
        way += np.float32(pull - _inner(change, way) / curve) * move
    return way


def _remember(moves: deque[tuple[Floats, Floats, float]], move: Floats, change: Floats) -> None:
    curve = _inner(move, change)
    if curve > 0:
        moves.append((move, change, curve))


def _inner(one: Floats, other: Floats) -> float:
    """Return the inner product; row by row, for a long BLAS dot is cut up differently for every number of threads."""
    return float(np.vecdot(one, other).sum(dtype=np.float64))
