"""How far the prompt set is from live traffic: shares side by side, held against what chance alone would show."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from overproof.core.chance import digest, draws
from overproof.core.types import Match, MatchRow
from overproof.prompts.tell_apart import one_hot, tell_apart

PERMUTATIONS = 1000
AT_ONCE = 4_000_000
"""Cells of the permutation table held at once."""
MOST = 50_000
"""Requests compared, about, at most: whole units, drawn by hash."""
LEVEL = 0.95
"""Share of permutations that stay below `MatchRow.expected` along every dimension at once."""
LENGTH_BINS = 5
RARE = 0.01
"""Combinations of slices with a smaller share are shown as one."""
EVERY_REQUEST = ("all", "new", "repeat")
"""Names every request has, or that follow from its window; they say nothing about how the windows differ."""


def match(requests: pl.DataFrame, labels: pl.Series | None, seed: str) -> Match:
    """Compare the prompt set (train and tune) with live traffic (the evaluation window, whole).

    `requests` is a table of `Request` with a column `input`. `labels` gives the teacher's answer to each; a request
    without one does not count where labels are compared, and None leaves that dimension out. Total variation is held
    against what is seen when whole units are dealt to the two sides at random: 95 % of such deals flag nothing. The
    interval around the AUC is asymptotic, clustered by unit. Where there are far more than `MOST` requests, about so
    many are compared, and counted in the result.
    """
    live = pl.col("window") == "evaluation"
    if labels is not None:
        requests = requests.with_columns(labels.alias("label"))
    both = requests.filter(live | pl.col("split").is_in(["train", "tune"])).with_columns(live=live)
    both = _drawn(both, seed)
    dimensions = _dimensions(both)
    apart = tell_apart(both["input"], dimensions.drop("label", "joint", strict=False), both["live"], both["unit"], seed)
    return Match(
        rows=tuple(_rows(dimensions, both["live"].to_numpy(), both["unit"], seed)),
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
    units = requests["unit"].unique()
    place = pl.DataFrame({"unit": units, "draw": draws(f"{seed}/compared", units)})
    chosen = place.filter(pl.col("draw") < MOST / requests.height)["unit"]
    return requests.filter(pl.col("unit").is_in(chosen.implode()))


def _dimensions(requests: pl.DataFrame) -> pl.DataFrame:
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
    named = slices.list.set_difference(list(EVERY_REQUEST)).list.sort().list.join(" + ").alias("slice")
    named = named.replace("", "(none)")
    rare = named.value_counts(normalize=True).filter(pl.col("proportion") < RARE)["slice"]
    return named.replace(rare, pl.repeat("(rare combinations)", len(rare), eager=True))


def _length_bins(length: pl.Series) -> pl.Series:
    """Return the fifth of all requests that each one's length falls into, as text that sorts by length."""
    edges = sorted({int(length.quantile(i / LENGTH_BINS, "nearest") or 0) for i in range(1, LENGTH_BINS)})
    names = [f"up to {edge}" if i == 0 else f"{edges[i - 1] + 1} to {edge}" for i, edge in enumerate(edges)]
    bins = pl.Series("length", [*names, f"over {edges[-1]}"])
    return bins.gather(np.searchsorted(edges, length.to_numpy())).cast(pl.Enum(bins))


def _rows(dimensions: pl.DataFrame, live: NDArray[np.bool_], units: pl.Series, seed: str) -> list[MatchRow]:
    """Compare the two sides along each dimension, whose values are columns of one table of counts."""
    if live.all() or not live.any():
        return []
    found = one_hot(dimensions)
    values = [column.drop_nulls().unique().sort() for column in dimensions]
    begins = np.cumsum([0, *(len(each) for each in values)])
    on_live = _shares(live @ found, begins)
    of_prompts = _shares(~live @ found, begins)
    distances = _distances(on_live - of_prompts, begins)
    expected = _limits(np.concatenate(list(_by_chance(found, begins, units, int(live.sum()), seed))))
    return [
        MatchRow(
            dimension=each.name,
            total_variation=float(distances[i]),
            expected=float(expected[i]),
            prompt_set=_shown(each, of_prompts[begins[i] : begins[i + 1]]),
            live=_shown(each, on_live[begins[i] : begins[i + 1]]),
            flagged=bool(distances[i] > expected[i]),
        )
        for i, each in enumerate(values)
    ]


def _limits(by_chance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the limit of each dimension, all at the same quantile: the one that 95 % of permutations keep everywhere.

    `by_chance` has shape (permutations, dimensions). Dimensions overlap, so this asks for less than Bonferroni would.
    """
    ranks = by_chance.argsort(axis=0).argsort(axis=0)
    quantile = np.quantile(ranks.max(axis=1), LEVEL) / (len(by_chance) - 1)
    limits: NDArray[np.float64] = np.quantile(by_chance, quantile, axis=0)
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


def _shown(values: pl.Series, shares: NDArray[np.float64]) -> dict[str, float]:
    return {} if values.name == "joint" else dict(zip(values.to_list(), shares.tolist(), strict=True))


def _by_chance(
    found: csr_array, begins: NDArray[np.int64], units: pl.Series, n_live: int, seed: str
) -> Iterator[NDArray[np.float64]]:
    """Yield total variations, shape (permutations, dimensions), when whole units are dealt to the sides at random.

    Units go to the live side until as many requests lie there as do in truth.
    """
    random = np.random.default_rng(int(digest(seed, "match"), 16))
    per_unit = csr_array(one_hot(units.to_frame()).T @ found)
    sizes = np.bincount(units.rank("dense").to_numpy().astype(np.int64) - 1)
    total = per_unit.sum(axis=0)
    at_once = max(1, AT_ONCE // len(sizes))
    room = np.uint64(len(sizes).bit_length())
    places = np.arange(len(sizes), dtype=np.uint64)
    for start in range(0, PERMUTATIONS, at_once):
        keys = random.integers(0, 2**64, (min(at_once, PERMUTATIONS - start), len(sizes)), dtype=np.uint64)
        order = np.sort((keys >> room) << room | places, axis=1) & ~(~np.uint64(0) << room)  # quicker than to argsort
        order = order.astype(np.int64)
        live = np.zeros(order.shape, bool)
        np.put_along_axis(live, order, np.cumsum(sizes[order], axis=1) <= n_live, axis=1)
        counts = live @ per_unit
        yield _distances(_shares(counts, begins) - _shares(total - counts, begins), begins)
