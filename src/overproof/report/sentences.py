"""The sentences a run comes down to: the verdict, and what to do next. Each follows from the records alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from overproof.core.types import Candidate, Verdict
from overproof.report.alone import hopeless, lacking, starved, too_little, unanswered, uncertified
from overproof.report.likeness import apart
from overproof.report.story import Story
from overproof.report.words import (
    TOO_MANY,
    afresh,
    bar,
    count,
    exactly,
    find_slice,
    find_verdict,
    interval,
    many,
    metric,
    named,
    outcome,
    percent,
    sentence,
)
from overproof.report.words import quantity as unit_of

BADGES = {
    "released": ("✓", "Released"),
    "baseline": ("✓", "Baseline suffices"),
    "not_proven": ("○", "Not proven"),
    "exploratory": ("◇", "Exploratory"),
}


def headline(story: Story) -> str:
    """Return the verdict in one sentence."""
    name = story.decision.winner
    if story.decision.outcome == "exploratory":
        return "Exploratory: these figures inform, and can release nothing."
    if story.decision.outcome == "not_proven" or name is None:
        return "Nothing is released: no candidate proved every promise."
    if story.decision.outcome == "baseline":
        return f"No student is needed: the baseline {name} proved every promise."
    row = find_slice(story.winner, "all") if story.winner else None
    takes = "may take over" if row is None else f"may answer {percent(row.answered)} of the requests itself"
    return f"{name} {takes}: every promise is proven."


def kept_line(story: Story) -> str:
    """Return which critical slices the winner leaves to the teacher; empty where it leaves none."""
    kept = story.winner.calibration.always_teacher if story.winner is not None else ()
    return f"The teacher goes on answering {_listed(kept)}: nothing could be certified there." if kept else ""


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def standing_line(story: Story) -> str:
    """Return what stands under the verdict: reference, evidence, and the level spent."""
    row = find_slice(story.lead, "all") if story.lead else None
    if row is not None:
        seen = f"on {many(row.requests, 'test request')} in {many(row.units, 'unit')}"
    else:
        seen = "on the test" if story.lead is not None else "up to calibration; no candidate was tested"
    return f"Measured against {story.promise.reference} answers {seen}; {spent(story)}."


def gate_line(story: Story) -> str:
    """Return what became of the baselines as a sentence; a name it begins with keeps its small letter."""
    told = sentence(story.gate)
    named = any(told.startswith(each.name) for each in story.candidates)
    return told if named else told[:1].upper() + told[1:]


def spent(story: Story) -> str:
    """Return what the decision cost of the error probability there is."""
    level = exactly(story.decision.level)
    if story.decision.outcome == "exploratory":
        return f"shown at a level of {level}, for orientation only"
    return f"error probability spent: {level} of {exactly(1 - story.promise.confidence)}"


def next_steps(story: Story) -> tuple[str, ...]:
    """Return what to do next: the caller's own steps first, then what follows from the records."""
    match story.decision.outcome:
        case "released":
            derived = _after_release(story)
        case "baseline":
            derived = _after_baseline(story)
        case "not_proven":
            derived = _after_nothing(story)
        case "exploratory":
            derived = _after_exploring(story)
    return (*story.next_steps, *_for_want_of_answers(story), *derived, *_data_warnings(story))


def _for_want_of_answers(story: Story) -> Iterator[str]:
    found = unanswered(story)
    if found and story.promise.reference == "gold":
        yield f"{found}: give right answers for them ([gold]) or narrow task.where, on fresh traffic."
    elif found:
        yield (
            f"{found}: let the teacher be asked for them (teacher.base_url, budget), on fresh traffic; where other "
            "models answered them, task.where can leave those out instead (\"model = '...'\")."
        )


def _after_exploring(story: Story) -> Iterator[str]:
    yield "To decide, run again once new traffic has brought test units that nobody has read."
    if story.lead is not None:
        yield from _collect([each for each in story.lead.verdicts if each.required])
    yield from left_to_teacher(story)


def _after_release(story: Story) -> Iterator[str]:
    winner = story.winner
    if winner is None:
        return
    yield from _let_answer(story, winner)
    yield from left_to_teacher(story)
    for verdict in winner.verdicts:
        left = verdict.condition == "risk" and verdict.slice in winner.calibration.always_teacher
        if not verdict.required and verdict.outcome != "proven" and verdict.subject == "system" and not left:
            yield f"Not part of the release, and not proven: {_told(verdict)}."


def _let_answer(story: Story, winner: Candidate) -> Iterator[str]:
    if winner.calibration.threshold is not None:
        yield (
            f"Let {winner.name} answer where its confidence is at least {winner.calibration.threshold:.3g}, and keep "
            f"{story.promise.teacher} behind it for the rest."
        )


def left_to_teacher(story: Story) -> Iterator[str]:
    """Yield which slices stay with the teacher and what each would take, where anything may be answered at all."""
    lead = story.lead
    if lead is None or lead.calibration.threshold is None or not lead.calibration.always_teacher:
        return
    kept, never = lead.calibration.always_teacher, hopeless(lead)
    leaves = "leaves" if story.winner is not None else "would leave"
    reasons = "; ".join(f"{name} (unproven: {lacking(lead, name)})" for name in kept)
    cure = f" For {_listed(never)}, look at the examples where student and teacher part." if never else ""
    yield f"{lead.name} {leaves} to the teacher: {reasons}.{cure}"


def _after_baseline(story: Story) -> Iterator[str]:
    yield (
        f"Use {story.decision.winner} instead of distilling. To go on anyway, raise the bars or the targets: "
        f"they say what it would have to be better at."
    )
    if story.winner is not None:
        yield from _let_answer(story, story.winner)
    yield from left_to_teacher(story)


def _after_nothing(story: Story) -> Iterator[str]:
    nearest = story.lead
    if nearest is None:
        yield "No candidate was tested: see its calibration below for what was missing."
        yield from (told for each in story.of("student") if (told := _uncertified(story, each)))
        return
    yield from filter(None, [_uncertified(story, nearest)])
    open_ones = [each for each in nearest.verdicts if each.required and each.outcome != "proven"]
    if nearest.calibration.threshold is None:
        yield from _consequences(open_ones)
        open_ones = [each for each in open_ones if each.condition == "bar"]
    for verdict in open_ones:
        yield f"{nearest.name}, {_told(verdict)}."
    hopes = starved(nearest.calibration)
    if any(each.outcome == "failed" for each in open_ones) or (nearest.calibration.threshold is None and not hopes):
        yield (
            "What failed will not be cured by more evidence: look at the examples where student and teacher part, "
            "mend labels or prompts, add a larger student, or promise less, which needs fresh traffic to be decided."
        )
    yield from _collect(open_ones)
    yield from left_to_teacher(story)


def _uncertified(story: Story, candidate: Candidate) -> str:
    """Return why a candidate may answer nothing, and whether more traffic would help; empty where it may answer."""
    if starved(candidate.calibration):
        return too_little(story, candidate)
    why = uncertified(candidate.calibration)
    return f"{candidate.name} {why}." if why else ""


def _consequences(open_ones: Sequence[Verdict]) -> Iterator[str]:
    """Yield the promises that are lost only because nothing is answered."""
    names = [named(each) for each in open_ones if each.condition != "bar"]
    if names:
        yield f"It answers nothing, so nothing can be shown of {_listed(names)}: that follows, and is no further fault."


def _collect(open_ones: Sequence[Verdict]) -> Iterator[str]:
    """Yield how much fresh evidence the next decision needs: the units shown here have been read."""
    hungry = [each for each in open_ones if afresh(each)]
    if not hungry:
        return
    most = max(hungry, key=_hunger)
    if afresh(most) == TOO_MANY:
        yield f"To prove {named(most)} would take {TOO_MANY}. To promise less there needs fresh traffic to be decided."
        return
    where = "" if most.slice == "all" else f" in {most.slice}"
    yield (
        f"Then run again with {afresh(most)}{where}, for those shown here cannot decide again "
        f"(counted for {named(most)}, the hungriest of these)."
    )


def _hunger(verdict: Verdict) -> tuple[float, int]:
    """Return how long a verdict would have to wait, and for how many units."""
    units = (verdict.more_units or 0) + (verdict.estimate.units if verdict.estimate is not None else 0)
    days = verdict.more_days or 0.0
    return (days * units / verdict.more_units if verdict.more_units else 0.0, units)


def _data_warnings(story: Story) -> Iterator[str]:
    where = apart(story.match)
    if where:
        yield (
            f"The prompt set differs from live traffic by {where}: more than chance explains, so look there before "
            f"trusting averages."
        )
    ceiling = story.ceiling
    bars = [each for each in (story.lead.verdicts if story.lead else ()) if each.condition == "bar"]
    highest = max((each.bar for each in bars), default=0.0)
    if ceiling is not None and ceiling.pairs and highest > ceiling.upper:
        caveat = (
            "no student can be proven to reach it"
            if story.promise.reference == "teacher"
            else "only filtering can lift a student above it"
        )
        yield (
            f"The bar {exactly(highest)} lies above what the teacher's agreement with itself allows "
            f"({percent(ceiling.upper)} at most): {caveat}."
        )


def _told(verdict: Verdict) -> str:
    where = "overall" if verdict.slice == "all" else f"on {verdict.slice}"
    measured = "" if verdict.estimate is None else f", measured {interval(verdict.estimate, unit_of(verdict))}"
    return f"{metric(verdict)} {where}: promised {bar(verdict)}{measured}, {outcome(verdict)}"


def break_even(candidate: Candidate) -> str:
    """Return after how many requests, and days at the log's rate, the saving has paid for what was spent."""
    money = candidate.economics
    if money is None or money.break_even_requests is None or not math.isfinite(money.break_even_requests):
        return "never"
    if money.break_even_requests <= 0:
        return "already"
    days = 30.44 * money.break_even_requests / money.requests_per_month if money.requests_per_month > 0 else None
    after = "" if days is None else f", about {many(math.ceil(days), 'day')}"
    return f"{count(_rounded(money.break_even_requests))} requests{after}"


def _rounded(n: float) -> float:
    """Round to two digits: what it rests on is not measured more finely."""
    return round(n, 1 - math.floor(math.log10(n))) if n >= 100 else n


def condition_words(candidate: Candidate) -> Iterator[tuple[str, str, str, Verdict | None]]:
    """Yield the key figures of a candidate: label, figure, what stands under it, and the verdict if there is one."""
    row = find_slice(candidate, "all")
    if row is not None:
        yield "answers itself", percent(row.answered), "the teacher answers the rest", None
    if row is not None and row.system is not None and find_verdict(candidate, "bar") is None:
        yield "accuracy of the system", interval(row.system), "no bar on all", None
    for condition in ("bar", "risk", "saving"):
        verdict = find_verdict(candidate, condition)
        if verdict is not None and verdict.estimate is not None:
            label = f"{metric(verdict)} of the system" if condition == "bar" else metric(verdict)
            yield label, interval(verdict.estimate, unit_of(verdict)), bar(verdict), verdict
