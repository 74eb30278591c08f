"""The terminal summary says the same as the page, on one screen."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len
from story_factory import HOSTILE, OUTCOMES, Outcome, story

from overproof.report.sentences import headline
from overproof.report.summary import summary

outcomes = pytest.mark.parametrize("outcome", OUTCOMES)


@outcomes
def test_it_fits_one_screen(outcome: Outcome) -> None:
    lines = summary(story(outcome), page="triage/report.html").splitlines()

    assert len(lines) <= 40
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


def test_what_does_not_fit_is_counted() -> None:
    told = story()
    many = tuple(replace(told.candidates[0], name=f"candidate-{i}") for i in range(30))

    assert "and 24 more candidates in the report" in summary(replace(told, candidates=many))


def test_it_says_what_unproven_would_take() -> None:
    assert "unproven: ~164 more units, 9 days" in summary(story("not_proven"))


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
    assert len(lines) <= 40
    assert "[bold red]" in "".join(lines) or "[bold red]" not in text


@settings(max_examples=25, deadline=None)
@given(text=st.text(min_size=1, max_size=60), width=st.integers(40, 160))
def test_no_text_makes_it_wider_than_the_terminal(text: str, width: int) -> None:
    lines = summary(story(hostile=text), width=width).split("\n")

    assert max(map(cell_len, lines)) <= width
    assert len(lines) <= 60
