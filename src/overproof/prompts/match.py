"""How far the prompt set is from live traffic: shares side by side, held against what chance alone would show."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from overproof.core.chance import digest
from overproof.core.tables import numbered
from overproof.core.types import Match, MatchRow
from overproof.prompts.tell_apart import one_hot, tell_apart

PERMUTATIONS = 1000
"""Deals of the units to the two sides that the true one is held against."""
AT_ONCE = 4_000_000
"""Cells of the table of deals held at once."""
MOST = 50_000
"""Requests compared, about, at most: whole units, drawn at random under the seed."""
LEVEL = 0.95
"""Share of deals that stay below `MatchRow.expected` along every dimension at once."""
LENGTH_BINS = 5
TINY = 1e-12
RARE = 0.01
"""Combinations of slices with a smaller share are shown as one."""
EVERY_REQUEST = ("all", "new", "repeat")
"""Names every request has, or that follow from its window; they say nothing about how the windows differ."""

NEEDED = ("window", "split", "unit", "slices", "length", "language", "input")
"""Columns that are looked at: of requests, and what of each is its input."""


def match(requests: pl.DataFrame, labels: pl.Series | None, seed: str) -> Match:
    """Compare the prompt set (train and tune) with live traffic (the evaluation window, whole).

    `requests` has the columns `NEEDED`, as a table of `Request` has them. `labels` gives the teacher's answer to each;
    a request without one does not count where labels are compared, and None leaves that dimension out. Total variation
    is held against what is seen when whole units are dealt to the two sides at random, and so is the share of every
    value: 95 % of such deals flag and name nothing. The interval around the AUC is asymptotic, clustered by unit. Where
    there are far more than `MOST` requests, about so many are compared, and counted in the result.
    """
    live = pl.col("window") == "evaluation"
    if labels is not None:
        requests = requests.with_columns(labels.alias("label"))
    both = requests.filter(live | pl.col("split").is_in(["train", "tune"])).with_columns(live=live)
    both = _drawn(both, seed)
    known = dimensions(both)
    apart = tell_apart(both["input"], known.drop("label", "joint", strict=False), both["live"], both["unit"], seed)
    return Match(
        rows=tuple(_rows(known, both["live"].to_numpy(), both["unit"], seed)),
        auc=apart.auc,
        auc_lower=apart.lower,
        auc_upper=apart.upper,
        prompt_set_requests=int((~both["live"]).sum()),
        live_requests=int(both["live"].sum()),
    )


def _drawn(requests: pl.DataFrame, seed: str) -> pl.DataFrame:
    """Return the requests of some units, where there are far more than it takes to compare."""
    if requests.height <= MOST:
        return requests
    unit, first = numbered(requests["unit"])
    draw = np.random.default_rng(int(digest(seed, "compared"), 16)).random(len(first))
    return requests.filter(pl.Series(draw[unit] < MOST / requests.height))


def dimensions(requests: pl.DataFrame) -> pl.DataFrame:
    """Return one column of values for each dimension that is known; `joint` crosses the others."""
    columns = []
    slices = _slice_combinations(requests["slices"])
    if slices.n_unique() > 1:
        columns.append(slices)
    if "label" in requests.columns and requests["label"].null_count() < requests.height:
        columns.append(requests["label"])
    columns.append(_length_bins(requests["length"]))
    columns.append(requests["language"].replace("", "(unsure)").alias("language"))
    table = pl.DataFrame(columns)
    known = ~pl.any_horizontal(pl.all().is_null())
    return table.with_columns(joint=pl.when(known).then(pl.struct(pl.all()).rank("dense")).cast(pl.String))


def _slice_combinations(slices: pl.Series) -> pl.Series:
    """Return the named slices of each request as one text: shares of those add up, shares of slices do not."""
    kind, first = numbered(slices)  # far fewer than requests
    each = slices.gather(first).list.set_difference(list(EVERY_REQUEST)).list.sort().list.join(" + ")
    named = each.replace("", "(none)").gather(kind).alias("slice")
    rare = named.value_counts(normalize=True).filter(pl.col("proportion") < RARE)["slice"]
    return named.replace(rare, pl.repeat("(rare combinations)", len(rare), eager=True))


def _length_bins(length: pl.Series) -> pl.Series:
    """Return the fifth of all requests that each one's length falls into, as text that sorts by length."""
    edges = sorted({int(length.quantile(i / LENGTH_BINS, "nearest") or 0) for i in range(1, LENGTH_BINS)})
    names = [f"up to {edge}" if i == 0 else f"{edges[i - 1] + 1} to {edge}" for i, edge in enumerate(edges)]
    bins = pl.Series("length", [*names, f"over {edges[-1]}"])
    return bins.gather(np.searchsorted(edges, length.to_numpy())).cast(pl.Enum(bins))


def _rows(dimensions: pl.DataFrame, live: NDArray[np.bool_], units: pl.Series, seed: str) -> list[MatchRow]:
    """Compare the two sides along each dimension."""
    return rows(one_hot(dimensions), values_of(dimensions), live, units, seed)


def values_of(dimensions: pl.DataFrame) -> list[pl.Series]:
    """Return the values of each column, in the order of their columns in `one_hot`."""
    return [column.drop_nulls().unique().sort() for column in dimensions]


def rows(
    found: csr_array, values: list[pl.Series], live: NDArray[np.bool_], units: pl.Series, seed: str
) -> list[MatchRow]:
    """Compare two sides along each dimension; all of them together name something by chance one time in twenty.

    `found`, shape (requests, all values), counts how often each request has each value; `values` names each dimension
    and its columns there, in order. Of the last dimension, `joint`, only the distance counts. No rows where a side is
    empty.
    """
    if live.all() or not live.any():
        return []
    begins = np.cumsum([0, *(len(each) for each in values)])
    on_live = _shares(live @ found, begins)
    of_prompts = _shares(~live @ found, begins)
    apart = on_live - of_prompts
    distances = _distances(apart, begins)
    expected, explained = _explained(np.vstack([apart, *_by_chance(found, begins, units, live, seed)]), begins)
    figures = np.split(np.stack([of_prompts, on_live, explained]), begins[1:-1], axis=1)
    return [
        _row(each, float(distances[i]), float(expected[i]), figures[i] if each.name != "joint" else None)
        for i, each in enumerate(values)
    ]


def _row(values: pl.Series, distance: float, expected: float, figures: NDArray[np.float64] | None) -> MatchRow:
    """Return one dimension; `figures`, shape (3, values), are shares on both sides and how far they may be apart."""
    named = values if figures is not None else values.clear()
    of_prompts, on_live, explained = figures if figures is not None else np.zeros((3, 0))
    beyond = np.abs(on_live - of_prompts) - explained
    moved = tuple(named[int(i)] for i in np.argsort(-beyond, kind="stable") if beyond[i] > 0)
    return MatchRow(
        dimension=values.name,
        total_variation=distance,
        expected=expected,
        prompt_set=_by_value(named, of_prompts),
        live=_by_value(named, on_live),
        explained=_by_value(named, explained),
        moved=moved,
        flagged=bool(distance > expected or moved),
    )


def _by_value(values: pl.Series, figures: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(values.to_list(), figures.tolist(), strict=True))


def _explained(
    by_chance: NDArray[np.float64], begins: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far each dimension, and each value's share, may differ by chance: 95 % of deals keep it all.

    `by_chance` are differences of shares, shape (deals, values), the true one among them: where it is a deal like any
    other, it breaks a limit one time in twenty, however few units there are. Values are held against each other by how
    far each is used to move, and a dimension's furthest counts (Westfall and Young's maximum). `joint`, the last
    dimension, is held to its distance alone.
    """
    usual = np.sqrt(np.mean(by_chance**2, axis=0))
    named = begins[-2]
    leaps = np.abs(by_chance[:, :named]) / np.maximum(usual[:named], TINY)
    furthest = np.maximum.reduceat(leaps, begins[:-2], axis=1)
    limits = _limits(np.hstack([_distances(by_chance, begins), furthest]))
    expected, leap = np.split(limits, [len(begins) - 1])
    return expected, usual * np.repeat(np.append(leap, 0.0), np.diff(begins))


def _limits(by_chance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the limit of each figure, all at the same quantile: the one that 95 % of deals keep everywhere.

    `by_chance` has shape (deals, figures). Figures overlap, so this asks for less than Bonferroni would.
    """
    most = np.sort(by_chance.argsort(axis=0).argsort(axis=0).max(axis=1))
    place = int(most[math.ceil(LEVEL * len(most)) - 1])
    limits: NDArray[np.float64] = np.sort(by_chance, axis=0)[place]
    return limits


def _shares(counts: NDArray[np.float64], begins: NDArray[np.int64]) -> NDArray[np.float64]:
    """Turn counts into shares within each dimension; the last axis runs over the values of all dimensions."""
    totals = np.repeat(np.add.reduceat(counts, begins[:-1], axis=-1), np.diff(begins), axis=-1)
    shares: NDArray[np.float64] = counts / np.maximum(totals, 1)
    return shares


def _distances(differences: NDArray[np.float64], begins: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the total variation of each dimension from the differences of shares."""
    halves: NDArray[np.float64] = np.add.reduceat(np.abs(differences), begins[:-1], axis=-1) / 2
    return halves


def _by_chance(
    found: csr_array, begins: NDArray[np.int64], units: pl.Series, live: NDArray[np.bool_], seed: str
) -> Iterator[NDArray[np.float64]]:
    """Yield differences of shares, shape (deals, values), when chance alone has dealt the units to the sides.

    A unit on one side is dealt whole. What one on both sides adds to the difference is turned round, or not, by the
    toss of a coin: as many of its requests then count on the other side, in proportion to the sides.
    """
    random = np.random.default_rng(int(digest(seed, "match"), 16))
    member = csr_array(one_hot(units.to_frame()).T)
    on_live, on_other = member @ live.astype(np.int64), member @ (~live).astype(np.int64)
    both = (on_live > 0) & (on_other > 0)
    whole, sizes, n_live = member[~both] @ found, (on_live + on_other)[~both], int(on_live[~both].sum())
    there, here = _counts(member[both], live, found), _counts(member[both], ~live, found)
    larger = float(live.sum() / (~live).sum())
    total = np.asarray(found.sum(axis=0)).ravel()
    for dealt in _deals(random, sizes, n_live, len(on_live)):
        turned = random.random((len(dealt), there.shape[0])) < 0.5
        live_counts = dealt @ whole + there.sum(axis=0) + turned @ (here * larger - there)
        other_counts = total - dealt @ whole - there.sum(axis=0) + turned @ (there / larger - here)
        yield _shares(live_counts, begins) - _shares(other_counts, begins)


def _counts(member: csr_array, side: NDArray[np.bool_], found: csr_array) -> csr_array:
    """Return how often each unit has each value on one side."""
    return csr_array(member[:, side] @ found[side])


def _deals(
    random: np.random.Generator, sizes: NDArray[np.int64], n_live: int, units: int
) -> Iterator[NDArray[np.bool_]]:
    """Yield deals of whole units to the live side, shape (some, units), until `n_live` requests lie there."""
    at_once = max(1, AT_ONCE // units)
    room = np.uint64(len(sizes).bit_length())
    places = np.arange(len(sizes), dtype=np.uint64)
    for start in range(0, PERMUTATIONS, at_once):
        keys = random.integers(0, 2**64, (min(at_once, PERMUTATIONS - start), len(sizes)), dtype=np.uint64)
        order = np.sort((keys >> room) << room | places, axis=1) & ~(~np.uint64(0) << room)  # quicker than to argsort
        order = order.astype(np.int64)
        live = np.zeros(order.shape, bool)
        np.put_along_axis(live, order, np.cumsum(sizes[order], axis=1) <= n_live, axis=1)
        yield live
