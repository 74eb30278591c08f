"""Measure the proofs: speed of the threshold table, misses of the bounds, their width, and what each test can prove.

python benchmarks/bench_proof.py [--worlds 2000]
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
from numpy.typing import NDArray

from overproof.proof import betting, binomial, power, thresholds
from overproof.proof.worlds import Confidences, Traffic

Floats = NDArray[np.float64]
DELTA = 0.05


def table_speed() -> None:
    """Time the p-values of every slice and threshold."""
    rng = np.random.default_rng(0)
    confidence = rng.beta(5, 2, 100_000).astype(np.float32)
    correct, slices = rng.random(100_000) < confidence, rng.integers(0, 50, 100_000)
    took = []
    for _ in range(11):
        began = time.perf_counter()
        thresholds.table(confidence, correct, slices, np.linspace(0, 1, 200), 0.05)
        took.append(time.perf_counter() - began)
    print(f"p-values of 50 slices x 200 thresholds over 100,000 requests: {statistics.median(took) * 1e3:.1f} ms\n")


def misses(worlds: int) -> None:
    """Count bounds that lie on the wrong side of the truth."""
    print(f"bounds that miss the truth, nominal 5 % each side, {worlds:,} worlds: lower / upper")
    rng = np.random.default_rng(1)
    cases = [
        ("single requests", Traffic(largest=1, small=0.9), 1),
        ("clustered, n_max 3", Traffic(), 3),
        ("clustered, n_max 12", Traffic(), 12),
    ]
    sizes = (5, 20, 100, 500, 2000)
    print(f"{'':28}" + "".join(f"{n:>8} units" for n in sizes))
    for name, world, n_max in cases:
        found = []
        for n in sizes:
            scores, counts = world.draw(rng, worlds, n)
            w, truth = betting.weights(counts, n_max), world.truth(n_max)
            low = (betting.p_value(w * (scores - truth), truth) <= DELTA).mean()
            high = (betting.p_value(w * (truth - scores), 1 - truth) <= DELTA).mean()
            found.append(f"{low:6.1%} /{high:6.1%}")
        print(f"{name:28}" + "".join(f"{one:>14}" for one in found))
    naive = []
    world = Traffic(largest=200)
    for n in sizes:
        scores, counts = world.draw(rng, worlds, n)
        right = (scores * counts).round().astype(int).sum(1)
        naive.append((binomial.lower(right, counts.sum(1), DELTA) > world.truth(world.largest)).mean())
    print(f"{'Clopper-Pearson on requests':28}" + "".join(f"{one:>8.1%} /     " for one in naive) + "\n")


def widths() -> None:
    """Set our bounds beside the exact ones."""
    print("bounds on single requests, mean of 200 worlds: betting, and Clopper-Pearson at one look")
    rng = np.random.default_rng(2)
    for n in (50, 200, 1000):
        for rate in (0.9, 0.97):
            s, ones = (rng.random((200, n)) < rate).astype(float), np.ones(n)
            k = s.sum(1).astype(int)
            bet = betting.lower(s, ones, 1, DELTA).mean(), betting.upper(s, ones, 1, DELTA).mean()
            exact = binomial.lower(k, n, DELTA).mean(), binomial.upper(k, n, DELTA).mean()
            print(f"n {n:5} rate {rate}: [{bet[0]:.3f}, {bet[1]:.3f}]   [{exact[0]:.3f}, {exact[1]:.3f}]")
    print()


def needs() -> None:
    """List the units that prove a bar."""
    print("units that prove 0.90 at 5 %, sizes with P(N >= k) = k**-1.2")
    sizes = (((np.arange(100_000) + 0.5) / 100_000) ** (-1 / 1.2)).astype(np.int64)
    print(f"{'n_max':>6}{'floor':>8}" + "".join(f"{f'true {e}':>12}" for e in (1.0, 0.99, 0.97, 0.95, 0.93)))
    for n_max in (1, 3, 12):
        floor = power.error_free_units(0.9, DELTA, sizes, n_max)
        needed = [power.units_needed(0.9, e, DELTA, sizes, n_max) for e in (1.0, 0.99, 0.97, 0.95, 0.93)]
        print(f"{n_max:6}{floor:8.1f}" + "".join(f"{n:12,}" for n in needed))
    print()


def agrapa(x: Floats, most: float, prior: float = 1.0, mean: float = 0.0, square: float = 0.25) -> Floats:
    """Return the p-value of betting the plug-in stake of Waudby-Smith & Ramdas, payoffs in units of the floor."""
    t = np.arange(x.shape[-1])
    mu = (prior * mean + x.cumsum(-1) - x) / (prior + t)
    second = (prior * square + (x * x).cumsum(-1) - x * x) / (prior + t)
    path = np.log1p(np.clip(mu / second, 0, most) * x).cumsum(-1)
    return np.asarray(np.exp(-np.maximum(path.max(-1), 0.0)))


def stakes(worlds: int) -> None:
    """Compare our stakes with the plug-in ones."""
    print(
        f"share of {worlds:,} worlds in which 0.90 is proven at 5 %: ours, aGRAPA up to 0.5 / 0.9 / 0.99 of the stake"
    )
    rng = np.random.default_rng(3)
    cases = [(1.0, 1, 36), (0.99, 1, 60), (0.97, 1, 100), (0.95, 1, 300), (0.93, 1, 1000), (0.97, 12, 300)]
    for true, n_max, n in cases:
        w = betting.weights(Traffic().sizes(rng, (worlds, n)), n_max)
        x = w * ((rng.random((worlds, n)) < true) / 0.9 - 1)
        ours = (betting.p_value(x, 1.0) <= DELTA).mean()
        theirs = [(agrapa(x, most) <= DELTA).mean() for most in (0.5, 0.9, 0.99)]
        print(f"true {true:4} n_max {n_max:2} units {n:4}: {ours:.2f}   " + " / ".join(f"{p:.2f}" for p in theirs))
    print()


def risk(worlds: int) -> None:
    """Count thresholds that are riskier than promised."""
    print(f"certified thresholds, alpha 5 %, delta 10 %, {worlds:,} worlds")
    cases = [
        ("rising confidence", Confidences(), 800),
        ("rising, teacher errs 2 %", Confidences(noise=0.02, worst=0.2), 800),
        ("same", Confidences(noise=0.02, worst=0.2), 2000),
        ("flat 3 % errors", Confidences(noise=0.03, worst=0.0), 800),
        ("flat 5 % errors", Confidences(noise=0.05, worst=0.0), 800),
    ]
    for name, world, units in cases:
        rng, risky, coverage = np.random.default_rng(4), 0, 0.0
        for _ in range(worlds):
            grid = thresholds.grid_from_tune(rng.random(1000), units)
            (p,) = thresholds.table(*world.draw(rng, units), np.zeros(units, dtype=int), grid, 0.05)
            for t in grid[thresholds.certified(p, 0.10)][:1]:
                risky += world.risk(t, 500) > 0.05 - 1e-6
                coverage += 1 - t
        print(
            f"{name:26}{units:6} units: risk above alpha in {risky / worlds:5.1%}, "
            f"coverage {coverage / worlds:.2f}, oracle {world.oracle(0.05 - 1e-6):.2f}"
        )


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=2000)
    worlds = parser.parse_args().worlds
    table_speed()
    misses(worlds)
    widths()
    needs()
    stakes(worlds)
    risk(worlds)


if __name__ == "__main__":
    main()
