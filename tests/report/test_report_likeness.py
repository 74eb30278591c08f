"""Of each dimension the values that tell most are drawn, and none is lost."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from story_factory import story

from overproof.core.types import Match, MatchRow
from overproof.report import charts, likeness
from overproof.report.likeness import Value

shares = st.dictionaries(st.text(max_size=4), st.floats(0, 1), max_size=30)


def row(ours: dict[str, float], live: dict[str, float], moved: tuple[str, ...] = (), name: str = "label") -> MatchRow:
    return MatchRow(
        dimension=name,
        total_variation=0.1,
        expected=0.2,
        prompt_set=ours,
        live=live,
        explained=dict.fromkeys(live, 0.01),
        moved=moved,
        flagged=bool(moved),
    )


def match(*rows: MatchRow) -> Match:
    return Match(rows=rows, auc=0.5, auc_lower=0.4, auc_upper=0.6, prompt_set_requests=1, live_requests=1)


@given(ours=shares, live=shares)
def test_rare_values_are_summed_up_not_dropped(ours: dict[str, float], live: dict[str, float]) -> None:
    drawn = likeness.values(row(ours, live))

    assert sum(each.ours for each in drawn) == pytest.approx(sum(ours.values()))
    assert sum(each.live for each in drawn) == pytest.approx(sum(live.values()))
    assert len(drawn) <= likeness.SHOWN_VALUES + 1


@given(live=shares, data=st.data())
def test_what_moved_is_always_drawn(live: dict[str, float], data: st.DataObject) -> None:
    names = st.lists(st.sampled_from(sorted(live)), unique=True, max_size=likeness.SHOWN_VALUES)
    moved = tuple(data.draw(names)) if live else ()
    drawn = likeness.values(row(live, live, moved))

    assert {each.name for each in drawn if each.moved} == set(moved)


@given(live=shares)
def test_values_are_drawn_by_how_common_they_are(live: dict[str, float]) -> None:
    drawn = [each.live for each in likeness.values(row(live, live)) if each.chance is not None]

    assert drawn == sorted(drawn, reverse=True)


def test_lengths_keep_their_order() -> None:
    live = {"up to 9": 0.1, "10 to 20": 0.5, "over 20": 0.4}

    assert [each.name for each in likeness.values(row(live, live, name="length"))] == list(live)


@pytest.mark.parametrize(
    ("moved", "wording"),
    [((), ""), (("de",), "de"), (("de", "fr"), "de, fr"), (("a", "b", "c", "d", "e"), "a, b, c and 2 more")],
)
def test_what_moved_is_named(moved: tuple[str, ...], wording: str) -> None:
    assert likeness.moved(row({}, {}, moved)) == wording


def test_a_dimension_without_a_value_that_moved_is_named_alone() -> None:
    spread = MatchRow(dimension="label", total_variation=0.3, expected=0.2, prompt_set={}, live={}, flagged=True)

    assert likeness.apart(match(spread, row({"de": 0.1}, {"de": 0.2}, ("de",), "language"))) == (
        "label, language (de 10.0%, live 20.0%)"
    )
    assert likeness.apart(match(row({}, {}))) == ""


def test_only_counts_that_some_file_has_are_columns() -> None:
    assert likeness.fates(story().logs.files) == ("failed",)


@given(ours=st.floats(0, 1), live=st.floats(0, 1), chance=st.floats(0, 0.5))
def test_the_diamond_lies_on_the_band_when_and_only_when_chance_explains_it(
    ours: float, live: float, chance: float
) -> None:
    drawn = charts.pair(Value(name="de", ours=ours, live=live, chance=chance), 1.0)
    band = re.search(r'<rect class="chance" x="([\d.e-]+)%" y="5" width="([\d.e-]+)%"', drawn)
    diamond = re.search(r'<svg x="([\d.e-]+)%"[^>]*><path class="mark ours', drawn)
    assert band is not None
    assert diamond is not None
    low, high, place = float(band[1]), float(band[1]) + float(band[2]), float(diamond[1])

    if abs(abs(ours - live) - chance) > 0.001:  # nearer than is drawn
        assert (low - 0.02 <= place <= high + 0.02) == (abs(ours - live) <= chance)


def test_what_moved_is_said_in_words_not_only_in_colour() -> None:
    drawn = charts.pair(Value(name="de", ours=0.1, live=0.2, chance=0.02, moved=True), 1.0)

    assert "<title>de: prompt set 10.0%, live 20.0%, by chance up to 2.0% apart: beyond chance</title>" in drawn


def test_a_sum_of_others_has_no_band() -> None:
    assert "chance" not in charts.pair(Value(name="3 others", ours=0.1, live=0.2), 1.0)


def test_names_of_values_are_escaped() -> None:
    assert "<script>" not in charts.pair(Value(name='"><script>', ours=0.1, live=0.2, chance=0.1), 1.0)
