"""Of many overlapping groups none is called unusual more often than said, and one that is, is found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.stats import binom, hypergeom

from overproof.proof.excess import adjusted

LEVEL, WORLDS = 0.05, 400


def groups(rng: np.random.Generator, n: int) -> csr_array:
    """Groups of all sizes, some nested, some nearly the same."""
    shares = (0.02, 0.05, 0.1, 0.3, 0.5, 0.9)
    inside = np.array([rng.random(n) < share for share in shares for _ in range(4)])
    nested = inside[:6] & (rng.random(n) < 0.9)
    return csr_array(np.concatenate([inside, nested]).T.astype(float))


@pytest.mark.parametrize(("n", "rate"), [(120, 0.04), (300, 0.2), (200, 0.6)])
def test_where_nothing_is_unusual_anything_is_found_no_more_often_than_said(n: int, rate: float) -> None:
    rng = np.random.default_rng(7)
    found = sum(
        bool((adjusted(rng.random(n) < rate, groups(rng, n), permutations=199, random=rng) <= LEVEL).any())
        for _ in range(WORLDS)
    )

    assert found <= binom.ppf(0.99, WORLDS, LEVEL)


def test_one_group_gets_its_hypergeometric_tail() -> None:
    rng = np.random.default_rng(0)
    wrong = np.arange(200) < 40
    inside = np.zeros((200, 1))
    inside[:15] = inside[100:130] = 1.0

    p = adjusted(wrong, csr_array(inside), permutations=20_000, random=rng)

    assert p[0] == pytest.approx(hypergeom.sf(14, 200, 40, 45), abs=0.005)


def test_a_bad_group_is_found_among_many() -> None:
    rng = np.random.default_rng(3)
    inside = groups(rng, 1000).toarray()
    wrong = rng.random(1000) < np.where(inside[:, 10] > 0, 0.35, 0.1)

    p = adjusted(wrong, csr_array(inside), permutations=999, random=rng)

    assert p.argmin() == 10
    assert p[10] <= 0.002


@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 5))
def test_p_values_are_chances_whatever_is_handed_in(n: int, errors: int, many: int) -> None:
    rng = np.random.default_rng(n * 41 + errors)
    inside = csr_array((rng.random((n, many)) < 0.5).astype(float))

    p = adjusted(np.arange(n) < errors, inside, permutations=50, random=rng)

    assert p.shape == (many,)
    assert ((p > 0) & (p <= 1)).all()


def test_fewer_errors_than_elsewhere_are_not_unusual() -> None:
    inside = np.zeros((300, 1))
    inside[:100] = 1.0

    p = adjusted(np.arange(300) >= 100, csr_array(inside), permutations=99, random=np.random.default_rng(0))

    assert p[0] == 1.0
