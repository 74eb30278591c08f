"""A threshold of its own for each critical slice: fitted on tune, and no claim is false more often for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from overproof.calibrate import shifts
from overproof.calibrate.certify import Drawn, choose
from overproof.calibrate.shifts import Fitted, Tuned
from overproof.proof import binomial, thresholds
from overproof.proof.confidence import logistic, shifted

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

ALPHA, DELTA, UNITS, TUNE = 0.05, 0.1, 800, 400


def tuned(confidence: Floats, right: Mask, **member: Mask) -> Tuned:
    return Tuned(confidence, right, np.arange(len(right)), member)


def fitted(evidence: Tuned, units: int = UNITS) -> Fitted:
    inside = {name: round(units * float(mask.sum()) / max(len(mask), 1)) for name, mask in evidence.member.items()}
    return shifts.fit(evidence, {"all": units, **inside}, alpha=ALPHA, delta=DELTA)


@dataclass(frozen=True)
class World:
    """Traffic of which each part has its share, its mean confidence and how much worse it does, both in log-odds."""

    rest: tuple[float, float]
    slices: tuple[tuple[float, float, float], ...]

    def draw(self, rng: np.random.Generator, n: int) -> tuple[Floats, Floats, dict[str, Mask]]:
        """Return confidence, true error rate and membership of `n` units, one request each."""
        place, start, member = rng.random(n), 0.0, {}
        level, worse = np.full(n, self.rest[0]), np.full(n, self.rest[1])
        for i, (share, mean, below) in enumerate(self.slices):
            inside = (place >= start) & (place < start + share)
            level[inside], worse[inside], start = mean, below, start + share
            member[f"slice-{i}"] = inside
        odds = level + rng.normal(0, 2.5, n)
        return logistic(odds), 1 - logistic(odds - worse), member


@dataclass
class Played:
    """What became of many worlds."""

    worlds: int
    overall: int = 0
    """Claims about all traffic that were false."""
    coverage: float = 0.0
    kept: int = 0
    """Worlds in which the first slice is not left to the teacher."""
    slices: int = 0
    """Claims about a slice that were false, of the slice in which most were."""


def play(world: World, worlds: int, seed: int, *, own: bool = True, units: int = UNITS, tune: int = TUNE) -> Played:
    rng = np.random.default_rng(seed)
    truth = world.draw(rng, 100_000)
    found, false = Played(worlds), dict.fromkeys(truth[2], 0)
    for _ in range(worlds):
        confidence, rate, member = world.draw(rng, tune)
        moves = fitted(tuned(confidence, rng.random(tune) >= rate, **member), units) if own else Fitted({}, {})
        tune_after = _moved(confidence, member, moves.shifts)
        by_slice = {name: tune_after[inside] for name, inside in member.items()}
        choice = choose(
            _drawn(rng, world, units, moves),
            thresholds.grid_from_tune(tune_after, units, 200, 50, binomial.least_units(ALPHA, DELTA / 2)),
            tune_after,
            alpha=ALPHA,
            delta=DELTA,
            start_units=200,
            tune_by_slice=by_slice,
            starts=moves.starts,
        )
        if choice.threshold is None:
            continue
        served = _moved(truth[0], truth[2], moves.shifts) >= choice.threshold
        for name in choice.always_teacher:
            served &= ~truth[2][name]
        found.coverage += float(served.mean()) / worlds
        found.overall += bool(truth[1][served].mean() > ALPHA)
        found.kept += "slice-0" not in choice.always_teacher
        for name in false.keys() - set(choice.always_teacher):
            inside = truth[1][served & truth[2][name]]
            false[name] += bool(inside.size and inside.mean() > ALPHA)
    found.slices = max(false.values())
    return found


def _drawn(rng: np.random.Generator, world: World, units: int, moves: Fitted) -> Drawn:
    confidence, rate, member = world.draw(rng, units)
    rows = {"all": np.arange(units), **{name: np.flatnonzero(inside) for name, inside in member.items()}}
    return Drawn(_moved(confidence, member, moves.shifts), rng.random(units) < rate, rows, member)


def _moved(confidence: Floats, member: dict[str, Mask], moves: dict[str, float]) -> Floats:
    by = np.zeros(len(confidence))
    for name, shift in moves.items():
        by[member[name]] = shift
    return shifted(confidence, by)


# --- what is fitted ----------------------------------------------------------------------------------------------


def test_a_slice_like_the_rest_hardly_moves_and_a_worse_one_moves_down() -> None:
    confidence, rate, member = World((5, 0), ((0.3, 5, 0.0), (0.3, 5, 2.0))).draw(np.random.default_rng(0), 2000)
    found = fitted(tuned(confidence, np.random.default_rng(1).random(2000) >= rate, **member), 4000).shifts

    assert abs(found["slice-0"]) < 1
    assert found["slice-1"] < -1.5


def test_too_sure_everywhere_is_no_slices_own_fault() -> None:
    confidence, rate, member = World((5, 2), ((0.4, 5, 2.0),)).draw(np.random.default_rng(2), 4000)

    assert (
        abs(fitted(tuned(confidence, np.random.default_rng(3).random(4000) >= rate, **member), 8000).shifts["slice-0"])
        < 0.4
    )


@given(st.integers(0, 6), st.integers(0, 100))
def test_few_examples_move_little(few: int, seed: int) -> None:
    """Fewer than seven examples, whatever they say, beside three hundred others."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.5, 0.99, 300)
    right, inside = rng.random(300) < confidence, np.arange(300) < few
    right[inside] = rng.random(few) < 0.5
    found = fitted(tuned(confidence, right, rare=inside)).shifts

    assert abs(found["rare"]) <= few


@settings(max_examples=40)
@given(st.integers(0, 1000), st.sampled_from([0, 1, 5, 60]), st.sampled_from([0.0, 0.5, 1.0]))
def test_shifts_are_finite_whatever_was_seen(seed: int, n: int, accuracy: float) -> None:
    rng = np.random.default_rng(seed)
    confidence = rng.choice([0.0, 0.3, 1.0, rng.random()], n)
    found = fitted(tuned(confidence, rng.random(n) < accuracy, one=rng.random(n) < 0.5, none=np.zeros(n, dtype=bool)))

    assert np.isfinite(list(found.shifts.values())).all()
    assert found.shifts["none"] == 0.0
    assert "none" not in found.starts
    assert all(0 < share <= 1 for share in found.starts.values())


def test_a_unit_asked_often_counts_once() -> None:
    rng = np.random.default_rng(4)
    confidence, right = rng.uniform(0.5, 1, 200), rng.random(200) < 0.8
    inside = np.arange(200) < 80
    units = {"all": 800, "s": 320}
    once = shifts.fit(tuned(confidence, right, s=inside), units, alpha=ALPHA, delta=DELTA).shifts
    again = np.append(np.arange(200), np.full(500, 7))
    often = Tuned(confidence[again], right[again], again, {"s": inside[again]})

    found = shifts.fit(often, units, alpha=ALPHA, delta=DELTA).shifts

    assert found["s"] == pytest.approx(once["s"])


# --- what it buys and what it costs, in worlds whose truth is known -----------------------------------------------

HARDER = World((5.5, 0.0), ((0.3, 5.5, 2.5),))
"""84 % right in the slice, 96 % elsewhere, and as sure in both."""


@dataclass(frozen=True)
class Edge(World):
    """Slices that err a hair too often at any confidence: no threshold mends that."""

    def draw(self, rng: np.random.Generator, n: int) -> tuple[Floats, Floats, dict[str, Mask]]:
        """Return the same, with the error rate of every slice just above alpha."""
        confidence, rate, member = super().draw(rng, n)
        for inside in member.values():
            rate = np.where(inside, ALPHA + 0.0005, rate)
        return confidence, rate, member


def most(level: float, worlds: int) -> float:
    """Return the share that only one in ten thousand measurements of an honest `level` would exceed."""
    return level + 3.72 * float(np.sqrt(level * (1 - level) / worlds))


@pytest.mark.simulation
@pytest.mark.parametrize(
    "world",
    [HARDER, Edge((5, 0), ((0.2, 5, 0), (0.2, 3, 0))), Edge((5, 0), ((0.124, 5, 0),) * 8)],
    ids=["a harder slice", "slices just above alpha", "nothing but slices just above alpha"],
)
def test_no_claim_is_false_more_often_for_it(world: World) -> None:
    found = play(world, 400, seed=5)

    assert found.overall / 400 <= most(DELTA, 400)
    assert found.slices / 400 <= most(DELTA, 400)


@pytest.mark.simulation
def test_a_harder_slice_is_kept_at_a_threshold_of_its_own_and_more_is_answered() -> None:
    own, common = (play(HARDER, 100, seed=6, own=own, units=2000, tune=1000) for own in (True, False))

    assert own.kept >= 80
    assert common.kept <= 35
    assert own.coverage > common.coverage + 0.08


@pytest.mark.simulation
def test_with_little_evidence_too() -> None:
    """A third of 800 units: the sequence of tests starts where tune says that it will succeed."""
    own, common = (play(HARDER, 100, seed=6, own=own) for own in (True, False))

    assert own.kept >= 40
    assert common.kept <= 15


@pytest.mark.simulation
def test_slices_like_the_rest_lose_nothing() -> None:
    same = World((5, 0), ((0.2, 5, 0), (0.3, 5, 0)))
    own, common = (play(same, 100, seed=7, own=own) for own in (True, False))

    assert own.coverage > common.coverage - 0.02
    assert own.kept > common.kept - 10
