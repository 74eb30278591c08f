"""Records as tables and back."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from overproof.core import tables
from overproof.core.types import Exchange, Message, Request

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
messages = st.builds(
    Message, role=st.sampled_from(["system", "user"]), content=texts, extra=st.dictionaries(texts, texts, max_size=2)
)
exchanges = st.builds(
    Exchange,
    id=texts,
    source=texts,
    at=st.none() | st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    messages=st.lists(messages, max_size=3).map(tuple),
    parameters=st.dictionaries(texts, st.floats(0, 1) | st.lists(texts, max_size=2), max_size=2),
    answer=st.none() | texts,
    metadata=st.dictionaries(texts, texts, max_size=2),
    input_tokens=st.none() | st.integers(0, 10**6),
    cost_usd=st.none() | st.floats(0, 10),
)


@given(st.lists(exchanges, max_size=5))
def test_every_record_survives_a_table(rows: list[Exchange]) -> None:
    table = tables.frame(rows, Exchange)

    assert table.schema == tables.schema(Exchange)
    assert list(tables.records(table, Exchange)) == rows


def test_lists_of_text_are_lists_and_nested_values_are_json() -> None:
    schema = tables.schema(Request)

    assert str(schema["slices"]) == "List(String)"
    assert str(schema["metadata"]) == "String"


@given(st.lists(st.none() | st.sampled_from("abc"), max_size=30))
def test_equal_values_get_one_number_in_the_order_they_are_first_seen(values: list[str | None]) -> None:
    number, first = tables.numbered(pl.Series("v", values, dtype=pl.String))
    seen = list(dict.fromkeys(values))
    assert [seen[i] for i in number] == values
    assert [values[i] for i in first] == seen
