"""The slice language: SQL conditions over names, with nothing that reaches out. No functions, casts or subqueries.

    tier = 'enterprise' AND (length > 400 OR language IN ('de', 'fr'))

Every value is text to begin with, as metadata is: compared with a number it is read as one (text that is no number
matches nothing), compared with `true` or `false`, or standing alone, it is read as a boolean. An absent value makes a
condition unknown, as in SQL, and what is unknown in the end does not match.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from overproof.core.errors import UserError, meant

if TYPE_CHECKING:
    import polars as pl
    from sqlglot import exp

ALLOWED = (
    "names, texts in 'single quotes', numbers, true, false, = != < <= > >=, AND, OR, NOT, IN, BETWEEN, LIKE, ILIKE, "
    "IS NULL"
)
NUMBER = r"^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$"
COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


class WhereError(UserError):
    """A condition that is not of the slice language."""

    def __init__(self, text: str, fault: str) -> None:
        self.text = text
        super().__init__(f"cannot read the condition {text!r}: {fault}; allowed are {ALLOWED}")


class UnknownName(UserError):
    """A condition that speaks of something the data does not have."""

    def __init__(self, text: str, names: Iterable[str], known: Iterable[str]) -> None:
        self.text = text
        there, missing = sorted(known), sorted(names)
        unknown = ", ".join(map(repr, missing))
        hint = meant(missing[0], there)
        super().__init__(
            f"the condition {text!r} speaks of {unknown}, which is not there{hint}{'' if hint else ';'} "
            f"known names: {', '.join(there)}"
        )


class Where:
    """A condition, to be asked of a table's columns or of one row; the answers agree."""

    def __init__(self, text: str, root: _Condition) -> None:
        self.text = text
        self.root = root
        self.names = root.names
        """Everything it speaks of."""

    def __repr__(self) -> str:
        return f"Where({self.text!r})"

    def expression(self, columns: Mapping[str, pl.Expr]) -> pl.Expr:
        """Return a boolean expression without nulls; `columns` says where each known name is found.

        A column may be text, whole numbers, floats or booleans. Raises `UnknownName` when a name is missing.
        """
        missing = self.names - columns.keys()
        if missing:
            raise UnknownName(self.text, missing, columns)
        return self.root.expression(columns).fill_null(value=False)

    def matches(self, row: Mapping[str, object]) -> bool:
        """Say whether one row matches; a name it lacks counts as absent."""
        return self.root.truth(row) is True


class _Condition(Protocol):
    """One node: true, false or unknown (null) for every row."""

    @property
    def names(self) -> frozenset[str]: ...

    def expression(self, columns: Mapping[str, pl.Expr]) -> pl.Expr: ...

    def truth(self, row: Mapping[str, object]) -> bool | None: ...


class _Constant:
    """`true` or `false`."""

    names: frozenset[str] = frozenset()

    def __init__(self, value: bool) -> None:
        self.value = value

    def expression(self, columns: Mapping[str, pl.Expr]) -> pl.Expr:
        import polars as pl

        del columns
        return pl.lit(self.value)

    def truth(self, row: Mapping[str, object]) -> bool | None:
        del row
        return self.value


class _Compare:
    """A name against a text, a number or a boolean."""

    def __init__(self, name: str, symbol: str, value: str | float | bool) -> None:
        self.name = name
        self.compare = COMPARE[symbol]
        self.value = value
        self.names = frozenset([name])

    def expression(self, columns: Mapping[str, pl.Expr]) -> pl.Expr:
        import polars as pl

        text = found = columns[self.name].cast(pl.String)
        if isinstance(self.value, bool):
            lower = text.str.to_lowercase()
            found = pl.when(lower.is_in(["true", "false"])).then(lower == "true").otherwise(None)
        elif isinstance(self.value, float):
            found = pl.when(text.str.contains(NUMBER)).then(text).otherwise(None).cast(pl.Float64, strict=False)
        answer: pl.Expr = self.compare(found, pl.lit(self.value))
        return answer

    def truth(self, row: Mapping[str, object]) -> bool | None:
        text = _text(row.get(self.name))
        if text is None:
            return None
        found: object = text
        if isinstance(self.value, bool):
            found = {"true": True, "false": False}.get(text.lower())
        elif isinstance(self.value, float):
            found = float(text) if re.fullmatch(NUMBER, text) else None
        return None if found is None else bool(self.compare(found, self.value))


class _Like:
    """A name against a pattern, where % stands for any text and _ for one character."""

    def __init__(self, name: str, pattern: str, any_case: bool) -> None:
        self.name = name
        self.any_case = any_case
        self.names = frozenset([name])
        self.pattern = _regex(pattern.lower() if any_case else pattern)

    def expression(self, columns: Mapping[str, pl.Expr]) -> pl.Expr:
        import polars as pl

        text = columns[self.name].cast(pl.String)
        return (text.str.to_lowercase() if self.any_case else text).str.contains(self.pattern)

    def truth(self, row: Mapping[str, object]) -> bool | None:
        text = _text(row.get(self.name))
        if text is None:
            return None
        return re.fullmatch(self.pattern, text.lower() if self.any_case else text) is not None


class _Absent:
    """`name IS NULL`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.names = frozenset([name])

    def expression(self, columns: Mapping[str, pl.Expr]) -> pl.Expr:
        return columns[self.name].is_null()

    def truth(self, row: Mapping[str, object]) -> bool | None:
        return row.get(self.name) is None


class _Not:
    """The opposite; the opposite of unknown is unknown."""

    def __init__(self, inner: _Condition) -> None:
        self.inner = inner
        self.names = inner.names

    def expression(self, columns: Mapping[str, pl.Expr]) -> pl.Expr:
        return ~self.inner.expression(columns)

    def truth(self, row: Mapping[str, object]) -> bool | None:
        inner = self.inner.truth(row)
        return None if inner is None else not inner


class _Together:
    """Several conditions of which all, or any, must hold."""

    def __init__(self, parts: Iterable[_Condition], every: bool) -> None:
        self.parts = tuple(parts)
        self.every = every
        self.names = frozenset[str]().union(*(part.names for part in self.parts))

    def expression(self, columns: Mapping[str, pl.Expr]) -> pl.Expr:
        import polars as pl

        join = pl.all_horizontal if self.every else pl.any_horizontal
        return join(part.expression(columns) for part in self.parts)

    def truth(self, row: Mapping[str, object]) -> bool | None:
        answers = [part.truth(row) for part in self.parts]
        if (not self.every) in answers:
            return not self.every
        return None if None in answers else self.every


def parse(text: str) -> Where:
    """Return the condition that `text` writes; raise a `UserError` naming the piece that is not allowed."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        parsed = sqlglot.parse(text)
    except SqlglotError as wrong:
        raise WhereError(text, "it is not a whole SQL condition") from wrong
    if len(parsed) != 1 or parsed[0] is None:
        raise WhereError(text, "it is empty" if parsed[:1] == [None] else "it holds more than one statement")
    return Where(text, _Reading(text).condition(parsed[0]))


class _Reading:
    """Translates a parsed tree, node by node; what is not on the list is refused by name."""

    def __init__(self, text: str) -> None:
        self.text = text

    def condition(self, node: exp.Expr) -> _Condition:
        from sqlglot import exp

        readers: dict[type[exp.Expr], Callable[[Any], _Condition]] = {
            exp.Paren: lambda paren: self.condition(paren.this),
            exp.Not: lambda negated: _Not(self.condition(negated.this)),
            exp.And: lambda both: _Together(map(self.condition, both.flatten()), every=True),
            exp.Or: lambda either: _Together(map(self.condition, either.flatten()), every=False),
            exp.Boolean: lambda constant: _Constant(bool(constant.this)),
            exp.Column: lambda column: _Compare(self.name(column), "=", value=True),
            exp.Is: self.absent,
            exp.In: self.one_of,
            exp.Between: self.between,
            exp.Like: lambda like: self.like(like, any_case=False),
            exp.ILike: lambda like: self.like(like, any_case=True),
        }
        if type(node) in readers:
            read = readers[type(node)](node)
            # How `x NOT LIKE y` is told changed between versions of the parser.
            return _Not(read) if node.args.get("negate") else read
        return self.comparison(node)

    def comparison(self, node: exp.Expr) -> _Condition:
        from sqlglot import exp

        symbols: dict[type[exp.Expr], str] = {
            exp.EQ: "=",
            exp.NEQ: "!=",
            exp.LT: "<",
            exp.LTE: "<=",
            exp.GT: ">",
            exp.GTE: ">=",
        }
        symbol = symbols.get(type(node))
        if symbol is None:
            raise self.refused(node)
        left, right = node.this, node.expression
        if isinstance(right, exp.Column) and not isinstance(left, exp.Column):
            left, right, symbol = right, left, FLIPPED.get(symbol, symbol)
        if isinstance(right, exp.Column):
            raise WhereError(
                self.text, f"{node.sql()!r} compares two names; write texts in single quotes, as in tier = 'pro'"
            )
        return _Compare(self.name(left), symbol, self.value(right))

    def absent(self, node: exp.Is) -> _Condition:
        from sqlglot import exp

        if not isinstance(node.expression, exp.Null):
            raise self.refused(node)
        return _Absent(self.name(node.this))

    def one_of(self, node: exp.In) -> _Condition:
        if not node.expressions:
            raise self.refused(node)
        name = self.name(node.this)
        return _Together((_Compare(name, "=", self.value(each)) for each in node.expressions), every=False)

    def between(self, node: exp.Between) -> _Condition:
        if node.args.get("symmetric"):
            raise self.refused(node)
        name, low, high = self.name(node.this), self.value(node.args["low"]), self.value(node.args["high"])
        return _Together([_Compare(name, ">=", low), _Compare(name, "<=", high)], every=True)

    def like(self, node: exp.Like | exp.ILike, any_case: bool) -> _Condition:
        pattern = self.value(node.expression)
        if not isinstance(pattern, str):
            raise self.refused(node)
        return _Like(self.name(node.this), pattern, any_case)

    def name(self, node: exp.Expr) -> str:
        from sqlglot import exp

        if not isinstance(node, exp.Column) or not isinstance(node.this, exp.Identifier):
            raise self.refused(node)
        if len(node.parts) > 1:
            raise WhereError(self.text, f'{node.sql()!r} has a dot; put a name that holds one in "double quotes"')
        return str(node.this.this)

    def value(self, node: exp.Expr) -> str | float | bool:
        from sqlglot import exp

        if isinstance(node, exp.Neg):
            inner = self.value(node.this)
            if isinstance(inner, float):
                return -inner
        if isinstance(node, exp.Boolean):
            return bool(node.this)
        if isinstance(node, exp.Literal):
            return str(node.this) if node.is_string else float(node.this)
        if isinstance(node, exp.Null):
            raise WhereError(self.text, "nothing equals NULL; write IS NULL or IS NOT NULL")
        raise self.refused(node)

    def refused(self, node: exp.Expr) -> WhereError:
        return WhereError(self.text, f"{node.sql()!r} is not allowed")


def _text(value: object) -> str | None:
    """Return a value as the text a table's column would be cast to."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def _regex(pattern: str) -> str:
    """Return a LIKE pattern in the syntax that Python's and Polars' regular expressions share."""
    wild = {"%": ".*", "_": "."}
    plain = (
        wild.get(c) or ("\\" + c if c.isascii() and not c.isalnum() and c.isprintable() and c != " " else c)
        for c in pattern
    )
    return f"^(?s:{''.join(plain)})$"
