"""Splits: whole units, dealt once and for ever."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overproof.prompts.options import PromptsOptions
from overproof.prompts.splits import Dealt, deal

OPTIONS = PromptsOptions()
PAIRS = {"training": ("train", "tune"), "evaluation": ("calibrate", "test")}

Row = tuple[int, int, bool]
"""Request, unit, whether it falls into the evaluation window."""
logs = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 12), st.booleans()), max_size=40, unique_by=lambda row: row[0]
)
merges = st.dictionaries(st.integers(0, 12), st.integers(0, 12), max_size=8)


def table(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "id": [f"r{name}" for name, _, _ in rows],
            "unit": [f"u{unit}" for _, unit, _ in rows],
            "window": ["evaluation" if newer else "training" for _, _, newer in rows],
        },
        schema={"id": pl.String, "unit": pl.String, "window": pl.String},
    )


def splits(rows: list[Row], dealt: Dealt) -> dict[str, str | None]:
    return dict(zip(table(rows)["id"], dealt.split, strict=True))


def grown(first: list[Row], more: list[Row], merged: dict[int, int]) -> list[Row]:
    """The log some time later: more requests, units that grew together, and a cut that may have moved anywhere."""
    known = {name for name, _, _ in first}
    later = [(name, unit, not newer) for name, unit, newer in first] + [row for row in more if row[0] not in known]
    return [(name, merged.get(unit, unit), newer) for name, unit, newer in later]


@settings(deadline=None)  # the first example imports and builds tables
@given(logs, logs, merges)
def test_no_unit_stands_on_both_sides_of_a_window_however_units_merge(
    first: list[Row], more: list[Row], merged: dict[int, int]
) -> None:
    later = grown(first, more, merged)
    dealt = deal(table(later), OPTIONS, deal(table(first), OPTIONS).assignments)
    rows = table(later).with_columns(window=dealt.window, split=dealt.split).drop_nulls("split")

    assert all(row["split"] in PAIRS[row["window"]] for row in rows.iter_rows(named=True))
    assert rows.is_empty() or rows.group_by("unit", "window").n_unique()["split"].max() == 1


@settings(deadline=None)  # the first example imports and builds tables
@given(logs, logs, merges)
def test_adding_logs_never_changes_what_is_test(first: list[Row], more: list[Row], merged: dict[int, int]) -> None:
    before = deal(table(first), OPTIONS)
    was = splits(first, before)
    later = grown(first, more, merged)
    now = splits(later, deal(table(later), OPTIONS, before.assignments))

    assert all(now[name] == "test" for name, split in was.items() if split == "test")
    assert all(now[name] in (split, None) for name, split in was.items())


@settings(deadline=None)  # the first example imports and builds tables
@given(logs, logs, merges)
def test_only_calibrate_beside_test_and_tune_beside_train_are_dropped(
    first: list[Row], more: list[Row], merged: dict[int, int]
) -> None:
    before = deal(table(first), OPTIONS)
    was = splits(first, before)
    later = grown(first, more, merged)
    rows = table(later).with_columns(split=deal(table(later), OPTIONS, before.assignments).split)
    stays = {"calibrate": "test", "tune": "train"}
    for name, unit in rows.filter(pl.col("split").is_null()).select("id", "unit").iter_rows():
        beside = rows.filter(pl.col("unit") == unit)["split"].to_list()

        assert stays[was[name] or "never dealt"] in beside


@settings(deadline=None)  # the first example imports and builds tables
@given(logs, logs, merges)
def test_dealing_again_changes_nothing_and_forgets_nothing(
    first: list[Row], more: list[Row], merged: dict[int, int]
) -> None:
    before = deal(table(first), OPTIONS)
    later = table(grown(first, more, merged))
    once = deal(later, OPTIONS, before.assignments)
    twice = deal(later, OPTIONS, once.assignments)

    assert once.split.equals(twice.split, null_equal=True)
    assert once.assignments.equals(twice.assignments)
    assert before.assignments.join(once.assignments, on=["request_id", "split"], how="anti").is_empty()
    assert once.assignments["request_id"].n_unique() == len(once.assignments)


def test_a_request_once_in_test_is_never_learned_from_though_the_cut_has_moved_past_it() -> None:
    remembered = pl.DataFrame({"request_id": ["r0"], "split": ["test"]})
    dealt = deal(table([(0, 0, False), (1, 0, False)]), OPTIONS, remembered)

    assert dealt.split[0] == "test"
    assert dealt.window[0] == "evaluation"
    assert dealt.moved == 1
    assert dealt.split[1] in PAIRS["training"]  # a new and older request of the unit is a repeat's first appearance


def test_new_requests_follow_what_is_remembered_of_their_unit() -> None:
    remembered = pl.DataFrame({"request_id": [f"r{i}" for i in range(40)], "split": ["test", "calibrate"] * 20})
    old = [(i, i, True) for i in range(40)]
    new = [(100 + i, i, True) for i in range(40)]
    dealt = deal(table(old + new), OPTIONS, remembered)

    assert dealt.split[:40].to_list() == dealt.split[40:].to_list() == ["test", "calibrate"] * 20


@pytest.mark.parametrize(("stays", "goes"), [("test", "calibrate"), ("train", "tune")])
def test_where_units_merge_one_side_stays_and_takes_the_new(stays: str, goes: str) -> None:
    remembered = pl.DataFrame({"request_id": ["r0", "r1"], "split": [goes, stays]})
    newer = stays == "test"
    dealt = deal(table([(0, 0, newer), (1, 0, newer), (2, 0, newer)]), OPTIONS, remembered)

    assert dealt.split.to_list() == [None, stays, stays]


def test_shares_are_those_of_units() -> None:
    rows = [(i, i, i % 2 == 1) for i in range(8000)]
    counts = dict(deal(table(rows), OPTIONS).split.value_counts().iter_rows())

    assert counts["tune"] / 4000 == pytest.approx(0.15, abs=0.02)
    assert counts["test"] / 4000 == pytest.approx(0.5, abs=0.03)


def test_another_seed_deals_otherwise_and_the_same_seed_alike() -> None:
    rows = table([(i, i, True) for i in range(200)])
    first, again = deal(rows, OPTIONS).split, deal(rows, OPTIONS).split

    assert first.equals(again)
    assert not first.equals(deal(rows, PromptsOptions(seed="other")).split)
