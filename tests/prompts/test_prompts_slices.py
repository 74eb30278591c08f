"""Slices: where a request belongs, and what only evaluation can tell."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overproof.core.errors import UserError
from overproof.core.where import parse
from overproof.prompts.options import SliceOptions
from overproof.prompts.slices import Metadata, named, select, split_by_need, with_labels

REQUESTS = pl.DataFrame(
    {
        "metadata": ['{"tier":"pro","length":"9000"}', '{"tier":"free"}', "{}"],
        "repeat": [False, True, False],
        "length": [12, 500, 40],
        "language": ["de", "en", ""],
        "model": ["big", "big", "small"],
    }
)


def slices(**wheres: str) -> list[SliceOptions]:
    return [SliceOptions(name=name, where=where) for name, where in wheres.items()]


def test_every_request_is_in_all_and_in_new_or_repeat() -> None:
    assert named(REQUESTS, []).to_list() == [["all", "new"], ["all", "repeat"], ["all", "new"]]


def test_slices_speak_of_metadata_and_of_derived_columns() -> None:
    found = named(REQUESTS, slices(pro="tier = 'pro'", german="language = 'de'", long="length > 100", again="repeat"))

    assert found.to_list() == [["all", "new", "pro", "german"], ["all", "repeat", "long", "again"], ["all", "new"]]


def test_a_derived_name_hides_metadata_of_the_same_name() -> None:
    assert select(REQUESTS, parse("length > 1000")).to_list() == [False, False, False]


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"'teir'.*known names: language, length, model, new, repeat, tier"):
        named(REQUESTS, slices(pro="teir = 'pro'"))


def test_slices_over_labels_wait_for_evaluation() -> None:
    given_slices = slices(pro="tier = 'pro'", spam="label = 'spam'", said="predicted_label = 'spam' AND tier = 'pro'")
    need = split_by_need(given_slices)

    assert [each.name for each in need.decidable] == ["pro"]
    assert [each.name for each in need.at_evaluation] == ["spam", "said"]
    with pytest.raises(UserError, match="'label'"):
        named(REQUESTS, given_slices)


def test_evaluation_adds_them_as_their_columns_arrive() -> None:
    given_slices = slices(
        pro="tier = 'pro'",
        spam="label = 'spam'",
        said="predicted_label = 'spam'",
        missed="label = 'spam' AND NOT predicted_label = 'spam' AND tier = 'pro' AND new",
    )
    evidence = REQUESTS.select(
        "metadata", slices=named(REQUESTS, given_slices[:1]), reference=pl.Series(["spam", "ham", None])
    )
    labelled = with_labels(evidence, given_slices)
    answered = with_labels(labelled.with_columns(predicted=pl.Series(["ham", "spam", None])), given_slices)

    assert labelled["slices"].to_list() == [["all", "new", "pro", "spam"], ["all", "repeat"], ["all", "new"]]
    assert answered["slices"].to_list() == [
        ["all", "new", "pro", "spam", "missed"],
        ["all", "repeat", "said"],
        ["all", "new"],
    ]


def test_without_slices_over_labels_evidence_stays_as_it_is() -> None:
    evidence = pl.DataFrame({"slices": [["all", "new"]], "reference": ["spam"]})

    assert with_labels(evidence, slices(pro="tier = 'pro'")).equals(evidence)


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_a_constant_condition_has_an_answer_for_every_row(rows: int) -> None:
    assert select(REQUESTS.head(rows), parse("true")).to_list() == [True] * rows


@settings(deadline=None)  # the first example imports and builds tables
@given(st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3), min_size=1, max_size=6))
def test_metadata_columns_hold_what_the_objects_hold(objects: list[dict[str, str]]) -> None:
    metadata = Metadata(pl.Series([json.dumps(each) for each in objects]))

    assert metadata.keys == sorted({key for each in objects for key in each})
    assert all(metadata.values(key).to_list() == [each.get(key) for each in objects] for key in metadata.keys)
