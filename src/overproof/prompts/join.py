"""Units of evidence: requests whose scores depend on each other, joined by near duplicate, conversation, user."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

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
    if unit != "auto":
        wanted = [key for key in known if key in unit]
        left_out |= {key: "prompts.unit leaves it out" for key in known if key not in wanted}
        return _joined(requests, wanted, left_out)
    joined = _joined(requests, known, left_out)
    most = max(MOST, _joined(requests, ["near_duplicate"], {}).largest)
    for key in PERCOLATES:
        if joined.largest > most and key in joined.by:
            left_out = left_out | {key: _why(key, joined)}
            joined = _joined(requests, [each for each in joined.by if each != key], left_out)
    return joined


def _why(key: str, joined: Joined) -> str:
    return (
        f"joining by {key} chains {joined.largest:.0%} of all requests into one unit, more than {MOST:.0%}: what "
        f"requests of one {key} have in common is not accounted for"
    )


def _joined(requests: pl.DataFrame, by: Iterable[str], left_out: dict[str, str]) -> Joined:
    by = tuple(by)
    component = _components([requests["prompt_id"], *(requests[key] for key in by)])
    unit = requests.select("prompt_id", component=component).select(pl.col("prompt_id").min().over("component"))
    largest = np.bincount(component).max(initial=0) / max(len(component), 1)
    return Joined(unit.to_series().alias("unit"), by, left_out, float(largest))


def _components(keys: list[pl.Series]) -> NDArray[np.int64]:
    """Return the component of each row: rows that share a value in any of `keys` (nulls aside) are connected."""
    n = len(keys[0])
    rows: list[NDArray[np.int64]] = []
    values: list[NDArray[np.int64]] = []
    nodes = n
    for key in keys:
        present = key.is_not_null().arg_true()
        codes = key.gather(present).rank("dense").cast(pl.Int64).to_numpy()
        rows.append(present.to_numpy().astype(np.int64))
        values.append(nodes - 1 + codes)
        nodes += int(codes.max(initial=0))
    ends = np.concatenate(rows), np.concatenate(values)
    edges = coo_array((np.ones(len(ends[0]), np.int8), ends), shape=(nodes, nodes))
    _, component = connected_components(edges, directed=False)
    found: NDArray[np.int64] = component[:n].astype(np.int64)
    return found
