"""Units of evidence: requests whose scores depend on each other, joined by near duplicate, conversation, user."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from overproof.core.tables import numbered
from overproof.prompts.units import distinct

Key = Literal["near_duplicate", "conversation", "user"]
KEYS: tuple[Key, ...] = get_args(Key)
MOST = 0.05
"""Share of all requests in one unit from which a key is thought to chain strangers together."""
PERCOLATES = ("user", "conversation")
"""What `auto` may leave out, in this order: popular texts link customers that have nothing to do with each other."""


@dataclass(frozen=True)
class Joined:
    """What joined requests into units, and what did not."""

    units: pl.Series
    """Unit of each request: named by the smallest prompt id in it, or by its group."""
    by: tuple[str, ...]
    left_out: dict[str, str] = field(default_factory=dict)
    """Key that was not used: why."""
    largest: float = 0.0
    """Share of all requests in the largest unit."""


def join(requests: pl.DataFrame, unit: Iterable[Key] | Literal["auto"]) -> Joined:
    """Return the unit of each request.

    `requests` has `prompt_id`, `near_duplicate` (the cluster of its input), `conversation` and `user` (both may be
    null). Requests of one prompt always share a unit. With `auto` all keys join, unless that makes one unit hold more
    than `MOST` of all requests: users are left out first, conversations next. (Where one text alone is that frequent,
    what counts is whether a key makes its unit larger.)
    """
    known = [key for key in KEYS if requests[key].null_count() < len(requests)]
    left_out: dict[str, str] = {key: "the logs do not say" for key in KEYS if key not in known}
    codes = {key: _codes(requests[key]) for key in ("prompt_id", *known)}
    if unit != "auto":
        wanted = tuple(key for key in known if key in unit)
        left_out |= {key: "prompts.unit leaves it out" for key in known if key not in wanted}
        return _named(requests["prompt_id"], _together(codes, wanted), wanted, left_out)
    by = tuple(known)
    component = _together(codes, by)
    most = max(MOST, _largest(_together(codes, ("near_duplicate",))))
    for key in PERCOLATES:
        if key in by and (largest := _largest(component)) > most:
            left_out[key] = _why(key, largest)
            by = tuple(each for each in by if each != key)
            component = _together(codes, by)
    return _named(requests["prompt_id"], component, by, left_out)


def _why(key: str, largest: float) -> str:
    return (
        f"joining by {key} chains {largest:.0%} of all requests into one unit, more than {MOST:.0%}: what "
        f"requests of one {key} have in common is not accounted for"
    )


def _named(prompts: pl.Series, component: NDArray[np.int64], by: tuple[str, ...], left_out: dict[str, str]) -> Joined:
    """Name each unit after the smallest prompt id in it."""
    ids = pl.DataFrame({"prompt_id": prompts, "component": component})
    units = ids.group_by("component").agg(unit=pl.col("prompt_id").min())
    unit = ids.join(units, on="component", how="left", maintain_order="left")["unit"]
    return Joined(unit, by, left_out, _largest(component))


def _largest(component: NDArray[np.int64]) -> float:
    """Return the share of all requests in the largest component."""
    return float(np.bincount(component).max(initial=0) / max(len(component), 1))


def _codes(key: pl.Series) -> NDArray[np.int64]:
    """Number the values of a key from 0; -1 where it has none."""
    if key.dtype.is_integer():
        return key.cast(pl.Int64).to_numpy()
    codes, _ = numbered(key)
    return np.where(key.is_null().to_numpy(), -1, codes)


def _together(codes: Mapping[str, NDArray[np.int64]], by: Iterable[str]) -> NDArray[np.int64]:
    """Return the component of each row: rows of one prompt, or with one value of a key in `by`, are connected."""
    component = codes["prompt_id"]
    for key in by:
        component = _merged(component, codes[key])
    return component


def _merged(component: NDArray[np.int64], key: NDArray[np.int64]) -> NDArray[np.int64]:
    """Connect the components in which one value of a key stands."""
    n, values = int(component.max(initial=-1)) + 1, int(key.max(initial=-1)) + 1
    there = key >= 0
    ends = np.divmod(distinct(component[there] * max(values, 1) + key[there]), max(values, 1))
    if np.array_equal(ends[0], np.arange(n)):  # as a prompt has one cluster: the key alone says all
        return ends[1][component]
    ends = ends[0], n + ends[1]
    graph = coo_array((np.ones(len(ends[0]), np.int8), ends), shape=(n + values, n + values))
    _, found = connected_components(graph, directed=False)
    merged: NDArray[np.int64] = found.astype(np.int64)[component]
    return merged
