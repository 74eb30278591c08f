"""Known worlds to measure guarantees in: traffic whose truth is computed from the process, not from what was drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from overproof.core.types import Record

Floats = NDArray[np.float64]


class Traffic(Record):
    """Heavy-tailed, clustered traffic: units of size N with P(N >= k) = k**-tail, up to `largest` requests.

    A unit has its own accuracy, Beta-distributed around `small` (or `large`, from `cut` requests on: size and score go
    together) with Beta parameters summing to `spread`; its requests are right with that chance.
    """

    small: float = 0.93
    large: float = 0.85
    cut: int = 4
    tail: float = 1.2
    largest: int = 2000
    """1 makes every unit a single request: independent and identically distributed scores."""
    spread: float = 1.0
    """Near 0: all requests of a unit share one fate. Large: they are independent."""

    def sizes(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.int64]:
        """Draw unit sizes."""
        largest = np.minimum(rng.random(shape) ** (-1 / self.tail), self.largest)
        return largest.astype(np.int64)

    def accuracy(self, sizes: ArrayLike) -> Floats:
        """Return the mean accuracy of units of these sizes."""
        return np.where(np.asarray(sizes) < self.cut, self.small, self.large)

    def draw(self, rng: np.random.Generator, worlds: int, units: int) -> tuple[Floats, NDArray[np.int64]]:
        """Draw mean scores and counts of units, both of shape (worlds, units)."""
        n = self.sizes(rng, (worlds, units))
        mean = self.accuracy(n)
        rate = rng.beta(self.spread * mean, self.spread * (1 - mean)) if mean.min() > 0 and mean.max() < 1 else mean
        return rng.binomial(n, rate) / n, n

    def mean(self, by_size: ArrayLike, n_max: int) -> float:
        """Return the mean of a quantity weighted by min(N, n_max); `by_size` holds it for N = 1 .. largest."""
        reached = self.every_size() ** -self.tail
        weight = (reached - np.append(reached[1:], 0.0)) * np.minimum(self.every_size(), n_max)
        return float((weight * by_size).sum() / weight.sum())

    def every_size(self) -> Floats:
        """Return the sizes a unit can have."""
        return np.arange(1.0, self.largest + 1)

    def truth(self, n_max: int) -> float:
        """Return the accuracy weighted by min(N, n_max), summed over the law of N."""
        return self.mean(self.accuracy(self.every_size()), n_max)


class Confidences(Record):
    """Requests with a noisy confidence: uniform in [0, 1], and right with a chance that rises with it, but not only."""

    worst: float = 0.3
    """Chance of being wrong at confidence 0, on top of the noise."""
    bend: float = 2.0
    """How fast that falls: as (1 - confidence)**bend."""
    noise: float = 0.005
    """Chance of being wrong at any confidence, as when the teacher itself errs."""
    dip: float = 0.0
    """Chance lost between confidences 0.90 and 0.93: a mistake the student is sure of."""

    def right(self, confidence: Floats) -> Floats:
        """Return the chance of being right at these confidences."""
        wrong = self.noise + self.worst * (1 - confidence) ** self.bend
        return 1 - wrong - self.dip * ((confidence >= 0.90) & (confidence < 0.93))

    def draw(self, rng: np.random.Generator, units: int) -> tuple[Floats, NDArray[np.bool_]]:
        """Draw confidences and whether each was right, shape (units,)."""
        confidence = rng.random(units)
        return confidence, rng.random(units) < self.right(confidence)

    def risk(self, threshold: float, points: int = 4000) -> float:
        """Return the error rate among requests at or above `threshold`, by quadrature."""
        middles = threshold + (1 - threshold) * (np.arange(points) + 0.5) / points
        return float(1 - self.right(middles).mean())

    def oracle(self, alpha: float) -> float:
        """Return the largest coverage whose error rate is at most `alpha`, for one who knows the process."""
        safe = [t for t in np.linspace(0, 1, 1001)[:-1] if self.risk(float(t)) <= alpha]
        return 1 - min(safe, default=1.0)
