"""Groups: no customer is both learned from and judged by, whatever was dealt before, and what that costs is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_logs import TEACHER, Customers, exchanges
from overproof.core.errors import UserError
from overproof.core.tables import frame
from overproof.core.types import Exchange, Message
from overproof.prompts.build import PromptSet, build
from overproof.prompts.groups import sides
from overproof.prompts.options import PromptsOptions
from overproof.prompts.splits import deal
from overproof.tasks.options import TaskOptions

TASK = TaskOptions(name="triage")
OPTIONS = PromptsOptions()
START = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = {"train": "training", "tune": "training", "calibrate": "evaluation", "test": "evaluation"}

Row = tuple[int, int | None, bool, int]
"""Request, customer, whether it falls into the evaluation window, and which of a few texts it asks."""
logs = st.lists(
    st.tuples(st.integers(0, 80), st.none() | st.integers(0, 12), st.booleans(), st.integers(0, 5)),
    min_size=1,
    max_size=40,
    unique_by=lambda row: row[0],
)


def table(rows: list[Row], *, grouped: bool = True) -> pl.DataFrame:
    """Return the requests with the side of their group; units are texts where they are not `grouped`."""
    columns = {
        "id": [f"r{name}" for name, _, _, _ in rows],
        "unit": [f"t{text}" if group is None or not grouped else f"g{group}" for _, group, _, text in rows],
        "window": ["evaluation" if newer else "training" for _, _, newer, _ in rows],
        "group": [None if group is None else f"g{group}" for _, group, _, _ in rows],
    }
    requests = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    return requests.with_columns(sides(requests, OPTIONS)) if grouped else requests


def built(n: int) -> PromptSet:
    return build(exchanges(Customers(), n, Random(0)), TASK, frozenset({TEACHER}), OPTIONS, (), group="customer")


def call(i: int, text: str, customer: str | None, *, at: bool = True) -> Exchange:
    return Exchange(
        id=f"r{i}",
        source=f"log:{i}",
        at=START + timedelta(hours=i) if at else None,
        model=TEACHER,
        messages=(Message(role="user", content=text),),
        answer="yes",
        metadata={} if customer is None else {"customer": customer},
    )


def of(calls: list[Exchange], options: PromptsOptions = OPTIONS) -> PromptSet:
    return build(frame(calls, Exchange), TASK, frozenset({TEACHER}), options, (), group="customer")


@settings(deadline=None)  # the first example imports and builds tables
@given(logs, logs, st.booleans())
def test_no_group_stands_on_both_sides_even_if_groups_were_no_units_before(
    first: list[Row], more: list[Row], grouped_before: bool
) -> None:
    before = deal(table(first, grouped=grouped_before), OPTIONS).assignments
    known = {name for name, _, _, _ in first}
    later = table(
        [*((name, group, not newer, text) for name, group, newer, text in first)]
        + [row for row in more if row[0] not in known]
    )
    dealt = deal(later, OPTIONS, before)
    rows = later.with_columns(window=dealt.window, split=dealt.split).drop_nulls("split")
    was = dict(before.iter_rows())

    assert all(WINDOW[row["split"]] == row["window"] for row in rows.iter_rows(named=True))
    assert rows.is_empty() or rows.group_by("unit").n_unique()["split"].max() == 1
    for name, split in later.with_columns(split=dealt.split).select("id", "split").iter_rows():
        assert split in (was.get(name, split), None)  # nothing that was dealt changes its split
        assert was.get(name) != "test" or split == "test"  # and the test loses nobody


@settings(deadline=None)  # the first example imports and builds tables
@given(logs)
def test_dealing_groups_again_changes_nothing(rows: list[Row]) -> None:
    once = deal(table(rows), OPTIONS)
    twice = deal(table(rows), OPTIONS, once.assignments)

    assert once.split.equals(twice.split, null_equal=True)
    assert once.assignments.equals(twice.assignments)


@settings(deadline=None)  # the first example imports and builds tables
@given(logs)
def test_requests_without_a_group_teach_nothing_and_judge_nothing(rows: list[Row]) -> None:
    requests = table(rows)
    split = deal(requests, OPTIONS).split

    assert split.filter(requests["group"].is_null()).null_count() == requests["group"].null_count()


def test_customers_are_units_dealt_by_share_and_everything_judged_is_new() -> None:
    found = built(400)
    requests, summary = found.requests, found.summary
    groups = requests.with_columns(group=pl.col("metadata").str.json_path_match("$.customer"))
    judged = groups.filter(pl.col("split").is_in(["calibrate", "test"]))
    taught = groups.filter(pl.col("split").is_in(["train", "tune"]))

    assert summary.joined_by == ("customer",)
    assert summary.units == groups["group"].n_unique() == 400
    assert not set(judged["group"]) & set(taught["group"])
    assert judged["group"].n_unique() == pytest.approx(200, abs=40)
    assert judged["at"].min() > taught["at"].max()  # type: ignore[operator] # both are times
    assert not judged["repeat"].any()
    assert summary.split_units["test"] + summary.split_units["calibrate"] == judged["group"].n_unique()


def test_what_is_left_out_is_counted_and_told() -> None:
    summary = built(120).summary

    assert summary.requests["dropped"] > 0
    assert sum(summary.requests.values()) == summary.exchanges
    assert "the unit is the customer (proof.group)" in summary.notes[0]
    older, newer = (int(word) for word in summary.notes[1].split() if word.isdecimal())
    assert older + newer == summary.requests["dropped"]
    assert not any("merged" in note for note in summary.notes)


def test_a_text_that_customers_share_is_evidence_wherever_it_stands() -> None:
    """Near duplicates across groups neither join them nor leave: the next customer may ask the same."""
    calls = [
        call(i, "where is my parcel" if i % 2 else f"question number {i} of many", f"c{i % 40}") for i in range(400)
    ]
    found = of(calls)
    judged = found.requests.filter(pl.col("split").is_in(["calibrate", "test"]))
    shared = found.prompts.filter(input="where is my parcel")["id"].item()

    assert found.summary.units == 40
    assert (judged["prompt_id"] == shared).sum() > 0
    assert (found.requests.filter(split="train")["prompt_id"] == shared).sum() > 0


def test_no_prompt_is_both_trained_and_tuned_on_though_groups_of_each_ask_it() -> None:
    calls = [call(i, f"question {'abcdefghijklmnopqrstuvwxyz'[i % 26]} please", f"c{i % 77}") for i in range(1500)]
    found = of(calls)
    learning = found.requests.filter(pl.col("split").is_in(["train", "tune"]))

    assert learning.group_by("prompt_id").agg(pl.col("split").n_unique())["split"].max() == 1
    assert set(learning["split"]) == {"train", "tune"}
    assert any("asks the same in the other of train and tune" in note for note in found.summary.notes)


def test_a_shared_prompt_belongs_to_a_group_that_is_learned_from() -> None:
    calls = [
        call(i, "where is my parcel" if i % 2 else f"question number {i} of many", f"c{i % 40}") for i in range(400)
    ]
    found = of(calls)
    teaching = found.requests.filter(pl.col("split").is_in(["train", "tune"]))
    units = found.prompts.filter(pl.col("id").is_in(teaching["prompt_id"].unique().implode()))["unit"]

    assert units.is_in(teaching["unit"].unique().implode()).all()


def test_requests_without_the_key_keep_their_units_and_are_told() -> None:
    calls = [call(i, f"question number {i} of many", None if i % 4 == 0 else f"c{i % 30}") for i in range(400)]
    found = of(calls)
    missing = found.requests.filter(~pl.col("unit").str.starts_with("customer="))

    assert missing.height == 100
    assert missing["split"].null_count() == 100
    assert found.summary.units == len({i % 30 for i in range(400) if i % 4})
    assert "100 requests carry no 'customer' and are in no split" in found.summary.notes[-1]


def test_without_times_the_sides_are_the_windows_and_nothing_is_dropped() -> None:
    calls = [call(i, f"question number {i} of many", f"c{i % 60}", at=False) for i in range(300)]
    found = of(calls, PromptsOptions(evaluation_share=0.3))

    assert found.summary.windows == "unit hash"
    assert found.summary.requests["dropped"] == 0
    assert found.requests.filter(window="evaluation")["unit"].n_unique() == pytest.approx(18, abs=10)


def test_more_logs_move_no_customer_to_the_other_side() -> None:
    log = exchanges(Customers(), 150, Random(3))
    earlier = log.head(log.height * 2 // 3)
    before = build(earlier, TASK, frozenset({TEACHER}), OPTIONS, (), group="customer")
    after = build(log, TASK, frozenset({TEACHER}), OPTIONS, (), group="customer", remembered=before.assignments)
    sides = pl.concat([before.requests, after.requests]).drop_nulls("split").group_by("unit").agg(pl.col("split"))

    assert sides["split"].list.unique().list.len().max() == 1
    assert after.summary.requests["test"] > before.summary.requests["test"]


def test_a_key_nobody_carries_is_named_with_those_there_are() -> None:
    with pytest.raises(UserError, match=r"proof.group: no request carries 'custmer'"):
        build(exchanges(Customers(), 5, Random(0)), TASK, frozenset({TEACHER}), OPTIONS, (), group="custmer")
