"""The kinds of claim a promise can make, each with the test that decides it and the bounds that describe it.

    AtLeast      a mean score reaches a bar                          bet
    Within       the system is hardly worse than the teacher        bet, paired
    Saves        the system costs less than the teacher             bet
    MeanAtMost   a mean amount stays below a target                 bet
    RateAtMost   an error rate stays below alpha                    exact binomial
    P95AtMost    19 of 20 are faster than a target                  exact binomial

Bets read unit means and counts in the order fixed by the seed; the exact ones read one pre-drawn request per unit.
`failed` is the same test turned round: the opposite of the promise is proven at the same level.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, isfinite
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from overproof.core.types import Estimate
from overproof.proof import betting, binomial, power, saving

Floats = NDArray[np.float64]

P95 = 0.95


class Claim(Protocol):
    """One promise with its evidence."""

    @property
    def bar(self) -> float:
        """What is promised."""

    def proven(self, level: float) -> bool:
        """Return whether the promise is proven; falsely so with probability at most `level`."""

    def failed(self, level: float) -> bool:
        """Return whether its opposite is."""

    def estimate(self, level: float) -> Estimate | None:
        """Return the estimate with both bounds, each at `level`; None without evidence."""

    def more_units(self, level: float) -> int | None:
        """Return about how many more units would prove it, if they are like those seen; None when none would."""

    def margin(self) -> float:
        """Return how far the estimate clears the bar, in standard errors. Asymptotic: for ordering only."""


@dataclass(frozen=True)
class AtLeast:
    """The weighted mean score is at least `bar`."""

    scores: Floats
    counts: Floats
    n_max: int
    bar: float

    def proven(self, level: float) -> bool:
        """Return whether the bet against the opposite is won."""
        return betting.test_at_least(self.scores, self.counts, self.bar, self.n_max, level).rejected

    def failed(self, level: float) -> bool:
        """Return whether the bet on the opposite is won: the mean of the mirrored scores is above the mirrored bar."""
        return bool(betting.upper(self.scores, self.counts, self.n_max, level) < self.bar)

    def estimate(self, level: float) -> Estimate | None:
        """Return the weighted mean with anytime bounds."""
        return betting.interval(self.scores, self.counts, self.n_max, level)

    def more_units(self, level: float) -> int | None:
        """Return how long the bet would have to go on."""
        return power.more_units(self.scores, self.counts, self.bar, self.n_max, level) if len(self.scores) else None

    def margin(self) -> float:
        """Return the margin of the mean."""
        return _margin(self.scores - self.bar, self.counts, self.n_max, 1.0)


@dataclass(frozen=True)
class Within:
    """The weighted mean of system minus teacher is at least -`within`."""

    difference: Floats
    """Mean of system's score minus teacher's, for each unit, in [-1, 1]."""
    counts: Floats
    n_max: int
    within: float

    @property
    def bar(self) -> float:
        """The least difference promised."""
        return -self.within

    @property
    def _halved(self) -> AtLeast:
        """The same claim about (difference + 1) / 2, which lies in [0, 1]."""
        return AtLeast((self.difference + 1.0) / 2.0, self.counts, self.n_max, (1.0 - self.within) / 2.0)

    def proven(self, level: float) -> bool:
        """Return whether the paired bet is won."""
        return self._halved.proven(level)

    def failed(self, level: float) -> bool:
        """Return whether the paired bet on the opposite is won."""
        return self._halved.failed(level)

    def estimate(self, level: float) -> Estimate | None:
        """Return the weighted mean difference with anytime bounds."""
        found = self._halved.estimate(level)
        return found and _moved(found, lambda value: 2.0 * value - 1.0)

    def more_units(self, level: float) -> int | None:
        """Return how long the bet would have to go on."""
        return self._halved.more_units(level)

    def margin(self) -> float:
        """Return the margin of the mean difference."""
        return _margin(self.difference + self.within, self.counts, self.n_max, 1.0)


@dataclass(frozen=True)
class Saves:
    """The system costs at most (1 - `bar`) of what the teacher costs."""

    teacher: Floats
    system: Floats
    counts: Floats
    n_max: int
    bar: float
    teacher_cap: float
    own_cap: float

    @property
    def bounded(self) -> bool:
        """Whether every cost kept to its cap. Where one did not, the bound is false and nothing rests on it."""
        slack = 1e-9 * (self.teacher_cap + self.own_cap)
        inside = (self.teacher <= self.teacher_cap + slack) & (self.system <= self.teacher + self.own_cap + slack)
        return self.teacher_cap > 0 and bool(inside.all())

    def proven(self, level: float) -> bool:
        """Return whether the bet on unit sums of (1 - bar) x teacher - system is won."""
        if not self.bounded or not len(self.teacher):
            return False
        return saving.test_saving(
            self.teacher,
            self.system,
            self.counts,
            min_saving=self.bar,
            cap=self.teacher_cap,
            n_max=self.n_max,
            delta=level,
            extra=self.own_cap,
        ).rejected

    def failed(self, level: float) -> bool:
        """Return whether the upper bound of the saved share is below the bar."""
        found = self.estimate(level)
        return found is not None and found.upper < self.bar

    def estimate(self, level: float) -> Estimate | None:
        """Return the saved share with anytime bounds, to whole percents; None when the teacher costs nothing."""
        if not self.bounded or not len(self.teacher):
            return None
        return saving.saved(
            self.teacher,
            self.system,
            self.counts,
            cap=self.teacher_cap,
            n_max=self.n_max,
            delta=level,
            extra=self.own_cap,
        )

    def more_units(self, level: float) -> int | None:
        """Return how long the bet would have to go on."""
        if not self.bounded or not len(self.teacher):
            return None
        floor = max(self.bar * self.teacher_cap + self.own_cap, 1e-3 * self.teacher_cap)
        return power.more_units(1.0 + self._payoff / floor, self.counts, 1.0, self.n_max, level)

    def margin(self) -> float:
        """Return the margin of the mean payoff."""
        return _margin(self._payoff, self.counts, self.n_max, 0.0) if self.bounded else -inf

    @property
    def _payoff(self) -> Floats:
        return (1.0 - self.bar) * self.teacher - self.system


@dataclass(frozen=True)
class MeanAtMost:
    """The weighted mean of an amount in [0, `cap`] is at most `bar`."""

    values: Floats
    counts: Floats
    n_max: int
    bar: float
    cap: float

    @property
    def _mirrored(self) -> AtLeast:
        """The same claim about 1 - value / cap."""
        return AtLeast(1.0 - self.values / self.cap, self.counts, self.n_max, 1.0 - self.bar / self.cap)

    @property
    def bounded(self) -> bool:
        """Whether every amount kept to its cap."""
        return self.cap > 0 and bool((self.values <= self.cap * (1 + 1e-9)).all())

    def proven(self, level: float) -> bool:
        """Return whether the bet is won; an amount that cannot exceed the bar needs none."""
        if not self.bounded or not len(self.values):
            return False
        return self.bar >= self.cap or self._mirrored.proven(level)

    def failed(self, level: float) -> bool:
        """Return whether the lower bound is above the bar."""
        return self.bounded and self.bar < self.cap and self._mirrored.failed(level)

    def estimate(self, level: float) -> Estimate | None:
        """Return the weighted mean amount with anytime bounds."""
        found = self._mirrored.estimate(level) if self.bounded else None
        return found and _moved(found, lambda value: self.cap * (1.0 - value))

    def more_units(self, level: float) -> int | None:
        """Return how long the bet would have to go on."""
        return self._mirrored.more_units(level) if self.bounded and self.bar < self.cap else None

    def margin(self) -> float:
        """Return the margin of the mean amount."""
        return _margin(self.bar - self.values, self.counts, self.n_max, 0.0) if self.bounded else -inf


@dataclass(frozen=True)
class RateAtMost:
    """Among the answered, one pre-drawn request per unit, at most `bar` are wrong."""

    errors: int
    answered: int
    units: int
    """Drawn in all; the rest are answered by the teacher."""
    bar: float

    def proven(self, level: float) -> bool:
        """Return whether so few errors would be seen with probability at most `level` if the rate were the bar."""
        return bool(binomial.tail(self.errors, self.answered, self.bar) <= level)

    def failed(self, level: float) -> bool:
        """Return whether the lower bound is above the bar."""
        return self.answered > 0 and bool(binomial.lower(self.errors, self.answered, level) > self.bar)

    def estimate(self, level: float) -> Estimate | None:
        """Return the rate with exact bounds; None where nothing is answered."""
        if not self.answered:
            return None
        return Estimate(
            value=self.errors / self.answered,
            lower=float(binomial.lower(self.errors, self.answered, level)),
            upper=float(binomial.upper(self.errors, self.answered, level)),
            kind="exact",
            level=level,
            requests=self.answered,
            units=self.answered,
            effective=float(self.answered),
        )

    def more_units(self, level: float) -> int | None:
        """Return how many more units would, at the rate and the coverage seen."""
        if not self.answered:
            return None
        needed = binomial.units_needed_at_most(self.errors / self.answered, self.bar, level)
        if needed is None:
            return None
        return max(0 if self.proven(level) else 1, ceil((needed - self.answered) * self.units / self.answered))

    def margin(self) -> float:
        """Return the margin of the rate; half an error is added, so that none at all is not infinite."""
        if not self.answered:
            return -inf
        rate = (self.errors + 0.5) / (self.answered + 1)
        return float((self.bar - rate) / np.sqrt(rate * (1.0 - rate) / self.answered))


@dataclass(frozen=True)
class P95AtMost:
    """Of the answered, one pre-drawn request per unit, 95 % take at most `bar` milliseconds."""

    latency_ms: Floats
    """Of the answered ones; infinite where it was not measured."""
    units: int
    bar: float

    @property
    def _slow(self) -> RateAtMost:
        """The same claim: at most 5 % are slower."""
        return RateAtMost(int((self.latency_ms > self.bar).sum()), len(self.latency_ms), self.units, 1.0 - P95)

    def proven(self, level: float) -> bool:
        """Return whether the share of slow ones is proven to be at most 5 %."""
        return self._slow.proven(level)

    def failed(self, level: float) -> bool:
        """Return whether it is proven to be more."""
        return self._slow.failed(level)

    def estimate(self, level: float) -> Estimate | None:
        """Return the 95th percentile with exact bounds, which are latencies seen; None where too few were.

        The k-th fastest of n is an upper bound when fewer than k of n are below the percentile with chance 1 - `level`:
        with n < 59 at 5 % none is, whatever was measured.
        """
        n = len(self.latency_ms)
        ordered = np.sort(self.latency_ms)
        # P(Bin(n, 5 %) <= j) for j slower ones: as an upper bound the value with j above it misses with that chance.
        above = np.arange(n)
        enough = above[binomial.tail(above, np.full(n, n), 1.0 - P95) <= level] if n else above
        if not len(enough):
            return None
        upper = float(ordered[n - 1 - int(enough[-1])])
        below = above[binomial.tail(n - 1 - above, np.full(n, n), P95) <= level]
        lower = float(ordered[n - 1 - int(below[0])]) if len(below) else 0.0
        value = float(ordered[ceil(P95 * n) - 1])
        if not isfinite(upper) or not isfinite(value):
            return None
        return Estimate(
            value=value, lower=lower, upper=upper, kind="exact", level=level, requests=n, units=n, effective=float(n)
        )

    def more_units(self, level: float) -> int | None:
        """Return how many more units would, at the share of slow ones seen."""
        return self._slow.more_units(level)

    def margin(self) -> float:
        """Return the margin of the share of slow ones."""
        return self._slow.margin()


def _margin(payoff: Floats, counts: Floats, n_max: int, spread: float) -> float:
    """Return weighted mean over standard error; one more unit at distance `spread` keeps the error from being 0."""
    w = betting.weights(counts, n_max)
    total = float(w.sum())
    if not total:
        return -inf
    mean = float((w * payoff).sum()) / total
    squares = float((w * w * (payoff - mean) ** 2).sum()) + float((w * w).mean()) * spread * spread
    if not squares:
        return inf if mean > 0 else -inf if mean < 0 else 0.0
    return mean * total / float(np.sqrt(squares))


def _moved(found: Estimate, move: _Move) -> Estimate:
    """Return the estimate on another scale; a falling one swaps the bounds."""
    ends = sorted((move(found.lower), move(found.upper)))
    return Estimate(
        value=move(found.value),
        lower=ends[0],
        upper=ends[1],
        kind=found.kind,
        level=found.level,
        requests=found.requests,
        units=found.units,
        effective=found.effective,
    )


class _Move(Protocol):
    def __call__(self, value: float, /) -> float: ...
