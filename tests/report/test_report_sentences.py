"""The sentences follow from the records."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from story_factory import OUTCOMES, Outcome, candidate, story

from overproof.core.types import Ceiling, Reference
from overproof.report.sentences import break_even, gate_line, headline, kept_line, next_steps, standing_line


def test_a_release_says_how_much_the_student_may_answer() -> None:
    assert headline(story("released")) == "linear may answer 63.0% of the requests itself: every promise is proven."


def test_a_proven_baseline_says_no_student_is_needed() -> None:
    assert headline(story("baseline")) == "No student is needed: the baseline answer_cache proved every promise."


@pytest.mark.parametrize("outcome", ["not_proven", "exploratory"])
def test_without_a_release_nothing_is_said_to_be_proven(outcome: Outcome) -> None:
    assert "is proven" not in headline(story(outcome))
    assert "release" in headline(story(outcome))


def test_a_winner_nothing_is_known_of_is_promised_nothing() -> None:
    told = replace(story(), candidates=())

    assert headline(told) == "linear may take over: every promise is proven."


def test_without_a_tested_candidate_no_test_figure_is_claimed() -> None:
    told = replace(story("not_proven"), candidates=(candidate("linear", reference="gold", tested=False),))

    assert "no candidate was tested" in standing_line(told)
    assert "1,612" not in standing_line(told)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_callers_steps_come_first(outcome: Outcome) -> None:
    told = replace(story(outcome), next_steps=("overproof next",))

    assert next_steps(told)[0] == "overproof next"
    assert len(next_steps(told)) > 1


def test_an_unproven_run_names_each_open_promise_and_how_much_to_collect() -> None:
    steps = next_steps(story("not_proven"))

    assert [step for step in steps if "accuracy on enterprise" in step and "about 164 more units" in step]


def test_the_next_decision_is_told_to_need_fresh_units_for_all_of_it() -> None:
    (step,) = [each for each in next_steps(story("not_proven")) if "run again" in each]

    assert "about 1,300 fresh units in all, 65 days at this rate, for those shown here cannot decide again" in step
    assert "164" not in step


def test_what_no_traffic_will_bring_is_not_told_to_be_collected() -> None:
    one = candidate("linear", reference="gold")
    far = replace(one.verdicts[0], outcome="unproven", more_units=51_000, more_days=12_800.0)
    steps = next_steps(replace(story("not_proven"), candidates=(replace(one, verdicts=(far,), proven=False),)))

    assert [step for step in steps if "far more units than this traffic brings" in step and "To prove" in step]
    assert not [step for step in steps if "51,000" in step or "run again" in step]


def test_what_failed_is_not_told_to_wait_for_more_evidence() -> None:
    steps = next_steps(replace(story("not_proven"), candidates=(candidate("linear", reference="gold", accuracy=0.7),)))

    cure = [step for step in steps if "will not be cured by more evidence" in step]

    assert cure
    assert "which needs fresh traffic to be decided" in cure[0]


@pytest.mark.parametrize(("reference", "cure"), [("gold", "[gold]"), ("teacher", "teacher.base_url")])
def test_requests_without_an_answer_are_a_step_that_names_its_cure(reference: Reference, cure: str) -> None:
    steps = next_steps(story("not_proven", reference=reference))

    assert [step for step in steps if "3 of 338 test requests" in step and cure in step]


def test_a_flagged_dimension_is_a_warning_in_every_outcome() -> None:
    assert [
        step
        for step in next_steps(story("baseline"))
        if "by language (de 9.0%, live 15.0%, and 1 more): more than chance explains" in step
    ]


def test_a_bar_above_the_ceiling_is_said_to_be() -> None:
    low = Ceiling(pairs=100, agreeing=60, agreement=0.6, upper=0.83, level=0.05, source="asked again")
    steps = next_steps(replace(story(reference="teacher"), ceiling=low))

    assert [step for step in steps if "no student can be proven to reach it" in step]


def test_break_even_is_told_in_requests_and_days() -> None:
    one = candidate("linear", reference="gold")
    assert one.economics is not None
    never = replace(one, economics=replace(one.economics, break_even_requests=None))

    assert break_even(one) == "9,000 requests, about 7 days"
    assert break_even(never) == "never"


@pytest.mark.parametrize("outcome", ["released", "not_proven", "exploratory"])
def test_what_is_left_to_the_teacher_is_a_step_with_what_it_would_take(outcome: Outcome) -> None:
    leaves = "leaves" if outcome == "released" else "would leave"
    wanted = (
        f"linear {leaves} to the teacher: german (unproven: risk ≤ 5% lacks about 140 more units, "
        "12 days at this rate)."
    )

    assert wanted in next_steps(story(outcome))


def test_the_gate_is_told_as_a_sentence_that_changes_no_name() -> None:
    assert gate_line(replace(story(), gate="no baseline was tried")) == "No baseline was tried."
    assert gate_line(replace(story(), gate="majority is proven")) == "majority is proven."


def test_a_baseline_that_suffices_says_how_to_use_it_and_what_it_leaves_to_the_teacher() -> None:
    winner = candidate("answer_cache", reference="gold", family="baseline", kept=("enterprise",))
    steps = next_steps(replace(story("baseline"), candidates=(winner,)))

    assert [step for step in steps if step.startswith("Let answer_cache answer where its confidence is at least 0.83")]
    assert [step for step in steps if "more traffic will not help). For enterprise, look at the examples" in step]


def test_a_slice_left_to_the_teacher_by_the_winner_stands_beside_the_verdict() -> None:
    both = candidate("linear", reference="gold", kept=("enterprise", "german"))

    assert kept_line(replace(story(), candidates=(both,))) == (
        "The teacher goes on answering enterprise and german: nothing could be certified there."
    )
    assert kept_line(story("baseline")) == kept_line(story("not_proven")) == ""


def test_where_nothing_may_be_answered_the_first_step_says_why() -> None:
    nothing = candidate("cache", reference="gold", family="baseline", certified=False)
    steps = next_steps(replace(story("not_proven"), candidates=(nothing,)))

    (why,) = [step for step in steps if step.startswith("cache may answer nothing")]

    assert "with the 1,085 units of calibrate (1 error in 94 answered units" in why
    assert "needs fresh traffic" in why
    assert not [step for step in steps if "leaves to the teacher" in step]


def test_where_nothing_was_tested_every_student_says_what_it_misses() -> None:
    steps = next_steps(replace(story("not_proven"), candidates=(candidate("linear", reference="gold", tested=False),)))

    assert [step for step in steps if step.startswith("linear may answer nothing: no threshold")]


def starving(risk: float) -> tuple[str, ...]:
    one = candidate("linear", reference="gold", certified=False)
    curve = (replace(one.calibration.curve[0], risk=risk),)
    saving = replace(one.verdicts[6], outcome="failed")
    lost = replace(one, calibration=replace(one.calibration, curve=curve), verdicts=(saving,), proven=False)
    return next_steps(replace(story("not_proven"), candidates=(lost,)))


def test_what_fails_only_because_nothing_may_be_answered_is_told_as_a_consequence() -> None:
    steps = starving(0.02)

    assert [step for step in steps if "nothing can be shown of saving" in step]
    assert [step for step in steps if "What helps: more traffic" in step]
    assert not [step for step in steps if "larger student" in step]


def test_what_errs_as_often_as_tolerated_is_told_to_try_a_larger_student() -> None:
    steps = starving(0.05)

    assert [step for step in steps if "add a larger student" in step]
    assert not [step for step in steps if "more traffic, or" in step]
