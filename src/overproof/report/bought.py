"""What asking the teacher again bought, as the page tells it: labels that are right, mistakes fewer, for how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from overproof.core.types import Estimate, Kept, Sampling
from overproof.report import words
from overproof.report.svg import Scale

WAYS = {
    "first answer": "first answers, as they came",
    "targeted": "asked again where in doubt",
    "random": "asked again at random",
}
LEVEL = 0.025
"""Chance that an interval of `Kept` misses the truth on one given side."""


@dataclass(frozen=True)
class Group:
    """One slice, with every way of sampling in it."""

    slice: str
    rows: tuple[Kept, ...]


def groups(sampling: Sampling) -> tuple[Group, ...]:
    """Return the rows by slice, all traffic first, in the order of the ways."""
    order = list(WAYS)
    names = sorted(dict.fromkeys(row.slice for row in sampling.rows), key=lambda name: name != "all")
    return tuple(
        Group(
            name, tuple(sorted((row for row in sampling.rows if row.slice == name), key=lambda r: order.index(r.way)))
        )
        for name in names
    )


def accuracy(row: Kept) -> Estimate | None:
    """Return how many of the kept labels are right, with its interval; None where nothing was kept."""
    if not row.kept:
        return None
    return Estimate(
        value=row.right / row.kept,
        lower=row.lower,
        upper=row.upper,
        kind="exact",
        level=LEVEL,
        requests=row.kept,
        units=row.kept,
        effective=row.kept,
    )


def removed(row: Kept) -> int:
    """Return how many wrong labels fewer are learned from than if the first answers had been."""
    return (row.prompts - row.right_before) - (row.kept - row.right)


def per_dollar(row: Kept) -> str:
    """Return the wrong labels removed for each dollar spent beyond the first answers."""
    if row.usd <= 0:
        return words.NONE if row.way == "first answer" else f"{words.count(removed(row))} for nothing"
    return words.count(removed(row) / row.usd)


def scale(found: Sequence[Group]) -> Scale:
    """Return the scale that all tracks share: from the lowest bound to one."""
    lowest = min((row.lower for group in found for row in group.rows if row.kept), default=0.5)
    return Scale(low=max(0.0, int((lowest - 0.01) * 20) / 20), high=1.0)


def sentence(sampling: Sampling) -> str:
    """Return the whole in one sentence, for the page and the terminal."""
    what = f"{words.many(sampling.doubted, 'first answer')} doubted"
    if sampling.resampled:
        what += f", {words.many(sampling.resampled, 'prompt')} asked again ({words.many(sampling.answers, 'answer')})"
    if sampling.verified:
        what += f", {words.many(sampling.verified, 'answer')} verified, {words.count(sampling.refuted)} of them refuted"
    what += f"; {words.many(sampling.dropped, 'prompt')} left out; {words.dollars(sampling.usd)}"
    gained = gain(sampling)
    return f"{what}; {gained}" if gained else what


def gain(sampling: Sampling) -> str:
    """Return what became of the labels' accuracy, against gold; empty where there is none."""
    whole = {row.way: row for row in sampling.rows if row.slice == "all"}
    first, targeted = whole.get("first answer"), whole.get("targeted")
    if first is None or targeted is None or not first.kept or not targeted.kept:
        return ""
    return (
        f"labels right {words.percent(first.right / first.kept)} before and "
        f"{words.percent(targeted.right / targeted.kept)} after, against gold, "
        f"{words.percent(targeted.kept / targeted.prompts)} kept"
    )
