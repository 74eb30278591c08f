from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from overproof.core import tables
from overproof.core.types import Exchange, Message, SetAside
from overproof.logs import pieces
from overproof.logs.pieces import MARKS, Finish, Rows
from overproof.logs.read import apply, resolve


def settle(exchanges: pl.DataFrame, store: str | None = None) -> tuple[pl.DataFrame, pl.DataFrame]:
    rows = Rows("f", exchanges, tables.frame((), SetAside), store)
    table = pieces.finish([rows], Finish(redact=False)).table()
    found = resolve(table.select(list(MARKS)), lambda places, names: table.select(names)[places])
    return apply(table, found.changes), found.set_aside


def table(*ids_and_answers: tuple[str, str | None]) -> pl.DataFrame:
    asked = (Message(role="user", content="x"),)
    return tables.frame(
        [
            Exchange(id=name, source=f"f:{i}", messages=asked, answer=answer)
            for i, (name, answer) in enumerate(ids_and_answers)
        ],
        Exchange,
    )


def test_a_row_that_is_the_same_in_all_fields_is_set_aside() -> None:
    kept, aside = settle(table(("a", "x"), ("b", "x"), ("a", "x"), ("a", "x")))

    assert kept["source"].to_list() == ["f:0", "f:1"]
    assert aside["reason"].to_list() == ["duplicate of f:0"] * 2


def test_another_row_under_a_taken_id_is_kept_under_its_place() -> None:
    kept, aside = settle(table(("a", "x"), ("a", None), ("b", "x")))

    assert kept["id"].to_list() == ["a", "f:1", "b"]
    assert aside.is_empty()


def test_a_place_that_is_some_logs_own_id_is_not_taken_twice() -> None:
    kept, _ = settle(table(("a", "x"), ("a", "y"), ("f:1", "x")))

    assert kept["id"].to_list() == ["a", "f:1'", "f:1"]


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "f:1", "f:2"]), st.sampled_from(["x", "y", None])), max_size=12))
def test_ids_are_unique_and_no_row_is_lost(rows: list[tuple[str, str | None]]) -> None:
    kept, aside = settle(table(*rows))

    assert kept["id"].is_unique().all()
    assert kept.height + aside.height == len(rows)
    assert kept.height == len(set(rows))
    assert kept["source"].to_list() == sorted(kept["source"], key=lambda source: int(source[2:]))


def test_in_a_store_where_an_id_names_one_call_the_last_of_its_copies_counts() -> None:
    kept, aside = settle(table(("a", "x"), ("b", "x"), ("a", "y"), ("b", "x")), store="langfuse")

    assert kept["source"].to_list() == ["f:2", "f:3"]
    assert aside["reason"].to_list() == ["duplicate of f:2", "duplicate of f:3"]
