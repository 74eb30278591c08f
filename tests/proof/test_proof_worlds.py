"""The worlds guarantees are measured in: their truth is right."""

from __future__ import annotations

import numpy as np
import pytest

from overproof.proof import betting
from overproof.proof.worlds import Confidences, Traffic


@pytest.mark.parametrize("n_max", [1, 3, 12, 2000])
def test_the_truth_of_traffic_is_what_a_million_units_show(n_max: int) -> None:
    world = Traffic()
    scores, counts = world.draw(np.random.default_rng(0), 1, 1_000_000)

    assert betting.estimate(scores[0], counts[0], n_max) == pytest.approx(world.truth(n_max), abs=0.004)


def test_the_risk_of_a_threshold_is_what_a_million_requests_show() -> None:
    world = Confidences(dip=0.3)
    confidence, right = world.draw(np.random.default_rng(0), 1_000_000)

    for threshold in (0.0, 0.5, 0.9, 0.95):
        assert (~right[confidence >= threshold]).mean() == pytest.approx(world.risk(threshold), abs=0.003)


def test_the_oracle_answers_all_it_safely_can() -> None:
    world = Confidences()
    threshold = 1 - world.oracle(0.05)

    assert world.risk(threshold) <= 0.05 < world.risk(threshold - 0.002)
