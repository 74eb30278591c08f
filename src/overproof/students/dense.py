"""Softmax regression on dense rows, to the last bit the same on any processor's BLAS, number of threads, batch size.

Floating-point sums depend on their order, and BLAS orders them by batch, threads and processor. So rows and weights
are rounded to a grid first, as whole numbers small enough that float64 holds every partial sum of their products
exactly: then there is no rounding, and no order to depend on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Whole = NDArray[np.float64]
"""Whole numbers, kept as float64 for the sake of BLAS."""

ROWS, WEIGHTS, BLAME = 2.0**20, 2.0**16, 2.0**32
"""Steps to 1. float64 counts to 2**53: a row of length 1 may meet weights as long as 2**17 (a penalty of 1e-7 leaves
them a tenth of that at most, for they cost more than all there is to gain), and blame that sums to 1."""


def whole(values: NDArray[np.floating], steps: float) -> Whole:
    """Return `values` in whole steps."""
    steps_off: Whole = np.multiply(values, steps, dtype=np.float64)
    return np.rint(steps_off, out=steps_off)


def product(rows: NDArray[np.floating], weights: NDArray[np.floating]) -> Floats:
    """Return rows @ weights, rounded to the grid and then exact; rows of length about 1."""
    return _narrow(whole(rows, ROWS) @ whole(weights, WEIGHTS), ROWS * WEIGHTS)


def _narrow(sums: Whole, steps: float) -> Floats:
    sums /= steps
    return sums.astype(np.float32)


class Dense:
    """Rows of length about 1 as features to learn from (`softmax.Features`)."""

    def __init__(self, rows: NDArray[np.floating]) -> None:
        """Take rows of shape (texts, width)."""
        self._rows = whole(rows, ROWS)

    @property
    def width(self) -> int:
        """Return the number of features."""
        return int(self._rows.shape[1])

    def logits(self, weights: Floats) -> Floats:
        """Return shape (texts, labels) for `weights` of shape (width + 1, labels); the last row is the bias."""
        found = _narrow(self._rows @ whole(weights[:-1], WEIGHTS), ROWS * WEIGHTS)
        found += weights[-1]
        return found

    def slope(self, blame: Floats) -> Floats:
        """Return the slope by `weights`, given `blame`: the slope by `logits`."""
        found = np.empty((self.width + 1, blame.shape[1]), dtype=np.float32)
        found[:-1] = _narrow(self._rows.T @ whole(blame, BLAME), ROWS * BLAME)
        found[-1] = blame.sum(axis=0, dtype=np.float64)
        return found


@dataclass(frozen=True)
class Head:
    """Reads answers off a dense row."""

    weights: Floats
    """Shape (width, labels), before the temperature."""
    bias: Floats
    """Shape (labels,); -inf for a label that was never seen."""
    temperature: float
    """What the logits are divided by."""

    def logits(self, rows: Floats) -> Floats:
        """Return the tempered logits of each label, shape (rows, labels)."""
        found = _narrow(whole(rows, ROWS) @ self._cold, ROWS * WEIGHTS)
        found += self._cold_bias
        return found

    @cached_property
    def _cold(self) -> Whole:
        return whole(self.weights / np.float32(self.temperature), WEIGHTS)

    @cached_property
    def _cold_bias(self) -> Floats:
        return (self.bias / np.float32(self.temperature)).astype(np.float32)
