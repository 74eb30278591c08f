"""From logits to chances: softmax, and a little for every label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

LEAST = np.float32(1e-6)
"""Chance that every label keeps: what training never saw is improbable, not impossible."""


def chances(logits: Floats) -> Floats:
    """Turn `logits`, shape (texts, labels), into chances in place, rows summing to 1, and return them."""
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    logits *= _most(logits.shape[1])
    logits += LEAST
    return logits


def top(logits: Floats) -> tuple[int, float]:
    """Return where `logits`, shape (labels,), are highest, and the chance there; they are used up."""
    best = int(logits.argmax())
    logits -= logits[best]
    chance = 1 / np.exp(logits, out=logits).sum()
    return best, float(chance * _most(len(logits)) + LEAST)


def _most(labels: int) -> np.float32:
    return np.float32(1) - LEAST * np.float32(labels)
