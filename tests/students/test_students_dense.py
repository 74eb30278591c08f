from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overproof.students.dense import ROWS, WEIGHTS, Dense, Floats, Head, product
from overproof.students.softmax import loss, minimise

seeds = st.integers(0, 10_000)


def rows(seed: int, texts: int = 7, width: int = 24) -> Floats:
    """Return rows of length 1."""
    found = np.random.default_rng(seed).normal(size=(texts, width))
    unit: Floats = (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)
    return unit


def weights(seed: int, width: int = 24, labels: int = 5) -> Floats:
    return np.random.default_rng(seed + 1).normal(0, 30, size=(width, labels)).astype(np.float32)


@given(seeds)
def test_the_order_of_a_sum_changes_nothing(seed: int) -> None:
    """What BLAS adds first depends on threads, processor and batch; here it may."""
    given_rows, given_weights = rows(seed), weights(seed)
    order = np.random.default_rng(seed).permutation(24)

    assert np.array_equal(product(given_rows, given_weights), product(given_rows[:, order], given_weights[order]))


@given(seeds)
@settings(max_examples=10)
def test_a_product_is_exact_on_its_grid(seed: int) -> None:
    one, other = rows(seed, texts=1), weights(seed, labels=1)
    exact = sum(
        Fraction(round(float(x) * ROWS)) * Fraction(round(float(w) * WEIGHTS))
        for x, w in zip(one[0], other[:, 0], strict=True)
    )

    assert product(one, other)[0, 0] == np.float32(float(exact / Fraction(ROWS * WEIGHTS)))


@given(seeds)
def test_the_grid_is_finer_than_float32_tells(seed: int) -> None:
    given_rows, given_weights = rows(seed), weights(seed)

    assert product(given_rows, given_weights) == pytest.approx(
        given_rows.astype(np.float64) @ given_weights, abs=2e-3, rel=1e-4
    )


@given(seeds)
def test_a_row_is_read_the_same_alone_and_among_others(seed: int) -> None:
    head = Head(weights(seed), np.zeros(5, np.float32), 1.3)
    given_rows = rows(seed)

    together = head.logits(given_rows)

    assert all(np.array_equal(head.logits(row), read) for row, read in zip(given_rows, together, strict=True))


@given(seeds)
@settings(max_examples=20)
def test_the_slope_is_the_slope_of_the_loss(seed: int) -> None:
    rng = np.random.default_rng(seed)
    targets, share = rng.dirichlet(np.ones(5), size=7).astype(np.float32), rng.dirichlet(np.ones(7)).astype(np.float32)
    value_and_slope = loss(Dense(rows(seed)), targets, share, 0.01, 3.0)
    point, way = (rng.normal(size=(25, 5)).astype(np.float32) for _ in range(2))
    step = np.float32(1e-2)

    rise = (value_and_slope(point + step * way)[0] - value_and_slope(point - step * way)[0]) / (2 * step)

    assert rise == pytest.approx(float((value_and_slope(point)[1] * way).sum()), abs=2e-3)


def test_weights_stay_far_below_what_the_grid_can_hold() -> None:
    """The longest that any fit may end with: two rows that nothing but the weakest penalty tells apart."""
    apart = np.array([[1, 0], [0, 1]], dtype=np.float32)
    targets, share = np.eye(2, dtype=np.float32), np.full(2, 0.5, np.float32)

    found = minimise(loss(Dense(apart), targets, share, 1e-7, 3.0), np.zeros((3, 2), np.float32), steps=500)

    assert 0 < np.linalg.norm(found) < 2**13
