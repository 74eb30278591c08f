"""Slices worth naming: where a student errs more often than elsewhere, in words."""

from __future__ import annotations

from overproof.core.types import SuggestedSlice, Suggestions
from overproof.report.story import Story
from overproof.report.words import count, exactly, interval, many, percent

WHAT_NAMING_DOES = (
    "Pasted as they are they describe and promise nothing. With critical = true, or under a bar, they change what is "
    "promised: the next decision then takes fresh test units."
)


def looked(found: Suggestions) -> str:
    """Return what was looked at, and how sure it is."""
    where = (
        f"{many(found.looked_at, 'value')} of metadata, language, length and topic {_were(found.looked_at)} looked at "
        f"on calibrate, each by itself: {found.candidate} alone, {many(found.units, 'unit')}, one drawn request for "
        f"each, against {found.reference} answers."
    )
    if not found.looked_at:
        return f"{where} None has enough units of its own."
    if not found.slices:
        return f"{where} None stands out more than chance explains (level {exactly(found.level)} for all together)."
    return (
        f"{where} Where nothing is unusual, anything at all stands out with a chance of {exactly(found.level)} at "
        "most; p is adjusted for all of them. Intervals are exact (binomial), "
        f"{exactly(found.slices[0].error.level)} a side, each for its slice alone: what stands out is seen larger than "
        "it is."
    )


def _were(n: int) -> str:
    return "was" if n == 1 else "were"


def short(story: Story) -> str:
    """Return what matters most in one line, for a terminal; empty where nothing stands out."""
    found = story.suggestions
    if found is None or not found.slices:
        return ""
    first, more = found.slices[0], len(found.slices) - 1
    return f"{first.where}: {versus(first)}{f'; {count(more)} more in the report' if more else ''}"


def versus(each: SuggestedSlice) -> str:
    """Return the slice's error rate beside the rest's."""
    return f"{interval(each.error)} errors, {percent(each.rest.value)} elsewhere"


def p_value(each: SuggestedSlice) -> str:
    """Return an adjusted p-value; how far permutations reach is not told as more than that."""
    return f"{each.p_value:.2g}"
