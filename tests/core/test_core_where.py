"""The slice language: what it lets through, what it refuses, and that tables and single rows get the same answers."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overproof.core.errors import UserError
from overproof.core.where import UnknownName, parse

ROW: dict[str, object] = {"tier": "pro", "amount": "12.50", "note": None, "length": 40, "repeat": True}


def select(text: str, rows: list[dict[str, object]]) -> list[bool]:
    columns = {
        "tier": pl.Series("tier", [row.get("tier") for row in rows], dtype=pl.String),
        "amount": pl.Series("amount", [row.get("amount") for row in rows], dtype=pl.String),
        "note": pl.Series("note", [row.get("note") for row in rows], dtype=pl.String),
        "length": pl.Series("length", [row.get("length") for row in rows], dtype=pl.Int64),
        "repeat": pl.Series("repeat", [row.get("repeat") for row in rows], dtype=pl.Boolean),
    }
    table = pl.DataFrame(list(columns.values()))
    return table.select(parse(text).expression({name: pl.col(name) for name in columns})).to_series().to_list()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tier = 'pro'", True),
        ("tier <> 'pro'", False),
        ("'pro' = tier", True),
        ("41 > length", True),
        ("amount > 9", True),  # as text, '12.50' would come before '9'
        ("amount > '9'", False),
        ("amount BETWEEN 12.5 AND 13", True),
        ("amount NOT BETWEEN 12.5 AND 13", False),
        ("amount > -1e3", True),
        ("tier > 3", False),
        ("NOT tier > 3", False),  # no number, so unknown, and so is its opposite
        ("tier IN ('free', 'pro')", True),
        ("tier NOT IN ('free', 'pro')", False),
        ("length IN (39, 40)", True),
        ("repeat", True),
        ("NOT repeat", False),
        ("repeat = true AND length = 40", True),
        ("repeat = false", False),
        ("tier", False),
        ("tier LIKE 'p%'", True),
        ("tier LIKE 'P_o'", False),
        ("tier ILIKE 'P_O'", True),
        ("tier NOT LIKE 'p%'", False),
        ("note IS NULL", True),
        ("tier IS NOT NULL", True),
        ("note = 'x'", False),
        ("NOT note = 'x'", False),
        ("note = 'x' OR tier = 'pro'", True),
        ("NOT (note = 'x' AND tier = 'free')", True),
        ("true", True),
        ("\"tier\" = 'pro'", True),
    ],
)
def test_conditions_mean_what_sql_says(text: str, expected: bool) -> None:
    assert select(text, [ROW]) == [expected]
    assert parse(text).matches(ROW) is expected


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("lower(tier) = 'pro'", "LOWER(tier)"),
        ("tier = (SELECT 1)", "(SELECT 1)"),
        ("tier IN (SELECT x FROM y)", "SELECT x FROM y"),
        ("CAST(length AS INT) = 1", "CAST(length AS INT)"),
        ("length::int = 1", "CAST(length AS INT)"),
        ("*", "*"),
        ("count(*) > 1", "COUNT(*)"),
        ("length + 1 > 2", "length + 1"),
        ("EXISTS(SELECT 1)", "EXISTS"),
        ("read_csv('/etc/passwd') = 'x'", "/etc/passwd"),
        ("tier REGEXP 'x'", "REGEXP"),
        ("tier LIKE 'x' ESCAPE '!'", "ESCAPE"),
        ("tier IN ()", "tier IN ()"),
        ("tier IS TRUE", "tier IS TRUE"),
        ("tier = ?", "?"),
        ("tier = 'x' AS y", "AS y"),
        ("current_user = 'x'", "CURRENT_USER"),
        ("tier = -'x'", "-'x'"),
        ("DROP TABLE tier", "DROP TABLE tier"),
        ("SELECT tier FROM t", "SELECT tier FROM t"),
    ],
)
def test_whatever_is_not_on_the_list_is_refused_by_name(text: str, piece: str) -> None:
    with pytest.raises(UserError, match="allowed are names") as refusal:
        parse(text)

    assert piece in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "is empty"),
        ("tier = 'x'; tier = 'y'", "more than one statement"),
        ("tier =", "not a whole SQL condition"),
        ("tier = 'unfinished", "not a whole SQL condition"),
        ('tier = "pro"', "single quotes"),
        ("customer.tier = 'pro'", '"double quotes"'),
        ("tier = NULL", "IS NULL"),
    ],
)
def test_usual_slips_are_told_how_to_mend_them(text: str, hint: str) -> None:
    with pytest.raises(UserError, match=hint):
        parse(text)


def test_a_name_that_is_not_there_is_an_error_that_lists_the_known_ones() -> None:
    where = parse("teir = 'pro' OR tier = 'pro'")

    assert where.names == {"teir", "tier"}
    with pytest.raises(UnknownName, match=r"speaks of 'teir'.*known names: length, tier"):
        where.expression({"tier": pl.col("tier"), "length": pl.col("length")})


def test_a_condition_with_thousands_of_parts_is_no_deeper_than_one_with_two() -> None:
    text = " OR ".join(f"length = {i}" for i in range(3000))

    assert select(text, [ROW]) == [True]
    assert parse(text).matches(ROW)


texts = st.sampled_from(
    ["pro", "PRO", "p%", "a.b", "12", "1e3", " 5", "-0.5", ".", "é", "É", "a\nb", "true", "FALSE", "a'b", "ß", ""]
)
rows = st.fixed_dictionaries(
    {
        "tier": st.none() | texts,
        "amount": st.none() | texts | st.from_regex(r"[+-]?[0-9.e+]{0,6}", fullmatch=True),
        "note": st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
        "length": st.none() | st.integers(-100, 2000),
        "repeat": st.none() | st.booleans(),
    }
)
names = st.sampled_from(["tier", "amount", "note", "length", "repeat"])
quoted = texts.map(lambda text: "'" + text.replace("'", "''") + "'")
values = quoted | st.integers(-100, 2000).map(str) | st.sampled_from(["1e3", "0.5", "-0.5", "true", "false"])
simple = st.one_of(
    names,
    st.tuples(names, st.sampled_from(["=", "<>", "<", "<=", ">", ">="]), values).map(" ".join),
    st.tuples(names, values, values).map(lambda t: f"{t[0]} IN ({t[1]}, {t[2]})"),
    st.tuples(names, values, values).map(lambda t: f"{t[0]} BETWEEN {t[1]} AND {t[2]}"),
    st.tuples(names, st.sampled_from(["LIKE", "ILIKE", "NOT LIKE"]), quoted).map(" ".join),
    st.tuples(names, st.sampled_from(["'%r%'", "'_'", "'É%'"])).map(" ILIKE ".join),
    names.map(lambda name: f"{name} IS NULL"),
)
conditions = st.recursive(
    simple,
    lambda inner: st.one_of(
        inner.map(lambda c: f"NOT ({c})"),
        st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
    ),
    max_leaves=5,
)


@settings(deadline=None)  # the first example imports the parser
@given(conditions, st.lists(rows, min_size=1, max_size=6))
def test_a_table_and_its_rows_get_the_same_answers(text: str, given_rows: list[dict[str, object]]) -> None:
    where = parse(text)

    assert select(text, given_rows) == [where.matches(row) for row in given_rows]
