"""What changed between two prompt sets: the traffic of one beside what is new in the other, held against chance."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, hstack
from scipy.sparse.csgraph import connected_components

from overproof.core.chance import draws
from overproof.core.types import MatchRow
from overproof.prompts import match
from overproof.prompts.changes import Difference, Dimension, Shift, Word
from overproof.prompts.effects import Side, cohen_h, interval, stability_index
from overproof.prompts.slices import Metadata
from overproof.prompts.tell_apart import one_hot
from overproof.prompts.words import Held, held, log_odds

MOST = 25_000
"""Requests compared on each side, about, at most: whole units, drawn by hash."""
FEW = 50
"""A metadata key with more values than this names things rather than kinds of them."""
ABSENT, UNCLEAR = "(none)", "(unclear)"
SLICE, WORD, JOINT, METADATA = "slice", "word", "joint", "metadata."
Z95 = 1.96


def difference(
    before: pl.DataFrame,
    after: pl.DataFrame,
    *,
    slices: Collection[str] = (),
    grouped: bool = False,
    seed: str = "overproof",
) -> Difference:
    """Compare the requests of one prompt set with those that are new in another.

    Both are tables of `Request` with columns `input` and, where they are to be compared, `label` and `topic` (null:
    unknown).
    Requests are the same by `id`. `slices` names those that mean the same in both. `grouped`: units are groups, which
    may ask the same prompt and stay apart. Chance is held off as in `match`: whole units are dealt to the two sides at
    random, and 95 % of those deals flag and name nothing, words included.
    """
    new = after.join(before.select("id"), on="id", how="anti", maintain_order="left")
    both = _side_by_side(before, new, _units(before, after, grouped=grouped))
    both = _drawn(both, before.height, new.height, seed)
    live = both["live"].to_numpy()
    found = Difference(
        requests_before=before.height,
        requests_after=new.height,
        in_both=after.height - new.height,
        only_before=before.height - (after.height - new.height),
        compared_before=int((~live).sum()),
        compared_after=int(live.sum()),
        units_before=both.filter(~pl.col("live"))["unit"].n_unique(),
        units_after=both.filter("live")["unit"].n_unique(),
    )
    if live.all() or not live.any():
        return found
    measured = _measured(both, sorted(set(slices)))
    by_name = {row.dimension: row for row in _rows(measured, both["unit"], seed)}
    dimensions = [_dimension(measured, column, by_name) for column in measured.table]
    dimensions += [_alone(by_name[name]) for name in (WORD, JOINT) if name in by_name]
    words = tuple(_words(measured, by_name[WORD].moved)) if WORD in by_name else ()
    return msgspec.structs.replace(found, dimensions=tuple(dimensions), words=words)


def _units(before: pl.DataFrame, after: pl.DataFrame, *, grouped: bool) -> pl.DataFrame:
    """Return `unit` and `component`: units of either set are one where they share a request, a name or a prompt."""
    rows = pl.concat([each.select("id", "prompt_id", "unit") for each in (before, after)])
    names = rows.select(pl.col("unit").unique().sort()).with_row_index("node")
    rows = rows.join(names, on="unit", how="left", maintain_order="left")
    keys = ["id"] if grouped else ["id", "prompt_id"]
    edges, offset = [], names.height
    for key in keys:
        codes = rows[key].rank("dense").cast(pl.Int64).to_numpy() - 1
        edges.append((rows["node"].cast(pl.Int64).to_numpy(), offset + codes))
        offset += int(codes.max(initial=-1)) + 1
    places = np.concatenate([a for a, _ in edges]), np.concatenate([b for _, b in edges])
    graph = coo_array((np.ones(len(places[0]), np.int8), places), shape=(offset, offset))
    _, component = connected_components(graph, directed=False)
    return names.select("unit", component=pl.Series(component[: names.height].astype(np.int64)))


def _side_by_side(before: pl.DataFrame, new: pl.DataFrame, units: pl.DataFrame) -> pl.DataFrame:
    columns = ["input", "length", "language", "slices", "metadata", "unit"]
    columns += [name for name in ("label", "topic") if name in before.columns and name in new.columns]
    sides = [each.select(columns).with_columns(live=pl.lit(live)) for each, live in ((before, False), (new, True))]
    joined = pl.concat(sides).join(units, on="unit", how="left", maintain_order="left")
    return joined.with_columns(unit=pl.col("component").cast(pl.String)).drop("component")


def _drawn(both: pl.DataFrame, n_before: int, n_after: int, seed: str) -> pl.DataFrame:
    """Return what some units ask on a side that has far more requests than it takes to compare."""
    if max(n_before, n_after) <= MOST:
        return both
    units = both["unit"].unique().sort()
    place = pl.DataFrame({"unit": units, "draw": draws(f"{seed}/compared", units)})
    share = pl.when("live").then(MOST / max(n_after, 1)).otherwise(MOST / max(n_before, 1))
    return both.join(place, on="unit", how="left", maintain_order="left").filter(pl.col("draw") < share).drop("draw")


@dataclass(frozen=True)
class _Measured:
    """Both sides in one table: one row for each request."""

    live: NDArray[np.bool_]
    """Whether it is of the later side."""
    unit: NDArray[np.int64]
    """Numbered from 0."""
    table: pl.DataFrame
    """One column for each dimension whose values exclude each other; of slices, their combinations."""
    slices: pl.DataFrame
    """For each slice whether the request is in it, as text."""
    joint: pl.DataFrame
    words: Held


def _measured(both: pl.DataFrame, slices: list[str]) -> _Measured:
    both = both.with_columns(pl.col("slices").list.set_intersection(slices))
    shared = match.dimensions(both)
    inside = {name: pl.col("slices").list.contains(name).cast(pl.String).alias(name) for name in slices}
    flags = both.select(inside.values()) if inside else pl.DataFrame()
    return _Measured(
        live=both["live"].to_numpy(),
        unit=both["unit"].rank("dense").cast(pl.Int64).to_numpy() - 1,
        table=pl.concat([shared.drop(JOINT), _topics(both), _metadata(both["metadata"])], how="horizontal"),
        slices=flags.select(each for each in flags if each.n_unique() > 1),
        joint=shared.select(JOINT),
        words=held(both["input"], both["unit"], both["live"]),
    )


def _topics(both: pl.DataFrame) -> pl.DataFrame:
    known = pl.col("topic").replace("", UNCLEAR)
    return both.select(known) if "topic" in both.columns else pl.DataFrame()


def _metadata(column: pl.Series) -> pl.DataFrame:
    """Return the metadata keys that have few values, but more than one; a request without a key counts as absent."""
    metadata = Metadata(column)
    values = (metadata.values(key).fill_null(ABSENT).alias(f"{METADATA}{key}") for key in metadata.keys)
    return pl.DataFrame([each for each in values if 1 < each.n_unique() <= FEW])


def _rows(measured: _Measured, units: pl.Series, seed: str) -> Iterator[MatchRow]:
    """Hold every dimension, slice and word against chance, all in one family."""
    flags = measured.slices.rename(lambda name: f"{SLICE} {name}")
    tables = pl.concat([measured.table, flags], how="horizontal")
    found, values = [one_hot(tables)], match.values_of(tables)
    if len(measured.words.words) > 1:  # of one word alone there is nothing to say
        found.append(measured.words.found)
        values.append(measured.words.words.alias(WORD))
    found.append(one_hot(measured.joint))
    values += match.values_of(measured.joint)
    yield from match.rows(csr_array(hstack(found, format="csr")), values, measured.live, units, seed)


def _dimension(measured: _Measured, column: pl.Series, by_name: Mapping[str, MatchRow]) -> Dimension:
    """Return one dimension with its values; of slices each by itself, for their shares do not exclude each other."""
    row = by_name[column.name]
    before, after = _sides(measured, one_hot(column.to_frame()), column.is_not_null().to_numpy())
    psi = stability_index(before.totals, after.totals)
    moved, names = set(row.moved), column.drop_nulls().unique().sort().cast(pl.String).to_list()
    if column.name == SLICE:
        names = measured.slices.columns
        moved = {name for name in names if by_name[f"{SLICE} {name}"].flagged}
        flags = measured.slices.select(pl.all() == "true").cast(pl.Float64).to_numpy()
        before, after = _sides(measured, csr_array(flags), np.ones(len(flags), bool))
    return Dimension(
        name=column.name,
        total_variation=row.total_variation,
        expected=row.expected,
        psi=psi,
        flagged=row.flagged or bool(moved),
        values=tuple(_shifts(names, moved, before, after)),
    )


def _sides(measured: _Measured, found: csr_array, known: NDArray[np.bool_]) -> tuple[Side, Side]:
    """Count values by unit on both sides, of the requests whose value is known."""
    n = int(measured.unit.max()) + 1
    sides = []
    for here in (~measured.live & known, measured.live & known):
        rows = np.flatnonzero(here)
        owner = csr_array((np.ones(len(rows)), (measured.unit[rows], rows)), shape=(n, len(here)))
        sides.append(Side(csr_array(owner @ found), np.bincount(measured.unit[rows], minlength=n).astype(np.float64)))
    return sides[0], sides[1]


def _shifts(names: list[str], moved: Collection[str], before: Side, after: Side) -> Iterator[Shift]:
    lower, upper = interval(before, after)
    h = cohen_h(before.shares, after.shares)
    for i, name in enumerate(names):
        yield Shift(
            value=name,
            requests_before=int(before.totals[i]),
            requests_after=int(after.totals[i]),
            before=float(before.shares[i]),
            after=float(after.shares[i]),
            difference=float(after.shares[i] - before.shares[i]),
            lower=float(lower[i]),
            upper=float(upper[i]),
            h=float(h[i]),
            beyond=name in moved,
        )


def _alone(row: MatchRow) -> Dimension:
    """Return a dimension that has too many values to show."""
    return Dimension(
        name=row.dimension,
        total_variation=row.total_variation,
        expected=row.expected,
        psi=None,
        flagged=row.flagged,
    )


def _words(measured: _Measured, moved: Collection[str]) -> Iterator[Word]:
    words, found = measured.words.words.to_list(), measured.words.found
    before, after = (
        np.asarray(found[np.flatnonzero(side)].sum(axis=0), np.float64) for side in (~measured.live, measured.live)
    )
    ratio, error = log_odds(before, after)
    n_before, n_after = (len(np.unique(measured.unit[side])) for side in (~measured.live, measured.live))
    places = {word: i for i, word in enumerate(words)}
    for i in (places[word] for word in moved):
        yield Word(
            word=words[i],
            units_before=int(measured.words.parts[i, 0]),
            units_after=int(measured.words.parts[i, 1]),
            before=float(before[i] / n_before),
            after=float(after[i] / n_after),
            log_odds=float(ratio[i]),
            lower=float(ratio[i] - Z95 * error[i]),
            upper=float(ratio[i] + Z95 * error[i]),
        )
