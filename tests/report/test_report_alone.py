"""A good average hides no bad slice, and what a candidate may not answer is said with what it would take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from story_factory import calibration, candidate, estimate, story

from overproof.core.types import Candidate, CurvePoint, SliceThreshold
from overproof.report import alone
from overproof.report.story import Story

shares = st.floats(0, 1)


def told_of(*candidates: Candidate) -> Story:
    return replace(story("not_proven"), candidates=candidates)


def student(**slices: tuple[float, float, int]) -> Candidate:
    """Return a student whose slices have these values, upper bounds and units alone."""
    one = candidate("linear", reference="gold", kept=("german",))
    rows = tuple(
        replace(
            one.slices[0],
            slice=name,
            student=replace(estimate(value, units, units), lower=0.0, upper=upper, units=units),
        )
        for name, (value, upper, units) in slices.items()
    )
    return replace(one, slices=rows)


@given(average=shares, value=shares, width=st.floats(0, 1), units=st.integers(1, 200))
def test_a_slice_is_named_when_and_only_when_its_whole_interval_lies_below_the_average(
    average: float, value: float, width: float, units: int
) -> None:
    upper = min(1.0, value + width)
    one = student(all=(average, 1.0, 500), german=(value, upper, units))

    assert (alone.hidden(told_of(one)) is not None) == (upper < average and units >= alone.LEAST_UNITS)


@given(st.lists(st.tuples(shares, st.floats(0, 0.3), st.integers(1, 90)), max_size=6))
def test_no_other_slice_that_counts_is_further_below(slices: list[tuple[float, float, int]]) -> None:
    parts = {f"s{i}": (value, value + width, units) for i, (value, width, units) in enumerate(slices)}
    found = alone.hidden(told_of(student(all=(0.8, 0.9, 500), **parts)))
    counting = [value for value, upper, units in parts.values() if units >= alone.LEAST_UNITS and upper < 0.8]

    assert (None if found is None else found.alone.value) == min(counting, default=None)


def test_the_sentence_names_figures_evidence_reference_and_who_answers_there() -> None:
    told = alone.hidden_slice(story())

    assert told.startswith("Alone, linear would be right in 90.4% [")
    assert "of all requests (1,612 requests in 1,104 units) but only 64.5% [" in told
    assert "in german (145 requests in 97 units), against gold answers: an average would have hidden that." in told
    assert told.endswith("The teacher goes on answering there.")


def test_where_the_candidate_answers_some_of_it_the_sentence_says_how_much() -> None:
    one = candidate("linear", reference="teacher", weak=("long",))
    told = alone.hidden_slice(replace(story("not_proven", reference="teacher"), candidates=(one,)))

    assert "in long (274 requests in 208 units), against teacher answers" in told
    assert "There it answers only where it is sure (63.0%), the teacher the rest: together they are right in" in told


def test_the_winner_is_spoken_of_not_the_first_student() -> None:
    first = candidate("first", reference="gold", weak=("german",))
    second = candidate("linear", reference="gold")

    assert alone.hidden(replace(story(), candidates=(first, second))) is None
    assert alone.hidden(told_of(first, second)) is not None


def test_of_a_baseline_that_was_not_chosen_no_average_is_defended() -> None:
    assert alone.hidden(told_of(candidate("cache", reference="gold", family="baseline", weak=("german",)))) is None


def test_nothing_is_hidden_where_nothing_was_measured() -> None:
    untested = candidate("linear", reference="gold", tested=False)

    assert alone.hidden_slice(told_of(untested)) == alone.hidden_short(told_of(untested)) == ""
    assert alone.hidden(told_of(replace(candidate("linear", reference="gold"), slices=()))) is None


@pytest.mark.parametrize(
    ("more", "days", "wording"),
    [
        (39, 9.2, "unproven: risk ≤ 5% lacks about 39 more units, 10 days at this rate; the teacher goes on answering"),
        (39, None, "unproven: risk ≤ 5% lacks about 39 more units; the teacher goes on answering"),
        (
            None,
            None,
            (
                "unproven: risk ≤ 5% is missed: it errs as often or more, so more traffic will not help; "
                "the teacher goes on answering"
            ),
        ),
        (
            0,
            0.0,
            (
                "unproven: risk ≤ 5%: its own count would do, but the threshold chosen over all slices is not "
                "certified there; "
                "the teacher goes on answering"
            ),
        ),
    ],
)
def test_a_slice_left_to_the_teacher_says_what_it_would_take(
    more: int | None, days: float | None, wording: str
) -> None:
    one = candidate("linear", reference="gold", kept=("german",))
    row = SliceThreshold(
        slice="german", certified=False, answered_units=31, errors=2, p_value=0.4, more_units=more, more_days=days
    )
    left = replace(one, calibration=replace(one.calibration, slices=(row,)))

    assert alone.unproven(left, "german") == wording
    assert alone.hopeless(left) == (("german",) if more is None else ())


def test_a_slice_the_candidate_may_answer_lacks_nothing() -> None:
    assert alone.unproven(candidate("linear", reference="gold", kept=("german",)), "enterprise") == ""


def test_where_nothing_is_certified_no_slice_is_told_to_wait_for_its_own_units() -> None:
    told = alone.unproven(candidate("cache", reference="gold", certified=False), "german")

    assert told == "unproven: nothing certified at all; the teacher goes on answering"


def point(risk: float, upper: float, coverage: float = 1.0) -> CurvePoint:
    return CurvePoint(
        threshold=0.5, coverage=coverage, risk=risk, risk_upper=upper, teacher_share=1 - coverage, cost_per_1k=0.1
    )


@pytest.mark.parametrize(
    ("curve", "wording"),
    [
        ((), "may answer nothing: it speaks too seldom for any threshold to be tried"),
        (
            (point(0.131, 0.16), point(0.4, 0.5)),
            "may answer nothing: wrong in 13.1% of what it would answer (100.0% of requests), 5% tolerated",
        ),
        (
            (point(0.03, 0.08, 0.2),),
            (
                "may answer nothing: 1 error in 94 answered units at the strictest threshold: p = 0.048, and "
                "certification needs p ≤ 0.025; 5% tolerated"
            ),
        ),
    ],
)
def test_what_may_answer_nothing_says_by_how_much_it_misses(curve: tuple[CurvePoint, ...], wording: str) -> None:
    assert alone.uncertified(replace(calibration("cache", "gold", threshold=None), curve=curve)) == wording


def test_a_p_value_that_would_do_by_itself_is_not_said_to_be_too_large() -> None:
    found = replace(calibration("cache", "gold", threshold=None), p_value=0.02, curve=(point(0.03, 0.08),))

    assert "p ≤" not in alone.uncertified(found)
    assert "p = 0.02, enough by itself, but not with every threshold and critical slice" in alone.uncertified(found)


@pytest.mark.parametrize(
    ("curve", "starved"),
    [
        ((), True),
        ((point(0.049, 0.2),), True),
        ((point(0.05, 0.2),), False),
        ((point(0.3, 0.4), point(0.0, 1.0, coverage=0.0)), False),
    ],
)
def test_evidence_is_too_small_only_where_it_errs_less_often_than_tolerated(
    curve: tuple[CurvePoint, ...], starved: bool
) -> None:
    found = replace(calibration("cache", "gold", threshold=None), curve=curve)

    assert alone.starved(found) is starved
    assert not alone.starved(calibration("linear", "gold"))


def test_against_the_teacher_a_slice_it_answers_has_nothing_to_measure() -> None:
    one = candidate("linear", reference="teacher", kept=("german",))

    assert alone.lacking(one, "german") == (
        "the teacher answers all of it, so there is nothing to measure; to take over, risk ≤ 5% lacks about 140 more "
        "units, 12 days at this rate"
    )


def test_requests_without_a_reference_answer_are_counted() -> None:
    assert alone.unanswered(story()) == (
        "3 of 338 test requests in enterprise have no usable reference answer and count as wrong"
    )


def test_where_every_request_has_its_answer_nothing_is_said() -> None:
    one = candidate("linear", reference="gold")
    whole = replace(one, verdicts=tuple(replace(each, worst_case=0) for each in one.verdicts))

    assert alone.unanswered(told_of(whole)) == ""


def test_what_may_answer_misses_nothing() -> None:
    assert alone.uncertified(calibration("linear", "gold")) == ""
