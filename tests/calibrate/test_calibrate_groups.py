"""Customers with wording of their own: a plain threshold breaks its promise among unseen ones, a group-aware one holds.

The whole road in each world: prompt set, linear student, threshold, then customers that nobody has seen
(`customer_logs`). `benchmarks/bench_groups.py` measures the same over more worlds.
"""

from __future__ import annotations

import pytest
from scipy.stats import binom

from customer_logs import Customers, Outcome, deploy

pytestmark = pytest.mark.simulation

WORLDS = 8
ALPHA, DELTA = 0.10, 0.10


def worlds(group: str | None) -> list[Outcome]:
    return [deploy(Customers(), group, seed, n=440, alpha=ALPHA, delta=DELTA) for seed in range(WORLDS)]


def broken(found: list[Outcome]) -> int:
    return sum(each.error > ALPHA for each in found)


def test_plain_thresholds_break_among_customers_nobody_has_seen() -> None:
    assert broken(worlds(None)) > binom.ppf(0.9999, WORLDS, DELTA)


def test_group_aware_thresholds_hold_among_customers_nobody_has_seen() -> None:
    found = worlds("customer")

    assert broken(found) <= binom.ppf(0.99, WORLDS, DELTA)
    assert sum(each.coverage > 0.2 for each in found) >= WORLDS / 2  # and not by answering nothing
