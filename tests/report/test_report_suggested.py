"""Slices worth naming stand on the page with all they rest on, and in one line of the terminal."""

from __future__ import annotations

import re

import pytest
from msgspec.structs import replace
from story_factory import HOSTILE, OUTCOMES, Outcome, estimate, story

from overproof.core.quoting import equals, toml_text
from overproof.core.types import SuggestedSlice, Suggestions
from overproof.report.page import render
from overproof.report.story import Story
from overproof.report.suggested import looked
from overproof.report.summary import summary

WHAT_PASTING_DOES = "describe and promise nothing"


def suggested(value: str, error: float = 0.31) -> SuggestedSlice:
    where = equals("region", value)
    assert where is not None
    return SuggestedSlice(
        name=f"region {value}",
        where=where,
        requests=98,
        units=57,
        error=estimate(error, 98, 57, kind="exact"),
        rest=estimate(0.08, 1500, 800, kind="exact"),
        excess=0.0153,
        p_value=0.0125,
        toml=f"[[slices]]\nname = {toml_text(value)}\nwhere = {toml_text(where)}\ncritical = false\n",
    )


def with_slices(*slices: SuggestedSlice, outcome: Outcome = "released", looked_at: int = 24) -> Story:
    found = Suggestions(candidate="linear", reference="gold", looked_at=looked_at, units=857, level=0.05, slices=slices)
    return replace(story(outcome), suggestions=found)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_page_says_where_how_much_of_how_many_and_what_to_paste(outcome: Outcome) -> None:
    page = render(with_slices(suggested("east"), outcome=outcome))

    for part in ("region = &#39;east&#39;", "31.0%", "98 <br>in 57", "1.5%", "0.013", "[[slices]]", WHAT_PASTING_DOES):
        assert part in page
    assert 'href="#suggested"' in page
    assert 'id="suggested"' in page


def test_the_sentence_names_reference_evidence_level_and_kind() -> None:
    found = with_slices(suggested("east")).suggestions
    assert found is not None
    said = looked(found)

    for part in ("24 values", "calibrate", "linear alone", "857 units", "gold", "5%", "exact (binomial)"):
        assert part in said
    assert "seen larger than it is" in said


@pytest.mark.parametrize(("looked_at", "says"), [(24, "None stands out"), (1, "1 value "), (0, "enough units")])
def test_where_nothing_stands_out_that_is_said_and_nothing_is_to_be_pasted(looked_at: int, says: str) -> None:
    page = render(with_slices(looked_at=looked_at))

    assert says in page
    assert WHAT_PASTING_DOES not in page


def test_where_nobody_looked_nothing_is_said() -> None:
    page = render(story())

    assert 'id="suggested"' not in page
    assert 'href="#suggested"' not in page


@pytest.mark.parametrize("value", [*HOSTILE, "</code></pre><script>x</script>", "a\u202eb", 'it\'s "so"'])
def test_whatever_a_value_holds_it_stays_a_text(value: str) -> None:
    page = render(with_slices(suggested(value)))

    assert "<script" not in page
    assert "<img" not in page
    assert not re.search("[\u202a-\u202e]", page)


def test_the_terminal_has_one_line_for_what_matters_most() -> None:
    text = summary(with_slices(suggested("east"), suggested("west", 0.22)))
    lines = [line for line in text.splitlines() if line.startswith("suggests")]

    assert len(lines) == 1
    assert "region = 'east': 31.0%" in lines[0]
    assert "8.0% elsewhere; 1 more in the report" in lines[0]
    assert "suggests" not in summary(with_slices())


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_line_never_costs_another_one_its_place(outcome: Outcome) -> None:
    with_line = summary(with_slices(suggested("east"), outcome=outcome))
    without = summary(story(outcome))

    assert len(with_line.splitlines()) <= 50
    assert {line for line in without.splitlines() if line} <= set(with_line.splitlines())
