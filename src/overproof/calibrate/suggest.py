"""Suggest slices: values of what is known of requests at which a candidate errs more often than elsewhere.

All values of all columns are looked at, each by itself, and on `calibrate` alone. Each unit is looked at by one of its
requests, drawn before anything was scored, so that errors are dealt to units one by one and `proof.excess` holds: where
nothing is unusual, anything at all is suggested in at most `LEVEL` of all cases.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from overproof.core.chance import digest
from overproof.core.protocols import Task
from overproof.core.quoting import equals, toml_text
from overproof.core.splits import Calibrate, only
from overproof.core.types import Estimate, Reference, SuggestedSlice, Suggestions
from overproof.proof import binomial
from overproof.proof.excess import adjusted
from overproof.tasks.scoring import Units, score

LEVEL = 0.05
"""Chance, at most, that anything is suggested where nothing is unusual."""
SIDE = 0.025
"""Chance, at most, that the truth lies beyond one given bound of an error rate."""
LEAST_UNITS = 30
"""Units that a value has, and leaves to the rest, at least."""
MOST_VALUES = 50
"""A column of texts with more different values is not looked at."""
MOST_UNITS = 20_000
"""Units looked at, at most; drawn by hash."""
ALIKE = 0.9
"""Jaccard similarity of two sets of requests from which they are one slice; and the share of a suggested one that lies
within another, from which it says nothing more."""
PARTS = 5
"""A column of numbers is cut into so many parts of about the same size."""
PERMUTATIONS = 1999
LONGEST_NAME = 60

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class _Value:
    """A part of the requests."""

    called: str
    where: str
    inside: Mask
    """Which requests are in it."""


def suggest(
    evidence: Calibrate,
    predictions: pl.DataFrame,
    task: Task,
    looked_at: pl.DataFrame,
    *,
    candidate: str,
    reference: Reference,
    names: Collection[str] = (),
    seed: str,
) -> Suggestions:
    """Return where `candidate` errs more often than elsewhere, what matters most first.

    `looked_at` has a row for each of the evidence and a column for each name that conditions know: texts are looked at
    value by value, whole numbers by fifths. Whatever is nearly the same as a slice of the evidence is left out. Right
    means what `reference` says; requests without it are left out, for nobody can tell. `names` are those of slices that
    there are already.

    Raises:
        TypeError: `evidence` is not the calibrate split.
        ValueError: predictions that cannot be scored (`tasks.scoring.score`).
    """
    scored = score(only(Calibrate, evidence).frame, predictions, task, reference)
    known = scored["reference"].is_not_null()
    scored, looked_at = scored.filter(known), looked_at.filter(known)
    drawn = Units.of(scored, seed).drawn("all")[:MOST_UNITS]
    wrong = scored["student"].to_numpy() < 1.0
    values = [each for each in _values(looked_at) if _enough(each.inside[drawn])]
    values = list(_not_there(values, scored["slices"]))
    inside = np.array([each.inside[drawn] for each in values]).reshape(len(values), len(drawn))
    random = np.random.default_rng(int(digest(seed, "suggested"), 16))
    p = adjusted(wrong[drawn], csr_array(inside.T.astype(np.float64)), permutations=PERMUTATIONS, random=random)
    found = [_suggested(values[i], wrong, drawn, float(p[i])) for i in np.flatnonzero(p <= LEVEL)]
    ranked = [each for _, each in sorted(enumerate(found), key=lambda one: (-one[1].excess, one[0]))]
    inside_of = {each.where: each.inside for each in values}
    return Suggestions(
        candidate=candidate,
        reference=reference,
        looked_at=len(values),
        units=len(drawn),
        level=LEVEL,
        slices=tuple(_written(_different(ranked, inside_of), names)),
    )


# --- what is looked at ------------------------------------------------------------------------------------------------


def _values(looked_at: pl.DataFrame) -> Iterator[_Value]:
    """Yield the values of every column that can be written as a condition."""
    for column in looked_at:
        if column.dtype.is_integer():
            yield from _parts(column)
        elif column.n_unique() <= MOST_VALUES + 1:  # one may be that there is none
            for value in column.drop_nulls().unique().sort():
                where = equals(column.name, value)
                if where is not None:
                    inside = column.eq(value).fill_null(value=False).to_numpy()
                    yield _Value(f"{column.name} {value or 'unclear'}", where, inside)


def _parts(column: pl.Series) -> Iterator[_Value]:
    """Yield parts of about the same size, as far as values allow."""
    edges = sorted({int(column.quantile(i / PARTS, "nearest") or 0) for i in range(1, PARTS)})
    place = np.searchsorted(edges, column.to_numpy())
    for i in range(len(edges) + 1):
        name = column.name
        if i == 0:
            called, where = f"{name} up to {edges[0]}", f"{name} <= {edges[0]}"
        elif i == len(edges):
            called, where = f"{name} over {edges[-1]}", f"{name} > {edges[-1]}"
        else:
            low, high = edges[i - 1] + 1, edges[i]
            called, where = f"{name} {low} to {high}", f"{name} BETWEEN {low} AND {high}"
        yield _Value(called, where, place == i)


def _enough(inside: Mask) -> bool:
    n = int(inside.sum())
    return LEAST_UNITS <= n <= len(inside) - LEAST_UNITS


def _not_there(values: list[_Value], slices: pl.Series) -> Iterator[_Value]:
    """Yield the values that are no slice yet: the contract's, and those that every request is dealt to."""
    names = slices.explode().drop_nulls().unique().sort().to_list()
    there = [slices.list.contains(name).to_numpy() for name in names]
    yield from (each for each in values if not any(_alike(each.inside, other) for other in there))


def _alike(one: Mask, other: Mask) -> bool:
    together = int((one | other).sum())
    return together > 0 and int((one & other).sum()) >= ALIKE * together


# --- what is suggested ------------------------------------------------------------------------------------------------


def _suggested(value: _Value, wrong: Mask, drawn: NDArray[np.intp], p: float) -> SuggestedSlice:
    inside = value.inside
    own, rest = drawn[inside[drawn]], drawn[~inside[drawn]]
    error = _rate(wrong[own], int(inside.sum()))
    others = _rate(wrong[rest], int((~inside).sum()))
    return SuggestedSlice(
        name=value.called,
        where=value.where,
        requests=int(inside.sum()),
        units=len(own),
        error=error,
        rest=others,
        excess=len(own) / len(drawn) * (error.value - others.value),
        p_value=p,
        toml="",
    )


def _rate(wrong: Mask, requests: int) -> Estimate:
    """Return an error rate with its exact interval: one drawn request for each unit."""
    n, errors = len(wrong), int(wrong.sum())
    return Estimate(
        value=errors / n,
        lower=float(binomial.lower(errors, n, SIDE)),
        upper=float(binomial.upper(errors, n, SIDE)),
        kind="exact",
        level=SIDE,
        requests=requests,
        units=n,
        effective=float(n),
    )


def _different(ranked: list[SuggestedSlice], inside: dict[str, Mask]) -> list[SuggestedSlice]:
    """Return what is left when what nearly lies within another that matters more goes."""
    kept: list[SuggestedSlice] = []
    for each in ranked:
        own = inside[each.where]
        if not any((own & inside[other.where]).sum() >= ALIKE * own.sum() for other in kept):
            kept.append(each)
    return kept


def _written(found: list[SuggestedSlice], names: Collection[str]) -> Iterator[SuggestedSlice]:
    """Yield each with a name of its own, and as a contract would write it."""
    taken = {*names, "all", "new", "repeat"}
    for each in found:
        name = _fresh(_plain(each.name), taken)
        taken.add(name)
        toml = f"[[slices]]\nname = {toml_text(name)}\nwhere = {toml_text(each.where)}\ncritical = false\n"
        yield msgspec.structs.replace(each, name=name, toml=toml)


def _plain(name: str) -> str:
    """Return a name without anything but words, figures and what stands between them."""
    return " ".join(re.sub(r"[^\w .:+/-]+", " ", name).split())[:LONGEST_NAME].strip() or "slice"


def _fresh(name: str, taken: Collection[str]) -> str:
    number = 2
    fresh = name
    while fresh in taken:
        fresh, number = f"{name} ({number})", number + 1
    return fresh
