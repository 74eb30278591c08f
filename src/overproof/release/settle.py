"""Settle a run: which candidate ships, if any, and why, in one sentence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from overproof.core.types import Candidate, Decision, Verdict
from overproof.release.ledger import Permit

LONG_WAIT = 730.0
"""Days after which a wait is no plan."""

ALIKE = 0.01
"""Costs that lie no further apart than this share are the same: latencies, and so costs, are measured anew each time
they are needed."""

NEEDED = frozenset({("risk", "all"), ("saving", "all")})
"""Conditions without which nothing ships, whatever the contract says."""


def settle(
    baselines: Sequence[Candidate], students: Sequence[Candidate], permit: Permit, *, past_gate: bool = False
) -> Decision:
    """Return the decision: a proven baseline before any student, among several the lowest blended cost.

    Baselines and students were tested as two families with their shares of `permit.level`; each in its sequence, so any
    of the proven may be picked. With `past_gate` the user prefers a proven student even so. An exploratory permit never
    releases, whatever was proven.
    """
    if permit.exploratory:
        return Decision(outcome="exploratory", reason=permit.reason, level=permit.level)
    baseline = _cheapest(each for each in baselines if ships(each))
    student = _cheapest(each for each in students if ships(each))
    if baseline is not None and not (past_gate and student is not None):
        reason = f"{baseline.name} keeps every promise without a student; {_money(baseline)}"
        return Decision(outcome="baseline", winner=baseline.name, reason=reason, level=permit.level)
    if student is not None:
        rank = _rank([each for each in students if ships(each)])
        reason = f"{student.name} keeps every promise, {rank}; {_money(student)}"
        return Decision(outcome="released", winner=student.name, reason=reason, level=permit.level)
    return Decision(outcome="not_proven", reason=_missing([*students, *baselines]), level=permit.level)


def ships(candidate: Candidate) -> bool:
    """Return whether a candidate was tested and proven in everything required, with nothing required left out."""
    required = [each for each in candidate.verdicts if each.required]
    there = {(each.condition, each.slice) for each in required if each.subject == "system"}
    return (
        candidate.tested
        and candidate.calibration.threshold is not None
        and there >= NEEDED
        and all(each.outcome == "proven" and not each.exploratory for each in required)
    )


def _cheapest(candidates: Iterable[Candidate]) -> Candidate | None:
    """Return the candidate with the lowest blended cost; of those that cost about the same, the smallest."""
    alike = [(each.size_bytes or 0, cost, each.name, each) for cost, each in _cost_least(candidates)]
    return min(alike, key=lambda row: row[:3])[3] if alike else None


def _cost_least(candidates: Iterable[Candidate]) -> list[tuple[float, Candidate]]:
    """Return the candidates that cost about as little as the cheapest one, each behind its cost."""
    priced = [(each.economics.blended_per_1k, each) for each in candidates if each.economics is not None]
    enough = min((cost for cost, _ in priced), default=0.0) * (1 + ALIKE)
    return [(cost, each) for cost, each in priced if cost <= enough]


def _rank(proven: Sequence[Candidate]) -> str:
    """Say why the one that ships does; costs that differ by what a clock may do make no other sentence."""
    if len(proven) == 1:
        return "the only one proven"
    alike = len(_cost_least(proven))
    first = f"the smallest of the {alike} that cost least," if alike > 1 else "the cheapest"
    return f"{first} of {len(proven)} proven"


def _money(candidate: Candidate) -> str:
    money = candidate.economics
    assert money is not None  # only priced candidates are compared
    answered = next((row.answered for row in candidate.slices if row.slice == "all"), candidate.calibration.coverage)
    return (
        f"it answers {_share(answered)} itself and costs {_price(money.blended_per_1k)} per thousand requests "
        f"instead of {_price(money.teacher_per_1k)}"
    )


def _share(answered: float) -> str:
    """Return a share in whole percent; nearly all is not called all, and hardly any not none."""
    if 0.995 <= answered < 1:
        return ">99%"
    return "<1%" if 0 < answered < 0.005 else f"{answered:.0%}"


def _price(usd: float) -> str:
    if 0 < usd < 0.0001:
        return "less than $0.0001"
    return f"${usd:,.2f}" if usd >= 1 else f"${usd:.2g}"


def _missing(candidates: Sequence[Candidate]) -> str:
    """Say what the candidate that was tested first lacks, and how much more evidence would do."""
    tested = [each for each in candidates if each.tested]
    if not tested:
        return "no candidate came as far as the test: nothing could be certified"
    first = max(tested, key=lambda each: -1e9 if each.margin is None else each.margin)
    if first.calibration.threshold is None:  # what else it lacks follows from that
        return f"{first.name} was the likeliest to pass and may answer nothing: no threshold could be certified"
    open_ = [each for each in first.verdicts if each.required and each.outcome != "proven"]
    if not open_:
        return f"{first.name} lacks a condition or a price, so it cannot ship"
    return f"{first.name} was the likeliest to pass and lacks: {'; '.join(_told(each) for each in open_)}"


def _told(verdict: Verdict) -> str:
    what = f"{verdict.condition} on {verdict.slice}"
    if verdict.outcome == "failed":
        return f"{what} (failed)"
    if verdict.more_units is None:
        return f"{what} (unproven)"
    if verdict.more_days is not None and verdict.more_days > LONG_WAIT:
        return f"{what} (unproven: far more units than this traffic brings)"
    days = "" if verdict.more_days is None else f", {_many(math.ceil(verdict.more_days), 'day')} at this rate"
    return f"{what} (unproven: about {_many(verdict.more_units, 'more unit')}{days})"


def _many(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
