"""Records as tables: the columns of a Polars frame, derived from the record's class.

Texts, numbers, booleans and UTC times are columns of their own kind, tuples of texts are lists; whatever is nested
deeper is kept as canonical JSON text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from overproof.core.chance import canonical
from overproof.core.types import Record

R = TypeVar("R", bound=Record)

TIME = pl.Datetime("us", "UTC")


@cache
def schema(kind: type[Record]) -> pl.Schema:
    """Return the columns a table of `kind` has."""
    return pl.Schema(
        {name: _column(hint) for name, hint in get_type_hints(kind).items() if name in kind.__struct_fields__}
    )


def frame(records: Iterable[Record], kind: type[Record]) -> pl.DataFrame:
    """Return a table with one row for each of `records`, which are all of `kind`."""
    rows = list(records)
    nested = _nested(kind)
    columns: dict[str, list[Any]] = {}
    for name in kind.__struct_fields__:
        values = [getattr(row, name) for row in rows]
        columns[name] = [canonical(value).decode() for value in values] if name in nested else values
    return pl.DataFrame(columns, schema=schema(kind))


def records(table: pl.DataFrame, kind: type[R]) -> Iterator[R]:
    """Yield the rows of `table` as records of `kind`; other columns are left out."""
    nested = _nested(kind)
    names = [name for name in kind.__struct_fields__ if name in table.columns]
    for row in table.select(names).iter_rows(named=True):
        for name in nested:
            if name in row:
                row[name] = msgspec.json.decode(row[name])
        yield msgspec.convert(row, kind)


def numbered(values: pl.Series | pl.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number equal values (or rows) from 0 in the order in which they are first seen; also return where that is."""
    keys = values.alias("value").to_frame() if isinstance(values, pl.Series) else values
    first = keys.with_row_index("_row").select(pl.col("_row").first().over(keys.columns))["_row"].to_numpy()
    new = first == np.arange(len(first))
    return (np.cumsum(new) - 1)[first], np.flatnonzero(new)


@cache
def _nested(kind: type[Record]) -> frozenset[str]:
    hints = get_type_hints(kind)
    return frozenset(name for name in kind.__struct_fields__ if _is_nested(hints[name]))


def _bare(hint: Any) -> Any:  # noqa: ANN401 - a type expression is anything
    """Strip `| None` and NewType: neither changes the column."""
    if isinstance(hint, NewType):
        return hint.__supertype__
    if get_origin(hint) in (Union, UnionType):
        inner = [arg for arg in get_args(hint) if arg is not NoneType]
        return _bare(inner[0])
    return hint


def _is_nested(hint: Any) -> bool:  # noqa: ANN401 - a type expression is anything
    bare = _bare(hint)
    if get_origin(bare) is tuple:
        return _bare(get_args(bare)[0]) is not str
    return bare not in (str, int, float, bool, datetime) and get_origin(bare) is not Literal


def _column(hint: Any) -> pl.DataType:  # noqa: ANN401 - a type expression is anything
    bare = _bare(hint)
    if get_origin(bare) is tuple and not _is_nested(hint):
        return pl.List(pl.String)
    plain: dict[Any, pl.DataType] = {int: pl.Int64(), float: pl.Float64(), bool: pl.Boolean(), datetime: TIME}
    return plain.get(bare, pl.String())
