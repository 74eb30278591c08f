"""Guarantees measured in worlds whose truth is known: coverage, false "proven", risk, false releases.

Every share of misses is held against the largest that 99 of 100 such simulations would show if the guarantee held
with equality. Seeds are fixed. The last section shows that these simulations can fail.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from overproof.proof import betting, binomial, saving, thresholds
from overproof.proof.ceiling import upper_bound
from overproof.proof.ledger import family_levels, spent
from overproof.proof.selection import all_hold, fixed_sequence
from overproof.proof.worlds import Confidences, Traffic

pytestmark = pytest.mark.simulation

WORLDS = 2000
DELTA = 0.05
UNITS = (5, 20, 100, 500, 2000)
SINGLE = Traffic(largest=1, small=0.9)
CLUSTERED = Traffic()
EXTREME = Traffic(tail=0.8, spread=0.05, small=0.97, large=0.75, cut=6)
"""Heavier tails (the mean size has no limit), and units whose requests share one fate."""

Floats = NDArray[np.float64]


def most(level: float, worlds: int = WORLDS) -> float:
    """Return the largest share of misses that a rate of `level` shows in 99 of 100 simulations."""
    from scipy import stats

    return float(stats.binom.ppf(0.99, worlds, level)) / worlds


def false_proofs(scores: Floats, weights: Floats, truth: float) -> float:
    """Return the share of worlds in which a bar exactly at the truth is "proven": the lower bound lies above it."""
    return float((betting.p_value(weights * (scores - truth), truth) <= DELTA).mean())


# --- bounds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize(
    ("world", "n_max"), [(SINGLE, 1), (CLUSTERED, 1), (CLUSTERED, 3), (CLUSTERED, 12), (EXTREME, 3), (EXTREME, 12)]
)
def test_neither_bound_misses_more_often_than_its_level(world: Traffic, n_max: int, units: int) -> None:
    rng = np.random.default_rng([units, n_max])
    scores, counts = world.draw(rng, WORLDS, units)
    weights, truth = betting.weights(counts, n_max), world.truth(n_max)

    assert false_proofs(scores, weights, truth) <= most(DELTA)
    assert false_proofs(1 - scores, weights, 1 - truth) <= most(DELTA)


@pytest.mark.parametrize("world", [SINGLE, CLUSTERED, EXTREME])
def test_a_bound_misses_exactly_where_a_bar_at_the_truth_is_proven(world: Traffic) -> None:
    """What the simulation above counts is what the bounds that users see do."""
    scores, counts = world.draw(np.random.default_rng(1), WORLDS, 100)
    truth = world.truth(3)
    missed = betting.lower(scores, counts, 3, DELTA) >= truth - 2**-20
    above = betting.upper(scores, counts, 3, DELTA) <= truth + 2**-20

    assert missed.mean() == pytest.approx(false_proofs(scores, betting.weights(counts, 3), truth), abs=1e-3)
    assert above.mean() == pytest.approx(false_proofs(1 - scores, betting.weights(counts, 3), 1 - truth), abs=1e-3)


def test_a_bar_exactly_at_the_truth_is_rarely_called_proven() -> None:
    scores, counts = CLUSTERED.draw(np.random.default_rng(2), WORLDS, 100)
    truth = CLUSTERED.truth(12)
    proven = [betting.test_at_least(*unit, truth, 12, DELTA).rejected for unit in zip(scores, counts, strict=True)]

    assert np.mean(proven) <= most(DELTA)


@pytest.mark.parametrize("units", UNITS)
def test_the_exact_bounds_cover_one_request_drawn_from_each_unit(units: int) -> None:
    """Clustered traffic, every unit weighing the same: what "one pre-drawn request per unit" estimates."""
    rng = np.random.default_rng(units)
    scores, _ = CLUSTERED.draw(rng, WORLDS, units)
    right = (rng.random(scores.shape) < scores).sum(1)
    truth = CLUSTERED.truth(1)

    assert (binomial.lower(right, units, DELTA) > truth).mean() <= most(DELTA)
    assert (binomial.upper(right, units, DELTA) < truth).mean() <= most(DELTA)


# --- differences, amounts, savings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("n_max", [1, 12])
def test_a_difference_is_missed_no_more_often_than_its_level(units: int, n_max: int) -> None:
    """The student copies the teacher and fails a whole unit now and then, large ones more often."""
    rng = np.random.default_rng([units, n_max, 7])
    teacher, counts = CLUSTERED.draw(rng, WORLDS, units)
    keeps = np.where(counts < 4, 0.98, 0.9)
    student = teacher * (rng.random(teacher.shape) < keeps)
    size = CLUSTERED.every_size()
    truth = CLUSTERED.mean(-(1 - np.where(size < 4, 0.98, 0.9)) * CLUSTERED.accuracy(size), n_max)
    halved, weights = (student - teacher + 1) / 2, betting.weights(counts, n_max)

    assert false_proofs(halved, weights, (truth + 1) / 2) <= most(DELTA)
    assert false_proofs(1 - halved, weights, (1 - truth) / 2) <= most(DELTA)


def test_a_margin_exactly_as_wide_as_the_gap_is_rarely_called_kept() -> None:
    rng = np.random.default_rng(4)
    teacher = (rng.random((WORLDS, 300)) < 0.95).astype(float)
    student = np.where(rng.random((WORLDS, 300)) < 0.04, 0.0, teacher)
    proven = [
        betting.test_difference(ours, theirs, np.ones(300), margin=0.04 * 0.95, n_max=1, delta=DELTA).rejected
        for ours, theirs in zip(student, teacher, strict=True)
    ]

    assert np.mean(proven) <= most(DELTA)


def spend(rng: np.random.Generator, units: int, extra: float) -> tuple[Floats, Floats, NDArray[np.int64], float]:
    """Draw teacher's and system's costs (cap 1) where small units are served more often; return n_max = 3's saving."""
    counts = CLUSTERED.sizes(rng, (WORLDS, units))
    teacher = rng.beta(2, 8, counts.shape)
    served = rng.random(counts.shape) < np.where(counts < 4, 0.6, 0.2)
    size = CLUSTERED.every_size()
    truth = CLUSTERED.mean(np.where(size < 4, 0.6, 0.2), 3) - extra / 0.2
    return teacher, np.where(served, 0.0, teacher) + extra, counts, truth


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("extra", [None, 0.002])
def test_a_saving_exactly_at_the_target_is_rarely_called_proven(units: int, extra: float | None) -> None:
    teacher, system, counts, truth = spend(np.random.default_rng(units), units, extra or 0.0)
    proven = [
        saving.test_saving(*unit, min_saving=truth, cap=1.0, n_max=3, delta=DELTA, extra=extra).rejected
        for unit in zip(teacher, system, counts, strict=True)
    ]

    assert np.mean(proven) <= most(DELTA)


def test_the_bounds_of_the_saving_miss_no_more_often_than_their_level() -> None:
    teacher, system, counts, truth = spend(np.random.default_rng(9), 60, 0.002)
    found = [
        saving.saved(*unit, cap=1.0, n_max=3, delta=DELTA, extra=0.002)
        for unit in zip(teacher, system, counts, strict=True)
    ]

    assert np.mean([one is not None and one.lower > truth for one in found]) <= most(DELTA)
    assert np.mean([one is not None and one.upper < truth for one in found]) <= most(DELTA)


@pytest.mark.parametrize("units", [20, 200])
def test_a_cost_exactly_at_the_target_is_rarely_called_proven(units: int) -> None:
    costs = np.random.default_rng(units).beta(2, 8, (WORLDS, units))
    ones = np.ones(units)
    proven = [betting.test_mean_at_most(c, ones, bar=0.2, cap=1.0, n_max=1, delta=DELTA).rejected for c in costs]
    sizes = np.ones((WORLDS, units))

    assert np.mean(proven) <= most(DELTA)
    assert (betting.upper_mean(costs, sizes, 1.0, 1, DELTA) < 0.2).mean() <= most(DELTA)
    assert (betting.lower_mean(costs, sizes, 1.0, 1, DELTA) > 0.2).mean() <= most(DELTA)


# --- looking again ---------------------------------------------------------------------------------------------------


def test_stopping_at_the_best_moment_does_not_make_a_false_bar_true() -> None:
    """A bar at the truth is watched over 2,000 units, a look after each, stopping when it looks best."""
    scores, counts = CLUSTERED.draw(np.random.default_rng(3), WORLDS, 2000)
    truth = CLUSTERED.truth(3)
    path = betting.wealth(betting.weights(counts, 3) * (scores - truth), truth)

    assert (path.max(axis=1) >= np.log(1 / DELTA)).mean() <= most(DELTA)


# --- thresholds ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("world", "units", "covers"),
    [
        (Confidences(), 800, 0.42),
        (Confidences(noise=0.02, worst=0.2), 800, 0.17),
        (Confidences(dip=0.3), 2000, 0.0),
        (Confidences(noise=0.05, worst=0.0), 800, 0.0),  # every threshold errs at exactly alpha
        (Confidences(noise=0.03, worst=0.0), 800, 0.55),  # every threshold is safe; only noise can stop a sequence
    ],
)
def test_the_certified_threshold_is_rarely_riskier_than_promised(world: Confidences, units: int, covers: float) -> None:
    """At alpha 5 % and delta 10 %; an oracle covers 0.67, 0.67, 0.53, 0 and 1.00 of these worlds."""
    rng = np.random.default_rng(6)
    risky, coverage = [], []
    for _ in range(WORLDS):
        grid = thresholds.grid_from_tune(rng.random(1000), units)
        (p,) = thresholds.table(*world.draw(rng, units), np.zeros(units, dtype=int), grid, 0.05)
        lenient = grid[thresholds.certified(p, 0.10)][:1]
        # Where every threshold errs at exactly alpha, quadrature must not decide by its last digit.
        risky.append(any(world.risk(threshold, 500) > 0.05 - 1e-6 for threshold in lenient))
        coverage.append(float((1 - lenient).sum()))

    assert np.mean(risky) <= most(0.10)
    assert np.mean(coverage) >= covers


# --- decisions -------------------------------------------------------------------------------------------------------


def test_no_choice_among_candidates_makes_a_false_release_more_likely() -> None:
    """Six candidates on the same units, true and false ones in turn, the false exactly at the bar."""
    rng = np.random.default_rng(8)
    truths = np.array([0.97, 0.9, 0.9, 0.98, 0.9, 0.9])
    luck = rng.random((WORLDS, 1, 250)) * 0.7 + rng.random((WORLDS, 6, 250)) * 0.3  # candidates err on the same units
    cut = np.quantile(luck, truths)
    scores = (luck < np.take(cut, range(6))[:, None]).astype(float)
    p = betting.p_value(scores - 0.9, 0.9)
    false = truths <= 0.9
    released = [fixed_sequence(row <= DELTA) for row in p]

    assert np.mean([any(np.array(t) & false[: len(t)]) for t in released]) <= most(DELTA)
    assert np.mean([t[0] for t in released]) >= 0.9


def test_both_families_and_every_later_decision_share_one_level() -> None:
    """A gate and students that are all false, decided again and again on the same units as the ledger allows."""
    rng = np.random.default_rng(10)
    scores = (rng.random((2, WORLDS, 250)) < 0.9).astype(float)
    gate, students = betting.p_value(scores - 0.9, 0.9)
    released = np.zeros(WORLDS, dtype=bool)
    for number in range(1, 6):
        levels = family_levels(spent(DELTA, number))
        released |= (gate <= levels.gate) | (students <= levels.students)

    assert released.mean() <= most(DELTA)


def test_a_release_with_one_false_condition_is_rarely_proven() -> None:
    """Accuracy and risk hold with room to spare; the saving is exactly at its target."""
    teacher, system, counts, truth = spend(np.random.default_rng(11), 200, 0.002)
    rng = np.random.default_rng(12)
    scores = (rng.random(counts.shape) < 0.99).astype(float)
    good = betting.p_value(betting.weights(counts, 3) * (scores - 0.9), 0.9) <= DELTA
    saves = [
        saving.test_saving(*unit, min_saving=truth, cap=1.0, n_max=3, delta=DELTA, extra=0.002).rejected
        for unit in zip(teacher, system, counts, strict=True)
    ]

    assert np.mean([all_hold(pair) for pair in zip(good, saves, strict=True)]) <= most(DELTA)
    assert good.mean() > 0.9


@pytest.mark.parametrize("modal", [0.95, 0.8, 0.55])
@pytest.mark.parametrize("pairs", [5, 100, 2000])
def test_the_ceiling_is_rarely_set_below_what_a_perfect_student_reaches(modal: float, pairs: int) -> None:
    """Every prompt has two answers; the student always gives the likelier one."""
    agreeing = np.random.default_rng(pairs).binomial(pairs, modal**2 + (1 - modal) ** 2, WORLDS)
    bounds = np.array([upper_bound(int(k), pairs, DELTA) for k in agreeing])

    assert (bounds < modal).mean() <= most(DELTA)


# --- these simulations can fail --------------------------------------------------------------------------------------


def test_clopper_pearson_on_requests_proves_false_bars_and_would_be_caught() -> None:
    """The naive procedure, in the same clustered traffic and at its own estimand, plain accuracy by request."""
    world = Traffic(largest=200)
    scores, counts = world.draw(np.random.default_rng(13), WORLDS, 500)
    right, n = (scores * counts).round().astype(int).sum(1), counts.sum(1)
    proven = binomial.lower(right, n, DELTA) > world.truth(world.largest)

    assert proven.mean() > 4 * most(DELTA)


def test_reading_the_weighted_bound_as_accuracy_by_unit_would_be_caught() -> None:
    """The wrong estimand: bounds for min(n, 12) held against the truth of equal weights, which is higher here."""
    scores, counts = CLUSTERED.draw(np.random.default_rng(14), WORLDS, 2000)
    missed = false_proofs(1 - scores, betting.weights(counts, 12), 1 - CLUSTERED.truth(1))

    assert missed > 4 * most(DELTA)


def test_a_stake_that_sees_the_unit_it_is_laid_on_would_be_caught() -> None:
    scores, _ = SINGLE.draw(np.random.default_rng(15), WORLDS, 100)
    hindsight = np.where(scores == 1, 0.9, 0.1) * (scores / 0.9 - 1)

    assert (np.log1p(hindsight).cumsum(1).max(1) >= np.log(1 / DELTA)).mean() > 4 * most(DELTA)


def test_picking_the_luckiest_threshold_would_be_caught() -> None:
    """Without a correction: the most lenient threshold whose own p-value clears delta."""
    rng, risky = np.random.default_rng(16), 0
    world = Confidences(noise=0.05, worst=0.0)
    for _ in range(WORLDS):
        grid = thresholds.grid_from_tune(rng.random(1000), 800)
        confidence, right = world.draw(rng, 800)
        risky += thresholds.table(confidence, right, np.zeros(800, dtype=int), grid, 0.05).min() <= 0.10

    assert risky / WORLDS > 1.5 * most(0.10)
