"""What a candidate would be worth alone, and where it may not answer: what a good average hides."""

from __future__ import annotations

from overproof.core.types import Calibration, Candidate, Estimate, Record, SliceResult
from overproof.report.story import Story
from overproof.report.words import exactly, find_slice, interval, many, missing, percent

LEAST_UNITS = 30
"""A slice with fewer units is not held against the average: its interval says next to nothing."""


def lacking(candidate: Candidate, name: str) -> str:
    """Return why the teacher goes on answering a critical slice; empty where the candidate may answer."""
    calibration = candidate.calibration
    if name not in calibration.always_teacher:
        return ""
    if calibration.threshold is None:
        return "nothing certified at all"
    row = next((each for each in calibration.slices if each.slice == name), None)
    if row is None:
        return "nothing could be certified there"
    if row.more_units is None:
        return "errs as often as tolerated or more: more traffic will not help"
    if row.more_units == 0:  # certified by its own count, not in the choice over all slices
        return "no units are lacking, but the chosen threshold is not certified there"
    return missing(row.more_units, row.more_days)


def unproven(candidate: Candidate, name: str) -> str:
    """Return the whole wording for a slice that is left to the teacher; empty where the candidate may answer."""
    why = lacking(candidate, name)
    return f"unproven: {why}; the teacher goes on answering" if why else ""


def hopeless(candidate: Candidate) -> tuple[str, ...]:
    """Return the slices left to the teacher that more traffic alone will not bring."""
    calibration = candidate.calibration
    never = {each.slice for each in calibration.slices if each.more_units is None}
    return tuple(name for name in calibration.always_teacher if name in never and calibration.threshold is not None)


def uncertified(calibration: Calibration) -> str:
    """Return by how much a candidate that may answer nothing misses the tolerated risk; empty where it may answer."""
    if calibration.threshold is not None:
        return ""
    if not calibration.curve:
        return "may answer nothing: it speaks too seldom for any threshold to be tried"
    best = min(calibration.curve, key=lambda each: (each.risk, each.risk_upper))
    doubt = f", up to {percent(best.risk_upper)} not ruled out" if best.risk < calibration.alpha else ""
    return (
        f"may answer nothing: wrong in {percent(best.risk)} of what it would answer "
        f"({percent(best.coverage)} of requests){doubt}, {exactly(calibration.alpha)} tolerated"
    )


class Hidden(Record):
    """A slice on which a candidate alone is really worse than its average."""

    candidate: Candidate
    overall: SliceResult
    average: Estimate
    worst: SliceResult
    alone: Estimate


def hidden(story: Story) -> Hidden | None:
    """Return what the average of the candidate in question hides: the slice furthest below it; None where none is.

    Only slices whose whole interval lies below the candidate's own average count. This describes: it is no verdict.
    """
    one = _in_question(story)
    overall = find_slice(one) if one is not None else None
    if one is None or overall is None or overall.student is None:
        return None
    average = overall.student
    low = [
        Hidden(candidate=one, overall=overall, average=average, worst=row, alone=row.student)
        for row in one.slices
        if row.student is not None and row.student.units >= LEAST_UNITS and row.student.upper < average.value
    ]
    return min(low, key=lambda each: (each.alone.value, each.worst.slice), default=None)


def _in_question(story: Story) -> Candidate | None:
    """Return the winner, else the first student that was measured, tested ones first."""
    measured = [each for each in story.of("student") if each.slices]
    return story.winner or min(measured, key=lambda each: not each.tested, default=None)


def hidden_slice(story: Story) -> str:
    """Return what an average hides, with all its evidence; empty where it hides nothing."""
    found = hidden(story)
    if found is None:
        return ""
    return (
        f"Alone, {found.candidate.name} would be right in {interval(found.average)} of all requests "
        f"({_evidence(found.overall)}) but only {interval(found.alone)} in {found.worst.slice} "
        f"({_evidence(found.worst)}), against {story.promise.reference} answers: an average would have hidden that. "
        f"{_guarded(found.candidate, found.worst)}"
    )


def hidden_short(story: Story) -> str:
    """Return the same in one line, for a terminal."""
    found = hidden(story)
    if found is None:
        return ""
    return (
        f"{found.candidate.name} {percent(found.average.value)} of all, only {interval(found.alone)} "
        f"in {found.worst.slice}: an average hides that"
    )


def _evidence(row: SliceResult) -> str:
    return f"{many(row.requests, 'request')} in {many(row.units, 'unit')}"


def _guarded(candidate: Candidate, row: SliceResult) -> str:
    """Say who answers the slice now."""
    if candidate.calibration.threshold is None or row.slice in candidate.calibration.always_teacher:
        return "The teacher goes on answering there."
    together = "" if row.system is None else f": together they are right in {interval(row.system)}"
    return f"There it answers only where it is sure ({percent(row.answered)}), the teacher the rest{together}."
