"""Slices: parts of the traffic that matter by themselves, each a condition over metadata and derived columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import polars as pl

from overproof.core.tables import numbered
from overproof.core.where import Where, parse
from overproof.prompts.options import SliceOptions

DERIVED = ("length", "language", "topic", "repeat", "model")
"""Columns that conditions may speak of, besides `new`, the opposite of `repeat`. They hide metadata keys so called."""
LOOKED_AT = 20_000
"""Rows that show whether metadata repeat themselves."""
LABELS = {"label": "reference", "predicted_label": "predicted"}
"""Names that only evaluation can fill, and the columns it fills them from."""


HIDDEN = frozenset({*DERIVED, "new", *LABELS})
"""Metadata keys that no condition over requests can speak of."""


@dataclass(frozen=True)
class ByNeed:
    """Slices by what it takes to decide them."""

    decidable: tuple[SliceOptions, ...]
    """From the request alone."""
    at_evaluation: tuple[SliceOptions, ...]
    """From the right answer or the student's: they can be measured, but they cannot drive routing."""


def split_by_need(slices: Sequence[SliceOptions]) -> ByNeed:
    """Tell slices that a request decides from those that need its label or a student's answer."""
    needs = [bool(_needs(each)) for each in slices]
    return ByNeed(
        tuple(each for each, needed in zip(slices, needs, strict=True) if not needed),
        tuple(each for each, needed in zip(slices, needs, strict=True) if needed),
    )


def speak_of(slices: Sequence[SliceOptions], name: str) -> bool:
    """Return whether any condition speaks of `name`."""
    return any(name in parse(each.where).names for each in slices)


def select(requests: pl.DataFrame, where: Where) -> pl.Series:
    """Return whether each request matches; a name that is neither derived nor a metadata key is a `UserError`."""
    return _matches(requests, {"match": where})["match"]


def named(requests: pl.DataFrame, slices: Sequence[SliceOptions]) -> pl.Series:
    """Return the names of the slices each request belongs to: "all", "new" or "repeat", then those of `slices`.

    `requests` has `metadata`, `repeat` and whatever else of `DERIVED` the slices speak of; none may need labels.
    """
    derived = {"all": parse("true"), "new": parse("new"), "repeat": parse("repeat")}
    return _names(_matches(requests, derived | _parsed(slices)))


def with_labels(evidence: pl.DataFrame, slices: Sequence[SliceOptions]) -> pl.DataFrame:
    """Add slices that speak of labels to the column `slices` of a table for evaluation.

    `label` is its column `reference`, `predicted_label` its column `predicted`. A slice whose column is not there is
    left for the call that brings it. Conditions may also speak of metadata and derived columns, if the table has them.
    """
    ready = [
        each
        for each in split_by_need(slices).at_evaluation
        if all(LABELS[name] in evidence.columns for name in _needs(each))
    ]
    if not ready:
        return evidence
    added = _names(_matches(evidence, _parsed(ready)))
    return evidence.with_columns(pl.concat_list("slices", added.alias("added")).list.unique(maintain_order=True))


class Metadata:
    """A column of metadata (JSON objects of texts); where they repeat themselves, each distinct one is read once."""

    def __init__(self, column: pl.Series) -> None:
        distinct = column
        self._place: pl.Series | None = None
        some = column[:LOOKED_AT]
        if 2 * some.n_unique() < len(some):  # else it takes longer to find them than to read all
            place, first = numbered(column)
            self._place, distinct = pl.Series(place), column.gather(first)
        self._text = f"[{distinct.str.join(',').item()}]"

    @property
    def keys(self) -> list[str]:
        """Every key that occurs."""
        return sorted(frozenset[str]().union(*msgspec.json.decode(self._text, type=list[dict[str, str]])))

    def values(self, key: str) -> pl.Series:
        """Return the value of `key` in each row, null where it has none."""
        found = pl.Series(self._found(key), dtype=pl.String)
        return found if self._place is None else found.gather(self._place)

    def _found(self, key: str) -> list[str | None]:
        """Return the value of `key` in each object; the others are passed over, unless it can be no field's name."""
        try:
            kind: Any = msgspec.defstruct("Has", [("value", str | None, None)], rename={"value": key}, gc=False)
        except ValueError:
            return [each.get(key) for each in msgspec.json.decode(self._text, type=list[dict[str, str]])]
        objects: list[Any] = msgspec.json.decode(self._text, type=list[kind])
        return [each.value for each in objects]


def _needs(each: SliceOptions) -> frozenset[str]:
    return parse(each.where).names & LABELS.keys()


def _parsed(slices: Sequence[SliceOptions]) -> dict[str, Where]:
    return {each.name: parse(each.where) for each in slices}


def _matches(rows: pl.DataFrame, wheres: Mapping[str, Where]) -> pl.DataFrame:
    """Return one boolean column for each condition, named as it is."""
    wanted = frozenset[str]().union(*(where.names for where in wheres.values()))
    columns = _derived(rows.columns)
    if "metadata" in rows.columns:
        metadata = Metadata(rows["metadata"])
        asked = {key: metadata.values(key) for key in sorted(wanted - columns.keys())}
        read = {key: pl.lit(values) for key, values in asked.items() if values.null_count() < len(values)}
        if len(read) < len(asked):  # whoever asks for a name that no request has is told which there are
            read = {key: pl.lit(None) for key in metadata.keys} | read
        columns = read | columns
    answers = [where.expression(columns) & pl.repeat(value=True, n=pl.len()) for where in wheres.values()]
    return rows.select(answer.alias(name) for answer, name in zip(answers, wheres, strict=True))


def _derived(columns: Sequence[str]) -> dict[str, pl.Expr]:
    """Return where the derived names and labels are found, as far as the table has them."""
    found = {name: pl.col(name) for name in DERIVED if name in columns}
    found |= {name: pl.col(column) for name, column in LABELS.items() if column in columns}
    if "repeat" not in columns and "slices" in columns:
        found["repeat"] = pl.col("slices").list.contains("repeat")
    return found | {"new": ~found["repeat"]} if "repeat" in found else found


def _names(matches: pl.DataFrame) -> pl.Series:
    """Return, for each row, the names of the columns that are true."""
    kind, first = numbered(matches)
    found = [[name for name, is_in in row.items() if is_in] for row in matches[first].iter_rows(named=True)]
    return pl.Series("slices", found, dtype=pl.List(pl.String)).gather(kind)
