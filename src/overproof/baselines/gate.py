"""The gate: is there a baseline that keeps every promise, so that nothing needs to be distilled?"""

from __future__ import annotations

import math
from collections.abc import Sequence

from overproof.core.types import Calibration, Candidate, Record, Verdict

_AT_MOST = ("risk", "latency", "cost")


class Miss(Record):
    """A baseline that is not proven, and by what."""

    name: str
    reason: str
    """For people: the required promise it misses worst, and by how much."""


class GateVerdict(Record):
    """What the gate found."""

    winner: str | None
    """The cheapest proven baseline, None when none is."""
    reason: str
    """One sentence for people."""
    misses: tuple[Miss, ...] = ()
    """Of the others, in the order they were handed in."""


def gate(candidates: Sequence[Candidate]) -> GateVerdict:
    """Return the proven baseline with the lowest blended cost, or why there is none; students are left out."""
    baselines = [each for each in candidates if each.family == "baseline"]
    proven = sorted((each for each in baselines if each.proven), key=lambda each: (_blended(each), each.name))
    misses = tuple(Miss(name=each.name, reason=_why_not(each)) for each in baselines if not each.proven)
    if proven:
        return GateVerdict(winner=proven[0].name, reason=_won(proven[0]), misses=misses)
    told = "; ".join(f"{miss.name}: {miss.reason}" for miss in misses)
    reason = f"no baseline is proven to keep every promise ({told})" if misses else "no baseline was tried"
    return GateVerdict(winner=None, reason=reason, misses=misses)


def _blended(candidate: Candidate) -> float:
    return math.inf if candidate.economics is None else candidate.economics.blended_per_1k


def _won(candidate: Candidate) -> str:
    cost = "" if candidate.economics is None else f" at ${candidate.economics.blended_per_1k:.4g} per 1,000 requests"
    return f"{candidate.name} is proven to keep every promise{cost}: nothing needs to be distilled"


def _why_not(candidate: Candidate) -> str:
    """Return the required promise the candidate misses worst; failed is worse than unproven."""
    if candidate.calibration.threshold is None:
        return _uncertified(candidate.calibration)
    missed = [each for each in candidate.verdicts if each.required and each.outcome != "proven"]
    if missed:
        return _told(max(missed, key=_badness))
    return "not tested" if not candidate.tested else "not proven, though no required promise is missed"


def _uncertified(calibration: Calibration) -> str:
    """Return by how much a baseline that may answer nothing misses the risk it would have to keep."""
    if not calibration.curve:
        return "it speaks too seldom for any threshold to be tried"
    best = min(calibration.curve, key=lambda point: point.risk)
    reach = "" if best.coverage > 0.995 else f" of the {best.coverage:.0%} it would answer"
    return f"wrong in {best.risk:.1%}{reach}, {100 * calibration.alpha:g}% tolerated"


def _badness(verdict: Verdict) -> tuple[bool, float]:
    """Return failed before unproven, then how far the bound is on the wrong side, relative to the bar."""
    if verdict.estimate is None:
        return verdict.outcome == "failed", math.inf
    if verdict.condition in _AT_MOST:
        gap = verdict.estimate.upper - verdict.bar
    else:
        gap = verdict.bar - verdict.estimate.lower
    return verdict.outcome == "failed", gap / max(abs(verdict.bar), 1e-9)


def _told(verdict: Verdict) -> str:
    """Return "accuracy 0.869 against a bar of 0.92, failed"."""
    where = "" if verdict.slice == "all" else f" on {verdict.slice}"
    metric = verdict.metric.replace("_", " ")
    limit = "a limit" if verdict.condition in _AT_MOST else "a bar"
    if verdict.estimate is None:
        return f"{metric}{where} could not be measured, {verdict.outcome}"
    sure = ""
    if verdict.outcome == "unproven":
        sure = f" ({_short(verdict.estimate.lower)} to {_short(verdict.estimate.upper)})"
    measured = f"{metric}{where} {_short(verdict.estimate.value)}{sure}"
    return f"{measured} against {limit} of {_short(verdict.bar)}, {verdict.outcome}"


def _short(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
