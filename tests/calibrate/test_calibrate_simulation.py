"""How often does calibration promise too much? Measured over worlds whose true error rates are known.

Both the threshold and the set of critical slices left to the teacher are chosen by the data. The claims measured are
the ones made in the end: error rate among what is really answered, overall and in each slice that is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from overproof.calibrate.certify import Ahead, Choice, Drawn, choose
from overproof.proof import binomial, thresholds

pytestmark = pytest.mark.simulation

WORLDS = 2000
UNITS = 800
ALPHA = 0.05
DELTA = 0.1
Floats = NDArray[np.float64]
Rate = Callable[[Floats], Floats]


def falling(at_zero: float) -> Rate:
    """Error rate that falls to 0 as confidence rises to 1."""
    return lambda c: at_zero * (1.0 - c)


def flat(rate: float) -> Rate:
    """Error rate that confidence says nothing about: the hardest case, for no threshold mends it."""
    return lambda c: np.full_like(c, rate)


@dataclass(frozen=True)
class World:
    """Traffic with critical slices, each with a share and an error rate by confidence."""

    rest: Rate
    slices: tuple[tuple[float, Rate], ...] = ()
    overlap: bool = False

    def draw(self, rng: np.random.Generator, n: int) -> tuple[Floats, Floats, dict[str, NDArray[np.bool_]]]:
        """Return confidence, true error rate and membership of `n` units, one request each."""
        confidence = rng.beta(4, 1, n)
        place = rng.random((len(self.slices), n)) if self.overlap else np.tile(rng.random(n), (len(self.slices), 1))
        start, member, rate = 0.0, {}, self.rest(confidence)
        for i, (share, errors) in enumerate(self.slices):
            inside = (place[i] >= start) & (place[i] < start + share)
            member[f"slice-{i}"] = inside
            rate = np.where(inside, np.maximum(rate, errors(confidence)) if self.overlap else errors(confidence), rate)
            start += 0.0 if self.overlap else share
        return confidence, rate, member


@dataclass
class Broken:
    """In how many worlds each claim was made and false."""

    overall: int
    slices: dict[str, int]
    kept: dict[str, int]
    answered: int
    """Worlds in which anything was answered."""


def play(world: World, worlds: int, seed: int, decide: Callable[..., Choice] = choose) -> Broken:
    rng = np.random.default_rng(seed)
    confidence, rate, member = world.draw(rng, 400_000)
    found = Broken(0, dict.fromkeys(member, 0), dict.fromkeys(member, 0), 0)
    for _ in range(worlds):
        choice = _calibrated(rng, world, decide)
        if choice.threshold is None:
            continue
        found.answered += 1
        served = confidence >= choice.threshold
        for name in choice.always_teacher:
            served &= ~member[name]
        found.overall += bool(rate[served].mean() > ALPHA)
        for name in member.keys() - set(choice.always_teacher):
            found.kept[name] += 1
            inside = rate[served & member[name]]
            found.slices[name] += bool(inside.size and inside.mean() > ALPHA)
    return found


def _calibrated(rng: np.random.Generator, world: World, decide: Callable[..., Choice]) -> Choice:
    confidence, rate, member = world.draw(rng, UNITS)
    rows = {"all": np.arange(UNITS), **{name: np.flatnonzero(inside) for name, inside in member.items()}}
    drawn = Drawn(confidence, rng.random(UNITS) < rate, rows, member)
    tune = rng.beta(4, 1, 400)
    grid = thresholds.grid_from_tune(tune, UNITS, 200, 50, binomial.least_units(ALPHA, DELTA / 2))
    return decide(drawn, grid, tune, alpha=ALPHA, delta=DELTA, start_units=200)


def most(level: float, worlds: int = WORLDS) -> float:
    """Return the share that only one in ten thousand measurements of an honest `level` would exceed."""
    return level + 3.72 * float(np.sqrt(level * (1 - level) / worlds))


A_BIT_TOO_MUCH = flat(ALPHA + 0.0005)

EDGES = {
    "no critical slice": World(falling(0.45)),
    "one good and one bad slice": World(falling(0.15), ((0.15, falling(0.15)), (0.10, flat(0.08)))),
    "slices just above alpha": World(falling(0.2), ((0.15, A_BIT_TOO_MUCH), (0.12, A_BIT_TOO_MUCH))),
    "everything just above alpha": World(A_BIT_TOO_MUCH, ((0.15, A_BIT_TOO_MUCH), (0.12, A_BIT_TOO_MUCH))),
    "nothing but slices just above alpha": World(A_BIT_TOO_MUCH, ((0.124, A_BIT_TOO_MUCH),) * 8),
    "slices that overlap": World(falling(0.2), ((0.15, A_BIT_TOO_MUCH), (0.15, flat(0.03))), overlap=True),
}


@pytest.mark.parametrize("edge", EDGES)
def test_no_claim_is_false_more_often_than_delta(edge: str) -> None:
    found = play(EDGES[edge], WORLDS, seed=7)

    assert found.overall / WORLDS <= most(DELTA)
    assert all(broken / WORLDS <= most(DELTA) for broken in found.slices.values())


def test_good_traffic_is_answered() -> None:
    found = play(World(falling(0.1), ((0.15, falling(0.05)),)), 200, seed=8)

    assert found.answered / 200 > 0.95
    assert found.kept["slice-0"] / 200 > 0.6


def test_certifying_overall_as_if_the_slices_had_been_fixed_would_be_caught() -> None:
    """Eight slices are nearly all the traffic, each just above alpha: a lucky one is kept, and is all there is."""
    world = World(A_BIT_TOO_MUCH, ((0.124, A_BIT_TOO_MUCH),) * 8)

    assert play(world, 300, seed=9, decide=_naive).overall / 300 > 1.5 * DELTA


def _naive(drawn: Drawn, grid: Floats, tune: Floats, *, alpha: float, delta: float, start_units: int) -> Choice:
    """At one threshold: test each slice alone, leave out what fails, test what is left; each at the full delta."""

    def proven(rows: NDArray[np.intp]) -> bool:
        return bool(binomial.tail(int(drawn.wrong[rows].sum()), len(rows), alpha) <= delta)

    out = tuple(name for name, inside in drawn.member.items() if not proven(np.flatnonzero(inside)))
    left = ~np.any([drawn.member[name] for name in out], axis=0) if out else np.ones(len(drawn.wrong), dtype=bool)
    return Choice(float(grid[0]) if proven(np.flatnonzero(left)) else None, out, {})


AHEAD = Ahead(level=0.032, units=1.0, chance=0.9)
"""A test as large as the calibration, each claim at the students' share of a first decision at 5 %."""


@pytest.mark.parametrize("edge", ["no critical slice", "slices just above alpha"])
def test_looking_ahead_makes_no_claim_false_more_often(edge: str) -> None:
    found = play(EDGES[edge], WORLDS, seed=10, decide=partial(choose, ahead=AHEAD))

    assert found.overall / WORLDS <= most(DELTA)
    assert all(broken / WORLDS <= most(DELTA) for broken in found.slices.values())


def test_looking_ahead_is_the_difference_between_mostly_and_hardly_proven_again() -> None:
    world = World(falling(0.30))

    assert proven_again(world, partial(choose, ahead=AHEAD)) > 0.8
    assert proven_again(world, choose) < 0.6


def proven_again(world: World, decide: Callable[..., Choice], worlds: int = 400) -> float:
    """Return how often fresh units prove the risk at the threshold chosen, of the worlds in which one was."""
    rng = np.random.default_rng(11)
    proven = tried = 0
    for _ in range(worlds):
        choice = _calibrated(rng, world, decide)
        if choice.threshold is None:
            continue
        confidence, rate, _ = world.draw(rng, UNITS)
        served = confidence >= choice.threshold
        errors = int((rng.random(UNITS) < rate)[served].sum())
        tried += 1
        proven += bool(binomial.tail(errors, int(served.sum()), ALPHA) <= AHEAD.level)
    assert tried > worlds / 2
    return proven / tried
