"""The terminal summary says the same as the page, on one screen."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len
from story_factory import HOSTILE, OUTCOMES, Outcome, candidate, story

from overproof.core.types import Candidate
from overproof.report import words
from overproof.report.sentences import headline, left_to_teacher, next_steps
from overproof.report.summary import MOST_SLICES, summary

outcomes = pytest.mark.parametrize("outcome", OUTCOMES)


@outcomes
def test_it_fits_one_screen(outcome: Outcome) -> None:
    lines = summary(story(outcome), page="triage/report.html").splitlines()

    assert len(lines) <= 50
    assert max(map(cell_len, lines)) <= 100


@outcomes
def test_it_opens_with_the_verdict_and_ends_with_the_page(outcome: Outcome) -> None:
    lines = summary(story(outcome), page="triage/report.html").splitlines()

    assert headline(story(outcome)) in lines[:4]
    assert lines[-1].split() == ["report", "triage/report.html"]


@outcomes
def test_every_candidate_is_in_it_with_its_standing(outcome: Outcome) -> None:
    told = story(outcome)
    text = summary(told)

    assert [each.name for each in told.candidates if each.name not in text] == []
    assert "not tested" in text


@outcomes
def test_what_every_candidate_is_worth_alone_is_in_it(outcome: Outcome) -> None:
    told = story(outcome)
    text = summary(told)

    assert [each.name for each in told.candidates if each.slices and not beside(each, text)] == []


def beside(one: Candidate, text: str) -> bool:
    row = one.slices[0]
    figures = " +".join(re.escape(words.interval(each)) for each in (row.student, row.system))
    return any(re.search(figures, each) for each in text.splitlines() if each.startswith(f"{one.name} "))


def test_slices_left_to_the_teacher_say_what_they_lack_in_the_words_of_the_page() -> None:
    lead = candidate("linear", reference="gold", kept=("enterprise", "german"))
    text = flat(summary(replace(story(), candidates=(lead,))))

    assert (
        "german: ○ unproven: risk ≤ 5% lacks about 140 more units, 12 days at this rate; the teacher goes on answering"
        in text
    )
    assert (
        "enterprise: ○ unproven: risk ≤ 5% is missed: it errs as often or more, so more traffic will not help; the "
        "teacher goes on answering" in text
    )


def test_it_says_what_an_average_hides() -> None:
    even = replace(story(), candidates=(candidate("linear", reference="gold"),))

    assert "linear 90.4% of all, only 64.5% [" in flat(summary(story()))
    assert "an average hides that" in flat(summary(story()))
    assert "hides" not in summary(even)


@outcomes
def test_what_to_do_next_stands_before_the_figures(outcome: Outcome) -> None:
    lines = [each.split("  ")[0] for each in summary(story(outcome)).splitlines()]

    assert lines.index("next") < lines.index("data")


def flat(text: str) -> str:
    return " ".join(text.split())


def test_what_does_not_fit_is_counted() -> None:
    told = story()
    many = tuple(replace(told.candidates[0], name=f"candidate-{i}") for i in range(30))

    assert "and 20 more candidates in the report" in summary(replace(told, candidates=many))


def test_it_says_what_unproven_would_take() -> None:
    one = replace(story("not_proven").candidates[2])
    brief = replace(story("not_proven"), candidates=(one,))

    assert "unproven: bar lacks ~164 more units, 9 days" in summary(brief)


@outcomes
def test_every_step_is_told_to_its_end(outcome: Outcome) -> None:
    told = story(outcome)
    text = flat(summary(told).replace("\nnext ", "\n"))
    below = set(left_to_teacher(told))

    assert [step for step in next_steps(told) if step not in below and step not in text] == []


def test_gate_and_threshold_are_not_cut() -> None:
    gate = "No baseline is proven: " + "majority is wrong in 91% of what it would answer; " * 6 + "that is all."
    nothing = candidate("linear", reference="gold", certified=False)
    text = flat(summary(replace(story(), gate=gate, candidates=(nothing,))))

    assert gate in text
    assert "certification needs p ≤ 0.025; 5% tolerated" in text


def test_what_a_row_lacks_is_named_below_the_table() -> None:
    text = summary(story("not_proven"))

    assert "answer_cache, linear: not proven: accuracy, accuracy on enterprise" in text


def test_a_candidate_that_takes_nothing_over_is_given_no_verdict() -> None:
    nothing = candidate("linear", reference="gold", certified=False)
    text = summary(replace(story(), candidates=(nothing,)))

    assert text.count("no takeover") == 1 + MOST_SLICES
    assert "✓ proven" not in text


def test_rows_set_aside_and_prompts_without_an_answer_are_counted() -> None:
    text = flat(summary(story()))

    assert "13 rows set aside" in text
    assert "82 prompts without any accepted answer" in text


def test_a_saving_no_bill_would_show_is_nothing() -> None:
    one = candidate("linear", reference="gold")
    assert one.economics is not None
    none = replace(one, economics=replace(one.economics, saved_per_month=-0.00003))

    assert "nothing saved; break-even" in summary(replace(story(), candidates=(none,)))


@outcomes
def test_exploratory_verdicts_are_marked(outcome: Outcome) -> None:
    assert ("proven, exploratory" in summary(story(outcome))) == (outcome == "exploratory")


def test_without_colour_it_is_plain_text() -> None:
    assert "\x1b" not in summary(story())
    assert "\x1b[" in summary(story(), color=True)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_can_neither_steer_the_terminal_nor_break_the_screen(text: str) -> None:
    lines = summary(story(hostile=text), page="report.html").splitlines()

    assert not {"\x1b", "\u202e"} & set("".join(lines))
    assert len(lines) <= 50
    assert "[bold red]" in "".join(lines) or "[bold red]" not in text


@settings(max_examples=25, deadline=None)
@given(text=st.text(min_size=1, max_size=60), width=st.integers(40, 160))
def test_no_text_makes_it_wider_than_the_terminal(text: str, width: int) -> None:
    lines = summary(story(hostile=text), width=width).split("\n")

    assert max(map(cell_len, lines)) <= width
    assert len(lines) <= 60
