"""Charts put marks where the figures are, and are words to those who cannot see them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from story_factory import calibration, estimate

from overproof.report import charts, svg
from overproof.report.svg import Scale

STATES = ("proven", "failed", "unproven", "plain", "alone")


@given(low=st.floats(-100, 100), width=st.floats(0.01, 100), values=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_larger_values_never_stand_further_left(low: float, width: float, values: tuple[float, float]) -> None:
    scale = Scale(low=low, high=low + width)
    small, large = sorted(low + each * width for each in values)

    assert 0 <= scale(small) <= scale(large) <= 100


@given(low=st.floats(-1000, 1000), width=st.floats(1e-3, 1e6), about=st.integers(2, 8))
def test_ticks_are_round_in_order_and_inside(low: float, width: float, about: int) -> None:
    found = svg.ticks(low, low + width, about)
    slack = 1e-6 * max(1.0, width)

    assert found == sorted(set(found))
    assert all(low - slack <= each <= low + width + slack for each in found)
    assert len(found) <= about + 1


@pytest.mark.parametrize("state", ["proven", "failed", "unproven"])
def test_a_track_says_in_words_what_it_shows(state: str) -> None:
    scale = Scale(low=0.8, high=1.0)
    alone = estimate(0.86, 100, 80)
    drawn = charts.track(scale, estimate(0.95, 100, 80), bar=0.9, state=state, alone=alone, name="linear on all")
    named = re.search('aria-label="([^"]*)"', drawn)

    assert named is not None
    assert named[1].startswith("linear on all; bar 90%; alone 86.0% [")
    assert re.search(rf"; system 95.0% \[[^;]*, {state}$", named[1])
    assert f"<title>{named[1]}</title>" in drawn


def test_a_candidate_alone_has_a_mark_of_its_own_in_a_lane_of_its_own() -> None:
    scale = Scale(low=0.8, high=1.0)
    drawn = charts.track(scale, estimate(0.95, 100, 80), bar=0.9, state="proven", alone=estimate(0.95, 100, 80))
    places = re.findall(r'<svg x="([^"]*)" y="([^"]*)" overflow="visible"><path class="mark (\w+)', drawn)

    assert [each[2] for each in places] == ["alone", "proven"]
    assert places[0][0] == places[1][0]
    assert places[0][1] != places[1][1]


def test_a_slice_where_a_student_alone_is_bad_is_on_the_scale_a_hopeless_one_is_an_arrow() -> None:
    bad, hopeless = estimate(0.6, 100, 80), estimate(0.09, 100, 80)
    scale = charts.span([estimate(0.95, 100, 80)], [0.9], [bad, hopeless, None])

    assert 0.5 < scale.low < 0.6


def test_outcomes_differ_in_shape_not_only_in_colour() -> None:
    shapes = {re.search(' d="([^"]*)"', svg.mark(0, 0, state)) for state in STATES}

    assert len({found[1] for found in shapes if found}) == len(STATES)


def test_the_bar_is_drawn_at_the_bar() -> None:
    drawn = charts.track(Scale(low=0.8, high=1.0), None, bar=0.9, state="unproven")

    assert re.search('class="bar" x1="50%"', drawn)


def test_a_value_off_the_scale_is_an_arrow_not_a_mark_at_the_edge() -> None:
    drawn = charts.track(Scale(low=0.8, high=1.0), estimate(0.5, 100, 80), bar=0.9, state="failed")

    assert "mark off failed" in drawn
    assert "whisker" not in drawn
    assert "50.0% [" in drawn


def test_a_teacher_off_the_scale_is_told_and_not_drawn_at_the_edge() -> None:
    scale = Scale(low=0.8, high=1.0)
    drawn = charts.track(scale, None, bar=0.9, state="plain", teacher=estimate(0.6, 100, 80))

    assert 'class="teacher"' not in drawn
    assert "teacher 60.0%" in drawn


def test_the_scale_holds_every_bar_and_every_interval_near_one() -> None:
    near, far = estimate(0.93, 100, 80), estimate(0.2, 100, 80)
    scale = charts.span([near, far, None], [0.9, 0.95])

    assert scale.low <= min(near.lower, 0.9)
    assert scale.low > far.upper


def test_the_threshold_is_marked_only_where_one_was_certified() -> None:
    some = calibration("linear", "gold")

    assert "threshold 0.83" in charts.curve(some)
    assert "chosen" not in charts.curve(replace(some, threshold=None))


def test_every_filled_bin_of_the_reliability_diagram_is_drawn_with_its_count() -> None:
    bins = (*calibration("linear", "gold").reliability, replace(calibration("a", "gold").reliability[0], n=0))
    drawn = charts.reliability(bins)

    assert drawn.count("<circle") == len(bins) - 1
    assert "n = 16" in drawn


def test_names_in_charts_are_escaped() -> None:
    drawn = charts.amount(1, 2, '"><script>')

    assert "<script>" not in drawn


def test_thresholds_are_told_apart_and_no_row_stands_twice() -> None:
    point = calibration("words", "gold").curve[0]
    near = [replace(point, threshold=each, coverage=1 - each) for each in (0.9991, 0.9994, 0.99996, 1.0)]
    rows = charts.curve_rows([*near, near[0]])

    assert len(rows) == len({shown for shown, _ in rows}) == len(near)
