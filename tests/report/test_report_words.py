"""Figures are put into words that never promise more than the figure does."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from overproof.core.types import Estimate, Verdict
from overproof.report import words
from overproof.report.words import Quantity


def estimate(value: float, lower: float, upper: float) -> Estimate:
    return Estimate(
        value=value, lower=lower, upper=upper, kind="exact", level=0.05, requests=20, units=10, effective=10.0
    )


def verdict(bar: float = 0.9, **more: object) -> Verdict:
    plain = Verdict(
        condition="bar", metric="accuracy", subject="system", reference="gold", bar=bar, outcome="unproven", level=0.05
    )
    return replace(plain, **more)


def replace(plain: Verdict, **more: object) -> Verdict:
    from msgspec.structs import replace as changed

    return changed(plain, **more)


def printed(text: str) -> list[float]:
    return [
        float(each.replace(words.MINUS, "-").replace(",", "")) for each in re.findall(rf"[{words.MINUS}\d.,]+\d", text)
    ]


scales: dict[Quantity, float] = {"share": 100, "points": 100, "ms": 1, "usd": 1}


@given(ends=st.tuples(st.floats(-1, 1), st.floats(-1, 1)).map(sorted), kind=st.sampled_from(sorted(scales)))
def test_a_printed_interval_is_never_narrower_than_the_computed_one(ends: list[float], kind: Quantity) -> None:
    lower, upper = printed(words.bounds(estimate(ends[0], *ends), kind))

    assert lower <= ends[0] * scales[kind] + 1e-6
    assert upper >= ends[1] * scales[kind] - 1e-6


def test_a_bound_just_below_the_bar_is_not_rounded_onto_it() -> None:
    assert words.interval(estimate(0.94, 0.91999, 0.96001)) == "94.0% [91.9, 96.1]"


def test_a_bound_on_the_bar_is_printed_as_the_bar() -> None:
    assert words.bounds(estimate(0.94, 0.92, 0.96)) == "[92.0, 96.0]"


@given(st.floats(0, 1))
def test_only_nothing_is_printed_as_nothing_and_only_all_as_all(share: float) -> None:
    text = words.percent(share)

    assert (text == "0.0%") == (share == 0)
    assert (text == "100.0%") == (share == 1)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "$0.00"),
        (1234.5, "$1,234.50"),
        (0.2, "$0.20"),
        (0.00034, "$0.00034"),
        (3e-7, "<$0.0001"),
        (-3, f"{words.MINUS}$3.00"),
    ],
)
def test_dollars_keep_the_digits_that_matter(amount: float, text: str) -> None:
    assert words.dollars(amount) == text


@given(st.floats(1e-9, 1e9))
def test_no_price_is_printed_as_free(amount: float) -> None:
    assert re.search("[1-9]", words.dollars(amount))


@pytest.mark.parametrize(
    ("ms", "text"), [(None, words.NONE), (0.0006, "<0.01 ms"), (0.42, "0.42 ms"), (31.4, "31 ms"), (1234, "1,234 ms")]
)
def test_durations_are_as_exact_as_they_are_useful(ms: float | None, text: str) -> None:
    assert words.milliseconds(ms) == text


def test_no_margin_is_not_printed_as_a_number() -> None:
    assert words.margin(None) == words.NONE
    assert words.margin(-1.25) == f"{words.MINUS}1.2"


def test_what_rounding_left_of_nothing_is_nothing() -> None:
    assert words.dollars(-1.8e-15) == "$0.00"


@given(st.text(max_size=40))
def test_a_name_is_only_given_places_to_break_at(name: str) -> None:
    assert words.breakable(name).replace("<wbr>", "") == escape(name)


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("words+characters", "words+<wbr>characters"),
        ("answer_cache-v2", "answer_<wbr>cache-<wbr>v2"),
        ("majority", "majority"),
        ("a--b_", "a--<wbr>b_"),
    ],
)
def test_a_name_breaks_after_its_joints(name: str, broken: str) -> None:
    assert words.breakable(name) == broken


def test_a_wait_of_lifetimes_is_told_without_false_digits() -> None:
    assert words.missing(175_151, 43_818.2) == "far more units than this traffic brings"


def test_unproven_says_about_how_many_units_and_days_more() -> None:
    assert words.outcome(verdict(more_units=240, more_days=8.2)) == (
        "unproven: about 240 more units, 9 days at this rate"
    )


@given(shown=st.integers(1, 900), more=st.integers(1, 99), rate=st.floats(0.5, 9))
def test_fresh_units_and_days_are_those_shown_and_those_missing_together(shown: int, more: int, rate: float) -> None:
    seen = replace_units(estimate(0.9, 0.8, 1), shown)
    told = words.afresh(verdict(estimate=seen, more_units=more, more_days=more / rate))
    found = [float(each.replace(",", "")) for each in re.findall(r"[\d,]*\d", told)]

    if (shown + more) / rate > words.LONG_WAIT:
        assert told == words.TOO_MANY
    else:
        assert found[0] == pytest.approx(shown + more, abs=5)
        assert found[1] == pytest.approx((shown + more) / rate, abs=1 + 1e-6)


def replace_units(plain: Estimate, units: int) -> Estimate:
    from msgspec.structs import replace as changed

    return changed(plain, units=units)


def test_one_day_is_one_day() -> None:
    assert words.missing(3, 0.4) == "about 3 more units, 1 day at this rate"


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (-0.00001, "nothing saved"),
        (0.0, "nothing saved"),
        (54.4, "$54.40 saved a month"),
        (-0.087, "$0.087 more a month"),
    ],
)
def test_what_is_saved_is_told_with_its_direction(amount: float, text: str) -> None:
    assert words.saved(amount) == text


def test_hardly_less_than_nothing_has_no_sign() -> None:
    assert words.percent(-0.0001) == "0.0%"
    assert words.percent(-0.02) == f"{words.MINUS}2.0%"


def test_unproven_without_a_rate_says_no_days() -> None:
    assert words.outcome(verdict(more_units=1)) == "unproven: about 1 more unit"


def test_unproven_that_no_evidence_can_help_says_so() -> None:
    assert words.outcome(verdict(estimate=estimate(0.9, 0.8, 1))) == "unproven: more units alone would not prove it"


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"bar": 0.925}, "≥ 92.5%"),
        ({"bar": -0.02}, f"≥ {words.MINUS}2 points"),
        ({"condition": "risk", "bar": 0.05}, "≤ 5%"),
        ({"condition": "latency", "bar": 50}, "≤ 50 ms"),
        ({"condition": "cost", "bar": 0.2}, "≤ $0.20"),
    ],
)
def test_a_promise_is_printed_in_its_own_unit_and_direction(more: dict[str, object], text: str) -> None:
    assert words.bar(replace(verdict(), **more)) == text


def test_levels_differ_only_where_they_do() -> None:
    alike = verdict(estimate=estimate(0.9, 0.8, 1))

    assert words.levels(alike) == "exact, 5%"
    assert words.levels(replace(alike, level=0.032)) == "exact, 5%; verdict at 3.2%"


def test_provenance_names_reference_kind_and_level() -> None:
    told = words.provenance([estimate(0.9, 0.8, 1), None], "gold")

    assert told == (
        "Measured against gold answers. Intervals are exact (binomial); each misses the truth on a given side with "
        "chance at most 5%."
    )


@given(st.text())
def test_cleaned_text_can_be_written_and_cannot_steer_a_terminal(text: str) -> None:
    cleaned = words.clean(text)

    assert cleaned.encode().decode() == cleaned
    assert not set(cleaned) & {"\x1b", "\x9b", "\x07", "\r", "\u202e", "\u2066"}
    assert len(cleaned) == len(text)
