"""Windows: the newest requests are judged upon, never more of them than asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overproof.core.tables import TIME
from overproof.prompts.windows import cut

START = datetime(2026, 1, 1, tzinfo=UTC)
hours = st.lists(st.none() | st.integers(0, 30), min_size=1, max_size=40)
shares = st.floats(0.05, 0.5)


def table(given_hours: list[int | None]) -> pl.DataFrame:
    at = [None if hour is None else START + timedelta(hours=hour) for hour in given_hours]
    return pl.DataFrame({"at": pl.Series(at, dtype=TIME), "unit": [f"u{i % 7}" for i in range(len(at))]})


@settings(deadline=None)  # the first example imports and builds tables
@given(hours, shares)
def test_what_is_judged_upon_is_newer_than_what_is_learned_from(given_hours: list[int | None], share: float) -> None:
    requests = table(given_hours)
    windows = cut(requests, share, "seed")
    evaluation = windows.window == "evaluation"
    newer, older = requests["at"].filter(evaluation), requests["at"].filter(~evaluation).drop_nulls()

    assert len(evaluation) == len(requests)
    if windows.by == "time":
        assert 0 < evaluation.sum() <= share * len(requests)
        assert newer.null_count() == 0
        assert older.is_empty() or older.max() < newer.min()  # type: ignore[operator] # both are times
        assert windows.cut_at == newer.min()


@settings(deadline=None)  # the first example imports and builds tables
@given(hours, shares)
def test_without_usable_times_units_stay_whole(given_hours: list[int | None], share: float) -> None:
    windows = cut(table([None] * len(given_hours)), share, "seed")
    sides = table(given_hours).with_columns(window=windows.window).group_by("unit").agg(pl.col("window").n_unique())

    assert windows.by == "unit hash"
    assert windows.cut_at is None
    assert windows.length is None
    assert sides["window"].max() == 1
    assert "carry no time" in windows.notes[0]


def test_a_unit_may_stand_in_both_windows() -> None:
    requests = table(list(range(14)))
    both = requests.with_columns(window=cut(requests, 0.5, "seed").window).group_by("unit").n_unique()

    assert both["window"].to_list() == [2] * 7


def test_the_window_takes_the_newest_share_and_says_how_long_it_is() -> None:
    windows = cut(table(list(range(100))), 0.3, "seed")

    assert (windows.window == "evaluation").sum() == 30
    assert windows.cut_at == START + timedelta(hours=70)
    assert windows.length == timedelta(hours=29)
    assert windows.notes == ()


@pytest.mark.parametrize("given_hours", [[5] * 50, [*range(40), *[50] * 60], [*[1] * 90, *range(50, 60)]])
def test_times_too_coarse_to_cut_by_are_told_from_usable_ones(given_hours: list[int | None]) -> None:
    windows = cut(table(given_hours), 0.5, "seed")

    assert windows.by == "unit hash"
    assert "share one time" in windows.notes[0]


def test_a_few_requests_without_a_time_count_as_older_ones() -> None:
    windows = cut(table([*range(95), *[None] * 5]), 0.5, "seed")

    assert windows.by == "time"
    assert (windows.window[-5:] == "training").all()
    assert "5 requests carry no time" in windows.notes[0]


def test_the_hash_gives_about_the_share_asked_for() -> None:
    units = pl.DataFrame({"at": pl.Series([None] * 4000, dtype=TIME), "unit": [f"u{i}" for i in range(4000)]})

    assert (cut(units, 0.3, "seed").window == "evaluation").mean() == pytest.approx(0.3, abs=0.03)
