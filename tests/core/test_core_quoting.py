"""Whatever a log holds, it goes into a contract as a value and comes out as the same value."""

from __future__ import annotations

import tomllib

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from overproof.core.quoting import equals, sql_name, toml_text
from overproof.core.where import parse

HOSTILE = ["'; DROP TABLE x; --", 'it\'s "so"', "a' OR '1'='1", "\\'", "/* */", "", " ", "\n", "--", "é\u202e", "%_"]
NAMES = ["tier", "order", "select", "not", "true", "my key", "a.b", 'q"uote', "Ünï", "1st", "null", "in", "group"]

plain = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(plain, plain)
@example("tier", "'; DROP TABLE x; --")
def test_what_is_written_reads_back_as_just_that_or_is_not_written(name: str, value: str) -> None:
    written = equals(name, value)

    if written is not None:
        read = parse(written)
        table = pl.DataFrame({name: pl.Series([value, f"{value}x", None], dtype=pl.String)})
        assert read.names == {name}
        assert table.select(read.expression({name: pl.col(name)})).to_series().to_list() == [True, False, False]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("name", NAMES)
def test_hostile_values_and_names_that_are_words_of_sql_can_be_written(name: str, value: str) -> None:
    assert equals(name, value) is not None


def test_plain_names_stay_plain() -> None:
    assert sql_name("tier") == "tier"
    assert sql_name("not") == '"not"'
    assert sql_name("a.b") == '"a.b"'


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_toml_reads_what_was_written(value: str) -> None:
    assert tomllib.loads(f"x = {toml_text(value)}")["x"] == value
