"""How figures are put into words: the same ones on the page and in the terminal.

Bounds are rounded outwards, so that a printed interval never promises more than the computed one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Literal

from markupsafe import Markup

from overproof.core.types import Candidate, Estimate, SliceResult, Verdict

Quantity = Literal["share", "points", "ms", "usd"]

NONE = "–"  # noqa: RUF001 - an en dash is meant: nothing to show
MINUS = "−"  # noqa: RUF001 - a true minus is as wide as the plus

SYMBOLS = {"proven": "✓", "failed": "✕", "unproven": "○", "no takeover": NONE, "not tested": NONE}
"""Beside the word, never instead of it: colour alone says nothing."""

KINDS = {
    "exact": "exact (binomial)",
    "anytime": "anytime-valid (betting)",
    "asymptotic": "asymptotic (describes, does not decide)",
}

METRICS = {
    "accuracy_minus_teacher": "accuracy minus the teacher's",
    "error_among_answered": "errors among answered",
    "saved_share": "saved of the teacher's cost",
    "latency_p95_ms": "latency, 95th percentile",
    "cost_per_1k": "cost per 1,000 requests",
}

SHORT = {"risk": "risk", "saving": "saving", "latency": "latency", "cost": "cost"}
"""Promises in one word each, for lists of them; a bar goes by its metric."""

LONG_WAIT = 730.0
"""Days after which a wait is no plan: the figure would only seem to be one."""

TOO_MANY = "far more units than this traffic brings"

SUBJECTS = {"system": "system", "student": "candidate alone"}

_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: str) -> str:
    """Return `text` without control characters, text-direction overrides and halves of characters."""
    return _UNSAFE.sub("\ufffd", text)


def breakable(name: str) -> Markup:
    """Return a name that may be broken after its joints (`words+` `characters`), and there before anywhere else."""
    return Markup("<wbr>").join(re.split(r"(?<=[+\-_/])(?=[^+\-_/])", name))


def sentence(text: str) -> str:
    """Return `text` with a full stop."""
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def percent(share: float | None) -> str:
    """Return a share as a percentage with one decimal; tiny and nearly whole shares are not rounded away."""
    if share is None or math.isnan(share):
        return NONE
    text = f"{100 * share:.1f}%"
    if text == "0.0%" and share > 0:
        return "<0.1%"
    if text.startswith("-"):
        return "0.0%" if text == "-0.0%" else text.replace("-", MINUS)
    return ">99.9%" if text == "100.0%" and share < 1 else text


def exactly(share: float) -> str:
    """Return a promised share or a level with the digits it was given, four at most."""
    return f"{round(100 * share, 6):.4g}%"


def dollars(amount: float | None) -> str:
    """Return dollars; below one, enough digits to see the first two. What is smaller than any price is called so."""
    if amount is None or not math.isfinite(amount):
        return NONE
    sign, size = (MINUS if amount < 0 else ""), abs(amount)
    if size < 1e-12:  # what is left of a difference that is none
        return "$0.00"
    if size < 0.0001:
        return f"<{sign}$0.0001"
    if size >= 1:
        return f"{sign}${size:,.2f}"
    return f"{sign}${size:.{max(2, 1 - math.floor(math.log10(size)))}f}"


def saved(amount: float) -> str:
    """Return what is saved a month; what no bill would show is nothing."""
    if abs(amount) < 0.005:
        return "nothing saved"
    return f"{dollars(amount)} saved a month" if amount > 0 else f"{dollars(-amount)} more a month"


def count(n: float) -> str:
    """Return a whole number with its thousands apart."""
    return f"{n:,.0f}"


def many(n: float, noun: str) -> str:
    """Return a number with its noun in the right form."""
    return f"{count(n)} {noun}{'' if round(n) == 1 else 's'}"


def margin(errors: float | None) -> str:
    """Return a margin in standard errors; a dash where there is none (nothing was answered)."""
    return NONE if errors is None else f"{errors:+.1f}".replace("-", MINUS)


def size(n_bytes: int | None) -> str:
    """Return a size on disk."""
    if n_bytes is None:
        return NONE
    for unit, power in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= power:
            return f"{n_bytes / power:.1f} {unit}"
    return f"{n_bytes} B"


def milliseconds(ms: float | None) -> str:
    """Return a duration given in milliseconds."""
    if ms is None or not math.isfinite(ms):
        return NONE
    if 0 < ms < 0.01:
        return "<0.01 ms"
    return f"{ms:,.2f} ms" if 0 < ms < 10 else f"{ms:,.0f} ms"


# --- promises and estimates -------------------------------------------------------------------------------------------


def quantity(verdict: Verdict) -> Quantity:
    """Return what a verdict's bar and estimate are measured in. A bar at or below zero bounds a difference."""
    if verdict.condition == "latency":
        return "ms"
    if verdict.condition == "cost":
        return "usd"
    return "points" if verdict.condition == "bar" and verdict.bar <= 0 else "share"


def value(amount: float, kind: Quantity) -> str:
    """Return an estimate's value in its unit."""
    if kind == "share":
        return percent(amount)
    if kind == "points":
        return f"{100 * amount:+.1f} points".replace("-", MINUS)
    return milliseconds(amount) if kind == "ms" else dollars(amount)


def _edge(amount: float, kind: Quantity, *, up: bool) -> str:
    """Return one end of an interval, rounded away from the middle."""
    if not math.isfinite(amount):
        return ("+" if amount > 0 else MINUS) + "∞" if not math.isnan(amount) else NONE
    scale = 100 if kind in ("share", "points") else 1
    digits = 1 if scale == 100 or (kind == "ms" and abs(amount) >= 10) else 2
    digits = 4 if kind == "usd" and 0 < abs(amount) < 0.1 else digits
    step = 10**digits
    raw = amount * scale * step
    whole = math.ceil(raw - 1e-7) if up else math.floor(raw + 1e-7)
    return f"{whole / step:,.{digits}f}".replace("-", MINUS)


def bounds(estimate: Estimate, kind: Quantity = "share") -> str:
    """Return the interval alone: `[92.6, 95.3]`."""
    return f"[{_edge(estimate.lower, kind, up=False)}, {_edge(estimate.upper, kind, up=True)}]"


def interval(estimate: Estimate | None, kind: Quantity = "share") -> str:
    """Return value and interval: `94.1% [92.6, 95.3]`."""
    return NONE if estimate is None else f"{value(estimate.value, kind)} {bounds(estimate, kind)}"


def bar(verdict: Verdict) -> str:
    """Return the bar with its direction: `≥ 92%`."""
    sign = "≥" if verdict.condition in ("bar", "saving") else "≤"
    kind = quantity(verdict)
    if kind == "share":
        return f"{sign} {exactly(verdict.bar)}"
    if kind == "points":
        return f"{sign} {100 * verdict.bar:+.6g} points".replace("-", MINUS)
    return f"{sign} {f'{verdict.bar:g} ms' if kind == 'ms' else dollars(verdict.bar)}"


def metric(verdict: Verdict) -> str:
    """Return what is measured, for people."""
    return METRICS.get(verdict.metric, verdict.metric.replace("_", " "))


def promised(verdict: Verdict) -> str:
    """Return what was promised: `accuracy ≥ 92%`."""
    return f"{metric(verdict)} {bar(verdict)}"


def named(verdict: Verdict) -> str:
    """Return a promise by its name alone: `saving`, `accuracy on german`."""
    name = metric(verdict) if verdict.condition == "bar" else SHORT[verdict.condition]
    return name if verdict.slice == "all" else f"{name} on {verdict.slice}"


def missing(more_units: int | None, more_days: float | None) -> str:
    """Return what it would take: `about 240 more units, 9 days at this rate`; no digits that an "about" cannot know."""
    if more_units is None:
        return "more units alone would not prove it"
    if more_days is not None and more_days > LONG_WAIT:
        return TOO_MANY
    return f"about {many(_about(more_units), 'more unit')}{_wait(more_days)}"


def afresh(verdict: Verdict) -> str:
    """Return what another decision would take, all of it fresh: the units shown once cannot decide again.

    Empty where the verdict lacks no units, or none would help.
    """
    if verdict.outcome != "unproven" or not verdict.more_units:
        return ""
    shown = verdict.estimate.units if verdict.estimate is not None else 0
    total = shown + verdict.more_units
    days = None if verdict.more_days is None else verdict.more_days * total / verdict.more_units
    if days is not None and days > LONG_WAIT:
        return TOO_MANY
    return f"about {many(_about(total), 'fresh unit')} in all{_wait(days)}"


def _about(units: int) -> int:
    return round(units, 2 - len(str(units))) if units >= 1000 else units


def _wait(days: float | None) -> str:
    if days is None or not math.isfinite(days):
        return ""
    return f", {many(math.ceil(days), 'day')} at this rate"


def doubt(verdict: Verdict) -> str:
    """Return what an unproven verdict lacks; empty for the others."""
    if verdict.outcome != "unproven":
        return ""
    if verdict.estimate is None and verdict.more_units is None:
        return "nothing here could be scored"
    return missing(verdict.more_units, verdict.more_days)


def outcome(verdict: Verdict) -> str:
    """Return the verdict in words; an unproven one says what it would take."""
    return verdict.outcome + (f": {doubt(verdict)}" if doubt(verdict) else "")


def levels(verdict: Verdict) -> str:
    """Return the kind of interval and its level a side; the verdict's own level where it is another."""
    estimate = verdict.estimate
    if estimate is None:
        return f"verdict at {exactly(verdict.level)}"
    own = "" if math.isclose(verdict.level, estimate.level) else f"; verdict at {exactly(verdict.level)}"
    return f"{estimate.kind}, {exactly(estimate.level)}{own}"


def weights(verdict: Verdict) -> str:
    """Return what happened to the weights, and what could not be scored; empty when there is nothing to say."""
    parts = [f"n_max {verdict.n_max}"] if verdict.n_max > 1 or verdict.capped > 0 else []
    if verdict.capped > 0:
        parts.append(f"{percent(verdict.capped)} of requests beyond it")
    if verdict.estimate is not None and round(verdict.estimate.effective) != verdict.estimate.units:
        parts.append(many(verdict.estimate.effective, "effective unit"))
    if verdict.worst_case:
        parts.append(f"{count(verdict.worst_case)} scored worst-case")
    return "; ".join(parts)


def provenance(estimates: Iterable[Estimate | None], reference: str) -> str:
    """Return the sentence under a figure: the reference, the kinds of interval, and the levels."""
    found = [each for each in estimates if each is not None]
    if not found:
        return f"Measured against {reference} answers; nothing could be scored."
    kinds = " and ".join(KINDS[kind] for kind in sorted({each.kind for each in found}))
    levels = sorted({each.level for each in found})
    span = exactly(levels[0]) if len(levels) == 1 else f"{exactly(levels[0])} to {exactly(levels[-1])}"
    return (
        f"Measured against {reference} answers. Intervals are {kinds}; each misses the truth on a given side "
        f"with chance at most {span}."
    )


# --- candidates -------------------------------------------------------------------------------------------------------


def find_verdict(candidate: Candidate, condition: str, name: str = "all") -> Verdict | None:
    """Return the verdict on the system for one condition and slice; a required one, and a level before a difference."""
    found = [each for each in candidate.verdicts if (each.condition, each.slice) == (condition, name)]
    system = [each for each in found if each.subject == "system"]
    return min(system, key=lambda each: (not each.required, quantity(each) == "points"), default=None)


def find_slice(candidate: Candidate, name: str = "all") -> SliceResult | None:
    """Return a candidate's row for one slice."""
    return next((row for row in candidate.slices if row.slice == name), None)


def standing(candidate: Candidate) -> str:
    """Return how a candidate stands: the worst of its required verdicts.

    One without a threshold takes nothing over: what is measured of its system is the teacher's doing.
    """
    if not candidate.tested:
        return "not tested"
    if candidate.calibration.threshold is None:
        return "no takeover"
    if candidate.proven:
        return "proven"
    outcomes = {each.outcome for each in candidate.verdicts if each.required}
    if outcomes == {"proven"}:
        return "proven"  # but exploratory, which is marked beside it
    return "failed" if "failed" in outcomes else "unproven"


def lacks(candidate: Candidate) -> str:
    """Return the required promises a candidate does not keep by name: `fails: saving; not proven: risk`."""
    required = [each for each in candidate.verdicts if each.required]
    told = {
        lead: ", ".join(named(each) for each in required if each.outcome == outcome)
        for lead, outcome in (("fails", "failed"), ("not proven", "unproven"))
    }
    return "; ".join(f"{lead}: {names}" for lead, names in told.items() if names)


def exploratory(candidate: Candidate) -> bool:
    """Whether anything it was told rests on a test that had been read before."""
    return any(each.exploratory for each in candidate.verdicts)
