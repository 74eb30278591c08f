"""Choose one threshold and the critical slices the teacher keeps, so that every claim made holds at its level.

The claims: the error rate among the answered is at most alpha, overall and in each critical slice that is not left to
the teacher. The difficulty is that both the threshold t and the set E of slices left out are chosen by the same data.
A slice that is kept was kept because it looked good, so testing "overall" as if E had been fixed is wrong: of ten
critical slices that are all a little too bad, one or another would be let through far more often than δ.

So nothing is chosen before it is certified: each claim is certified for *all* pairs (t, E) at once, within its δ, and
then any pair may be picked by any rule. Over t by Learn-then-Test; over E by a division of δ fixed beforehand, `share`:
half to leaving nobody out, the other half evenly over how many are left out, then evenly over which. Slices with too
few units to be certified even without an error are left out before anything is scored, and cost nothing.

The rule that picks: of the certified pairs, the one that answers the most requests; where the test must prove the
same claims again (`Ahead`), only among those that it is likely to. The most lenient certified threshold sits, by its
making, where the error rate seen is just low enough: fresh units would confirm it about every second time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import comb

import numpy as np
from numpy.typing import NDArray

from overproof.proof import binomial, power, thresholds

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]
Counts = NDArray[np.int64]

ENOUGH = 20
"""Confidences of `tune` in a slice that say something about it."""
START, SLICE_START = 0.5, 0.8
"""Share of the units expected to be answered where the fixed sequence starts, if that is fewer than `start_units`: of
all traffic, and of a critical slice. Slices are small and start leniently; from half, good ones were kept a third less
often in simulation (300 worlds each, 800 units, slices of 12 to 15 %)."""
EARLIER = 0.85
"""Times the share of a slice that `tune` would have answered: where its sequence starts, if that is known. A harder
slice is then kept about twice as often as from 0.8 of its units (100 worlds each, 800 units)."""


@dataclass(frozen=True)
class Drawn:
    """What certification reads: one pre-drawn request per unit, for all traffic and for each critical slice."""

    confidence: Floats
    """Of each request; 0 where the candidate has nothing to say."""
    wrong: Mask
    """Whether its answer is not fully right; true where no reference could be had."""
    rows: Mapping[str, Rows]
    """For `all` and each critical slice: the drawn requests."""
    member: Mapping[str, Mask]
    """For each critical slice: which requests are in it."""


@dataclass(frozen=True)
class Claim:
    """What the evidence says about one claim at the chosen threshold."""

    units: int
    answered: int
    errors: int
    p_value: float
    level: float
    """Share of δ the claim had, given who was left out; each half of Learn-then-Test has half of it."""


@dataclass(frozen=True)
class Ahead:
    """The test to come, which must prove the same claims on fresh units."""

    level: float
    """At which it tests each claim."""
    units: float
    """Test units for each unit here."""
    chance: float
    """That a claim is proven again, at least, for a threshold to be picked or a slice to be kept."""


@dataclass(frozen=True)
class Choice:
    """The chosen threshold, who is left to the teacher, and the claims; no threshold: nothing could be certified."""

    threshold: float | None
    always_teacher: tuple[str, ...]
    claims: Mapping[str, Claim]
    """For `all` and every critical slice; for those left out, as if only the others were."""


def share(excluded: int, of: int) -> float:
    """Return the share of δ for one particular set of `excluded` out of `of` slices; over all sets they sum to 1."""
    if not of:
        return 1.0
    return 0.5 if not excluded else 0.5 / of / comb(of, excluded)


@dataclass
class Certifier:
    """Certifies claims for any pair of threshold and slices left out, and remembers those it has seen."""

    drawn: Drawn
    grid: Floats
    tune_share: Mapping[str, Floats]
    """For `all` and each critical slice: share of `tune` that reaches each threshold of the grid."""
    alpha: float
    delta: float
    start_units: int
    routable: tuple[str, ...]
    """Critical slices that can be left to the teacher, without those left out beforehand."""
    left_out: frozenset[str] = frozenset()
    """Left out beforehand."""
    ahead: Ahead | None = None
    starts: Mapping[str, float] = field(default_factory=dict)
    """For critical slices of which that is known: share of units that `tune` would have answered."""
    _seen: dict[tuple[str, frozenset[str]], Mask] = field(default_factory=dict)
    _others: dict[str, frozenset[str]] = field(default_factory=dict)
    _counted: dict[tuple[str, frozenset[str]], tuple[Counts, Counts]] = field(default_factory=dict)
    _chances: dict[tuple[str, frozenset[str], int], float] = field(default_factory=dict)

    def others(self, name: str) -> frozenset[str]:
        """Return the slices whose being left out would change what `name` answers."""
        if name not in self._others:
            self._others[name] = self._touching(name)
        return self._others[name]

    def _touching(self, name: str) -> frozenset[str]:
        if name == "all":
            return frozenset(self.routable)
        mine = self.drawn.member[name]
        return frozenset(each for each in self.routable if each != name and (self.drawn.member[each] & mine).any())

    def level(self, name: str, excluded: frozenset[str]) -> float:
        """Return what claim `name` may spend when `excluded` are left out."""
        others = self.others(name)
        return self.delta * share(len(excluded & others), len(others))

    def holds(self, name: str, excluded: frozenset[str]) -> Mask:
        """Return at which thresholds claim `name` is certified when `excluded` are left out."""
        key = (name, excluded & self.others(name))
        if key not in self._seen:
            self._seen[key] = self._certify(*key)
        return self._seen[key]

    def _certify(self, name: str, excluded: frozenset[str]) -> Mask:
        level = self.level(name, excluded)
        answered, errors = self.counts(name, excluded)
        p = binomial.tail(errors, answered, self.alpha)
        units = len(self.drawn.rows[name])
        least = binomial.least_units(self.alpha, level / 2)
        start = min(self.start_units, max(least, units * self._start(name)))
        return thresholds.certified(p, level, units * self.tune_share[name], start, least)

    def _start(self, name: str) -> float:
        if name == "all":
            return START
        return min(SLICE_START, EARLIER * self.starts[name]) if name in self.starts else SLICE_START

    def counts(self, name: str, excluded: frozenset[str]) -> tuple[Counts, Counts]:
        """Return answered units and errors among them at every threshold."""
        key = (name, excluded)
        if key not in self._counted:
            self._counted[key] = self._count(name, excluded)
        return self._counted[key]

    def _count(self, name: str, excluded: frozenset[str]) -> tuple[Counts, Counts]:
        rows = self.drawn.rows[name]
        gone = np.zeros(len(self.drawn.confidence), dtype=bool)
        for each in excluded | self.left_out:
            if each != name:
                gone |= self.drawn.member[each]
        rows = rows[~gone[rows]]
        found = thresholds.count(
            self.drawn.confidence[rows], ~self.drawn.wrong[rows], np.zeros(len(rows), dtype=np.intp), self.grid
        )
        if not len(rows):
            return np.zeros(len(self.grid), dtype=np.int64), np.zeros(len(self.grid), dtype=np.int64)
        return found.answered[0], found.errors[0]

    def chance(self, name: str, excluded: frozenset[str], t: int) -> float:
        """Return the chance that the test ahead proves claim `name` again; 1 when none is ahead."""
        if self.ahead is None:
            return 1.0
        key = (name, excluded & self.others(name), t)
        if key not in self._chances:
            answered, errors = self.counts(name, key[1])
            again = round(self.ahead.units * answered[t])
            found = power.chance_to_prove_again(int(errors[t]), int(answered[t]), self.alpha, self.ahead.level, again)
            self._chances[key] = found
        return self._chances[key]

    def keeps(self, name: str, excluded: frozenset[str], t: int) -> bool:
        """Return whether a critical slice is certified, and likely to be proven again."""
        least = self.ahead.chance if self.ahead else 0.0
        return bool(self.holds(name, excluded)[t]) and self.chance(name, excluded, t) >= least

    def excluded_at(self, t: int, kept_by_force: tuple[str, ...]) -> frozenset[str] | None:
        """Return who must be left out at threshold number `t`; None when a slice that no router can see fails."""
        out: frozenset[str] = frozenset()
        while True:
            fails = frozenset(name for name in self.routable if name not in out and not self.keeps(name, out, t))
            if not fails:
                return out if all(self.holds(name, out)[t] for name in kept_by_force) else None
            out |= fails

    def options(self, kept_by_force: tuple[str, ...]) -> Iterator[tuple[int, frozenset[str]]]:
        """Yield every certified pair of threshold number and slices left out, from lenient to strict."""
        for t in range(len(self.grid)):
            out = self.excluded_at(t, kept_by_force)
            if out is not None and self.holds("all", out)[t]:
                yield t, out


def choose(
    drawn: Drawn,
    grid: Floats,
    tune_confidence: Floats,
    *,
    alpha: float,
    delta: float,
    start_units: int,
    unroutable: frozenset[str] = frozenset(),
    tune_by_slice: Mapping[str, Floats] | None = None,
    starts: Mapping[str, float] | None = None,
    ahead: Ahead | None = None,
) -> Choice:
    """Return the certified threshold and exclusions that answer the most of all requests.

    For every claim made about the result (overall, each critical slice not in `always_teacher`) the chance that its
    true error rate exceeds `alpha` is at most `delta`. Units are independent draws; `grid` comes from `tune`. A slice
    in `unroutable` cannot be left to the teacher, for no request shows that it is in it before it is answered: no
    threshold is chosen at which it is not certified. `tune_by_slice` are the confidences of `tune` in each slice, from
    which the place is taken where a slice's sequence starts; all of `tune` stands in where they are fewer than 20.
    `starts` are the shares of their units that it would have answered there (`calibrate.shifts`), as far as known.
    With `ahead`, pairs that the test is unlikely to prove again are picked only if there is no better one.
    """
    critical = [name for name in drawn.rows if name != "all"]
    least = binomial.least_units(alpha, delta / 2)
    small = frozenset(name for name in critical if name not in unroutable and len(drawn.rows[name]) < least)
    routable = tuple(name for name in critical if name not in small and name not in unroutable)
    tuned = {name: (tune_by_slice or {}).get(name, tune_confidence) for name in drawn.rows}
    reach = {
        name: _reach(own if name != "all" and len(own) >= ENOUGH else tune_confidence, grid)
        for name, own in tuned.items()
    }
    certifier = Certifier(drawn, grid, reach, alpha, delta, start_units, routable, small, ahead, starts or {})
    forced = tuple(name for name in critical if name in unroutable)
    pairs = list(certifier.options(forced)) if len(grid) else []
    coverage = [_answers(drawn, grid[t], out | small) for t, out in pairs]
    if not pairs or not max(coverage):
        everyone = tuple(name for name in critical if name not in unroutable)
        return Choice(None, everyone, _claims(certifier, critical, max(len(grid) - 1, 0), frozenset()))
    t, out = pairs[_pick(coverage, [certifier.chance("all", out, t) for t, out in pairs], ahead)]
    left = tuple(name for name in critical if name in out | small)
    return Choice(float(grid[t]), left, _claims(certifier, critical, t, out))


def _pick(coverage: list[int], chances: list[float], ahead: Ahead | None) -> int:
    """Return which pair answers the most among those likely enough; if none is, the likeliest that answers anything."""
    likely = [chance >= (ahead.chance if ahead else 0.0) for chance in chances]
    worth = [n * good for n, good in zip(coverage, likely, strict=True)]
    if max(worth):
        return int(np.argmax(worth))
    return int(np.argmax([chance if n else -1.0 for n, chance in zip(coverage, chances, strict=True)]))


def _reach(tune_confidence: Floats, grid: Floats) -> Floats:
    return 1.0 - np.searchsorted(np.sort(tune_confidence), grid, side="left") / max(len(tune_confidence), 1)


def _answers(drawn: Drawn, threshold: float, excluded: frozenset[str]) -> int:
    answered = drawn.confidence >= threshold
    for name in excluded:
        answered &= ~drawn.member[name]
    return int(answered.sum())


def _claims(certifier: Certifier, critical: list[str], t: int, out: frozenset[str]) -> dict[str, Claim]:
    claims = {}
    for name in ("all", *critical):
        answered, errors = certifier.counts(name, out - {name})
        k, n = (int(errors[t]), int(answered[t])) if len(answered) else (0, 0)
        claims[name] = Claim(
            units=len(certifier.drawn.rows[name]),
            answered=n,
            errors=k,
            p_value=float(binomial.tail(k, n, certifier.alpha)),
            level=certifier.level(name, out - {name}),
        )
    return claims
