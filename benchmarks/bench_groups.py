"""Customers nobody has seen: how often a threshold breaks its promise among them, plain and group-aware.

    python benchmarks/bench_groups.py [WORLDS]

Each world is a log of 400 customers with wording of their own (`tests/customer_logs.py`), taken down the product's own
road: prompt set, linear student, threshold at alpha = 10 %, delta = 10 %. Deployed are customers that were never seen.
A promise is broken where their error rate among the answered is above alpha; an honest procedure breaks it in more
worlds than `limit` only once in a hundred runs of this benchmark.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy.stats import binom

sys.path.append(str(Path(__file__).parent.parent / "tests"))

from customer_logs import Customers, Outcome, deploy

WORLDS = 100
CUSTOMERS = 400
POPULATION = Customers(requests=24)
ALPHA, DELTA = 0.10, 0.10
WAYS: dict[str, tuple[str | None, bool]] = {
    "plain: units are near duplicates": (None, False),
    "customers apart, but each request a unit": ("customer", True),
    "group-aware: units are customers": ("customer", False),
}


def line(name: str, found: list[Outcome]) -> str:
    """Return one way's row."""
    broken = sum(each.error > ALPHA for each in found)
    served = [each.error for each in found if each.threshold is not None]
    return (
        f"{name:42} {broken:4} of {len(found)}  {np.mean(served):6.3f} / {max(served):.3f}  "
        f"{np.mean([each.coverage for each in found]):8.2f}  {len(served):9}  {np.mean([e.units for e in found]):6.0f}"
    )


def main() -> None:
    """Print one row for each way of calibrating."""
    worlds = int(sys.argv[1]) if len(sys.argv) > 1 else WORLDS
    print(f"{worlds} worlds, alpha {ALPHA:.0%}, delta {DELTA:.0%}; limit: {binom.ppf(0.99, worlds, DELTA):.0f} broken")
    print(f"{'':42} {'broken':>11}  error mean / max  coverage  thresholds  units")
    for name, (group, per_request) in WAYS.items():
        found = [
            deploy(POPULATION, group, seed, n=CUSTOMERS, alpha=ALPHA, delta=DELTA, per_request=per_request)
            for seed in range(worlds)
        ]
        print(line(name, found))


if __name__ == "__main__":
    main()
