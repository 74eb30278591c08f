"""The ceiling on agreement with one teacher sample."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.proof import binomial
from overproof.proof.ceiling import upper_bound


@given(st.lists(st.lists(st.floats(0.01, 1), min_size=1, max_size=5), min_size=1, max_size=20))
def test_no_single_answer_agrees_more_often_than_the_root_of_self_agreement(prompts: list[list[float]]) -> None:
    shares = [np.array(p) / sum(p) for p in prompts]

    assert np.mean([p.max() for p in shares]) <= np.sqrt(np.mean([(p**2).sum() for p in shares])) + 1e-12


@given(st.integers(0, 500), st.integers(0, 500), st.floats(0.01, 0.2))
def test_the_bound_is_above_what_was_seen_and_at_most_one(agreeing: int, apart: int, delta: float) -> None:
    pairs = agreeing + apart
    bound = upper_bound(agreeing, pairs, delta)

    assert bound <= 1
    assert bound**2 == pytest.approx(float(binomial.upper(agreeing, pairs, delta)))
    assert bound >= (np.sqrt(agreeing / pairs) if pairs else 1)
