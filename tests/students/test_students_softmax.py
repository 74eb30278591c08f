from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from overproof.students.softmax import Design, Floats, loss, minimise


def a_design(rng: np.random.Generator, texts: int = 40, units: int = 9, features: int = 7) -> Design:
    bags = sparse.csr_array((rng.random((texts, units)) < 0.3).astype(np.float32))
    parts = sparse.csr_array((rng.random((units, features)) < 0.4).astype(np.float32))
    return Design(bags, parts)


def a_problem(seed: int, labels: int) -> tuple[Design, Floats, Floats]:
    rng = np.random.default_rng(seed)
    design = a_design(rng)
    targets = rng.dirichlet(np.ones(labels), size=40).astype(np.float32)
    return design, targets, rng.dirichlet(np.ones(40)).astype(np.float32)


@given(st.integers(0, 1000), st.integers(2, 5), st.sampled_from([0.0, 3.0]))
@settings(max_examples=20, deadline=None)
def test_the_slope_is_the_slope_of_the_loss(seed: int, labels: int, margin: float) -> None:
    design, targets, share = a_problem(seed, labels)
    value_and_slope = loss(design, targets, share, 0.01, margin)
    rng = np.random.default_rng(seed)
    point, way = (rng.normal(size=(8, labels)).astype(np.float32) for _ in range(2))
    step = np.float32(1e-2)

    rise = (value_and_slope(point + step * way)[0] - value_and_slope(point - step * way)[0]) / (2 * step)

    assert rise == pytest.approx(float((value_and_slope(point)[1] * way).sum()), abs=2e-3)


def test_the_least_loss_is_where_scikit_learn_finds_it() -> None:
    """The same convex problem has one answer, whoever solves it."""
    from sklearn.linear_model import LogisticRegression

    design, _, share = a_problem(3, 4)
    hard = np.random.default_rng(4).integers(4, size=40)
    targets, penalty = np.eye(4, dtype=np.float32)[hard], 0.01

    ours = minimise(loss(design, targets, share, penalty), np.zeros((8, 4), np.float32), steps=500, tolerance=1e-9)
    peer = LogisticRegression(C=1 / penalty, tol=1e-8, max_iter=10_000)
    peer.fit((design.texts @ design.units).toarray(), hard, sample_weight=share)

    chances = np.exp(design.logits(ours))
    chances /= chances.sum(axis=1, keepdims=True)
    assert chances == pytest.approx(peer.predict_proba((design.texts @ design.units).toarray()), abs=2e-3)


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_minimising_never_ends_above_where_it_started(seed: int) -> None:
    problem = loss(*a_problem(seed, 3), 1e-4)
    start = np.random.default_rng(seed).normal(size=(8, 3)).astype(np.float32)

    assert problem(minimise(problem, start))[0] <= problem(start)[0]


def test_a_stronger_penalty_leaves_smaller_weights() -> None:
    design, targets, share = a_problem(1, 3)
    start = np.zeros((8, 3), np.float32)

    weak, strong = (minimise(loss(design, targets, share, penalty), start)[:-1] for penalty in (1e-4, 1e-1))

    assert np.abs(strong).sum() < np.abs(weak).sum()


def test_a_margin_asks_for_a_lead() -> None:
    """Two texts that are told apart already go on teaching until the right label leads by the margin."""
    apart = sparse.csr_array(np.eye(2, dtype=np.float32))
    targets, share = np.eye(2, dtype=np.float32), np.full(2, 0.5, np.float32)

    leads = []
    for margin in (0.0, 10.0):
        fitted = minimise(loss(Design(apart, apart), targets, share, 1e-2, margin), np.zeros((3, 2), np.float32))
        logits = Design(apart, apart).logits(fitted)
        leads.append(logits[0, 0] - logits[0, 1])

    assert leads[1] > leads[0] + 5
