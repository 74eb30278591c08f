"""What a candidate would be worth alone, and where it may not answer: what a good average hides."""

from __future__ import annotations

from overproof.core.types import Calibration, Candidate, CurvePoint, Estimate, Record, SliceResult, Verdict
from overproof.report.story import Story
from overproof.report.words import count, exactly, find_slice, interval, many, missing, percent, size

LEAST_UNITS = 30
"""A slice with fewer units is not held against the average: its interval says next to nothing."""


NOTHING_TO_MEASURE = "the teacher answers all of it, so there is nothing to measure"
"""Of a slice left to the teacher, where right means what the teacher says."""


def lacking(candidate: Candidate, name: str) -> str:
    """Return why the teacher goes on answering a critical slice; empty where the candidate may answer.

    The promise in question is the risk, and the evidence that of `calibrate`: bars on the slice are another matter.
    """
    calibration = candidate.calibration
    if name not in calibration.always_teacher:
        return ""
    if calibration.threshold is None:
        return "nothing certified at all"
    row = next((each for each in calibration.slices if each.slice == name), None)
    risk = f"risk ≤ {exactly(calibration.alpha)}"
    if row is None:
        why = f"{risk} could not be certified there"
    elif row.more_units is None:
        why = f"{risk} is missed: it errs as often or more, so more traffic will not help"
    elif row.more_units == 0:  # certified by its own count, not in the choice over all slices
        why = f"{risk}: its own count would do, but the threshold chosen over all slices is not certified there"
    else:
        why = f"{risk} lacks {missing(row.more_units, row.more_days)}"
    return f"{NOTHING_TO_MEASURE}; to take over, {why}" if calibration.reference == "teacher" else why


def unproven(candidate: Candidate, name: str) -> str:
    """Return the whole wording for a slice that is left to the teacher; empty where the candidate may answer."""
    why = lacking(candidate, name)
    return f"unproven: {why}; the teacher goes on answering" if why else ""


def teachers_own(candidate: Candidate, verdict: Verdict) -> bool:
    """Whether a verdict on the system says nothing of a candidate, because it takes nothing over."""
    return candidate.calibration.threshold is None and verdict.condition == "bar" and verdict.subject == "system"


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
    if starved(calibration):
        return f"may answer nothing: {_evidence_found(calibration)}; {exactly(calibration.alpha)} tolerated"
    best = min(_answering(calibration), key=lambda each: (each.risk, each.risk_upper))
    return (
        f"may answer nothing: wrong in {percent(best.risk)} of what it would answer "
        f"({percent(best.coverage)} of requests), {exactly(calibration.alpha)} tolerated"
    )


def starved(calibration: Calibration) -> bool:
    """Whether no threshold was certified for want of evidence: somewhere it errs less often than tolerated."""
    if calibration.threshold is not None:
        return False
    return min((each.risk for each in _answering(calibration)), default=0.0) < calibration.alpha


def _answering(calibration: Calibration) -> list[CurvePoint]:
    """Return the thresholds at which anything would be answered: the others have no risk to speak of."""
    return [each for each in calibration.curve if each.coverage > 0]


def _evidence_found(calibration: Calibration) -> str:
    """Return the counts behind the strictest threshold, and why they did not do.

    Half of delta goes to the sequence of thresholds, so no p above it can certify; one below may still be too large,
    for the level is shared out further over critical slices.
    """
    p, most = calibration.p_value, calibration.delta / 2
    short = (
        f"certification needs p ≤ {most:.3g}"
        if p > most
        else "enough by itself, but not with every threshold and critical slice counted"
    )
    return (
        f"{many(calibration.errors, 'error')} in {many(calibration.answered_units, 'answered unit')} "
        f"at the strictest threshold: p = {p:.2g}, {'and ' if p > most else ''}{short}"
    )


def too_little(story: Story, candidate: Candidate) -> str:
    """Return what a candidate misses that may answer nothing for want of evidence, and what would help."""
    units = story.prompts.split_units.get("calibrate", 0)
    calibration = candidate.calibration
    found = _evidence_found(calibration) if calibration.curve else "it speaks too seldom for any threshold to be tried"
    tested = ", which needs fresh traffic to be decided" if candidate.tested else ""
    return (
        f"{candidate.name} may answer nothing: no threshold could be certified with the {many(units, 'unit')} of "
        f"calibrate ({found}; \N{GREEK SMALL LETTER ALPHA} {exactly(calibration.alpha)}). "
        f"What helps: more traffic, or a larger \N{GREEK SMALL LETTER ALPHA}{tested}."
    )


def unanswered(story: Story) -> str:
    """Return how many test requests count as wrong for want of a reference answer; empty where none do."""
    rows = [(each, one) for one in story.candidates for each in one.verdicts if each.worst_case]
    if not rows:
        return ""
    verdict, candidate = max(rows, key=lambda row: (row[0].worst_case, row[0].slice == "all"))
    measured = find_slice(candidate, verdict.slice)
    n = measured.requests if measured is not None else story.prompts.requests.get("test", 0)
    where = "" if verdict.slice == "all" else f" in {verdict.slice}"
    have = "has" if verdict.worst_case == 1 else "have"
    return (
        f"{count(verdict.worst_case)} of {many(n, 'test request')}{where} {have} no usable reference answer and "
        f"{'counts' if verdict.worst_case == 1 else 'count'} as wrong"
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


class Outgrown(Record):
    """A student that does less than a much smaller one, and the slice that shows it best."""

    larger: Candidate
    smaller: Candidate
    slice: str
    of_larger: Estimate
    of_smaller: Estimate


def outgrown(story: Story) -> Outgrown | None:
    """Return the largest student of those that may answer less than the one shown first, which has half their size.

    The slice is where it falls furthest behind alone, of those with enough units. This describes: it is no verdict.
    """
    smaller = story.lead
    if smaller is None or smaller.family != "student" or not smaller.size_bytes:
        return None
    behind = [
        each
        for each in story.of("student")
        if (each.size_bytes or 0) >= 2 * smaller.size_bytes and each.calibration.coverage < smaller.calibration.coverage
    ]
    if not behind:
        return None
    larger = max(behind, key=lambda each: each.size_bytes or 0)
    found = [
        Outgrown(larger=larger, smaller=smaller, slice=row.slice, of_larger=row.student, of_smaller=other.student)
        for row in larger.slices
        for other in [find_slice(smaller, row.slice)]
        if other is not None and row.student is not None and other.student is not None
        if row.student.units >= LEAST_UNITS and row.student.value < other.student.value
    ]
    return max(found, key=lambda each: (each.of_smaller.value - each.of_larger.value, each.slice), default=None)


def outgrown_sentence(story: Story) -> str:
    """Return that size is not quality, with the figures; empty where the figures do not say so."""
    found = outgrown(story)
    if found is None:
        return ""
    where = "of all requests" if found.slice == "all" else f"in {found.slice}"
    return (
        f"Size is not quality: {found.larger.name} ({size(found.larger.size_bytes)}) may answer "
        f"{percent(found.larger.calibration.coverage)} of calibrate, {found.smaller.name} "
        f"({size(found.smaller.size_bytes)}) {percent(found.smaller.calibration.coverage)}; alone, the one is right in "
        f"{interval(found.of_larger)} {where}, the other in {interval(found.of_smaller)}, against "
        f"{story.promise.reference} answers."
    )


def _evidence(row: SliceResult) -> str:
    return f"{many(row.requests, 'request')} in {many(row.units, 'unit')}"


def _guarded(candidate: Candidate, row: SliceResult) -> str:
    """Say who answers the slice now."""
    if candidate.calibration.threshold is None or row.slice in candidate.calibration.always_teacher:
        return "The teacher goes on answering there."
    together = "" if row.system is None else f": together they are right in {interval(row.system)}"
    return f"There it answers only where it is sure ({percent(row.answered)}), the teacher the rest{together}."
