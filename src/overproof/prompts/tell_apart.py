"""Can the prompt set and live traffic be told apart? A logistic regression tries, on units it has not seen.

A classifier two-sample test (Lopez-Paz and Oquab, 2017): fitted on half of the units, judged on the other half. Judging
each fold in turn would use every unit, but the folds' results lean on one another: in simulation such intervals missed
16 to 26 % of the time at a nominal 5 %. The interval is DeLong's (1988), its structural components summed by unit as in
Obuchowski (1997), so it is asymptotic in the number of units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_array, hstack
from scipy.special import expit
from scipy.stats import rankdata

from overproof.core.chance import draws

WORDS = 4096
"""The most frequent words are the features."""
MOST = 20_000
"""Requests looked at, at most: whole units, drawn by hash."""
FEWEST_UNITS = 10
"""With fewer units on a side of either half nothing can be said, and the interval is all of [0, 1]."""
STEPS = 25
"""Iterations of the fit, at most; more change the AUC in the third digit."""
Z95 = 1.96


@dataclass(frozen=True)
class Apart:
    """The chance that the classifier ranks a live request above one of the prompt set; 0.5 when it cannot tell."""

    auc: float
    lower: float
    upper: float


WAYS = tuple(product((True, False), repeat=2))
NOTHING = Apart(0.5, 0.0, 1.0)


def tell_apart(inputs: pl.Series, values: pl.DataFrame, live: pl.Series, units: pl.Series, seed: str) -> Apart:
    """Return the AUC on unseen units with its 95 % interval; `values` are further columns of categories.

    First dimension of each argument: (requests,). Halves are whole units, so a repeat is never recognised by heart.
    """
    unit = units.rank("dense").cast(pl.Int64).to_numpy() - 1
    draw = np.array(draws(f"{seed}/match", units.unique().sort()))
    chosen = np.flatnonzero(_within(draw, unit))
    unit, side = unit[chosen], live.gather(chosen).to_numpy()
    # The draw also chose which units are looked at, so the halves take a later digit.
    unseen = draw[unit] * 2**20 % 1 < 0.5
    if min(len(np.unique(unit[(side == here) & (unseen == half)])) for here, half in WAYS) < FEWEST_UNITS:
        return NOTHING
    features = _features(inputs.gather(chosen), values[chosen])
    auc, influence = _auc(features[unseen] @ _logistic(features[~unseen], side[~unseen]), side[unseen])
    per_unit = np.bincount(unit[unseen], influence)
    error = Z95 * math.sqrt(float(per_unit @ per_unit))
    return Apart(auc, max(0.0, auc - error), min(1.0, auc + error))


def _within(draw: NDArray[np.float64], unit: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say of each request whether its unit is among those drawn first, up to `MOST` requests."""
    order = np.argsort(draw)
    taken = np.zeros(len(draw), bool)
    taken[order] = np.cumsum(np.bincount(unit)[order]) <= MOST
    within: NDArray[np.bool_] = taken[unit]
    return within


def _auc(score: NDArray[np.float64], side: NDArray[np.bool_]) -> tuple[float, NDArray[np.float64]]:
    """Return the AUC and each request's share of its deviation (DeLong's structural components, centred)."""
    ranks = rankdata(score)
    n_live, n_other = side.sum(), (~side).sum()
    above = np.empty(len(score))
    above[side] = (ranks[side] - rankdata(score[side])) / n_other
    above[~side] = 1 - (ranks[~side] - rankdata(score[~side])) / n_live
    auc = float(above[side].mean())
    return auc, (above - auc) / np.where(side, n_live, n_other)


def _logistic(features: csr_array, side: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the weights of a logistic regression with a unit Gaussian prior, shape (features,)."""
    sign = np.where(side, 1.0, -1.0)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = sign * (features @ weights)
        gradient = weights - features.T @ (sign * expit(-margin))
        return float(np.logaddexp(0, -margin).sum() + weights @ weights / 2), gradient

    found = minimize(loss, np.zeros(features.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    weights: NDArray[np.float64] = found.x
    return weights


def _features(inputs: pl.Series, values: pl.DataFrame) -> csr_array:
    """Return words (rows of unit length) beside the categories of `values` (one column each)."""
    words = pl.DataFrame({"word": inputs.str.to_lowercase().str.extract_all(r"[\p{L}\p{M}\p{N}]+").list.unique()})
    pairs = words.with_row_index("row").explode("word").drop_nulls()
    frequent = pairs["word"].value_counts().sort(pl.col("count"), pl.col("word"), descending=[True, False]).head(WORDS)
    pairs = pairs.join(frequent.with_row_index("column"), on="word")
    lengths = np.sqrt(np.bincount(pairs["row"], minlength=len(inputs)))
    data = 1 / lengths[pairs["row"].to_numpy()]
    shape = (len(inputs), len(frequent))
    return csr_array(hstack([csr_array((data, (pairs["row"], pairs["column"])), shape=shape), one_hot(values)]))


def one_hot(values: pl.DataFrame) -> csr_array:
    """Return a 0/1 matrix with a column for each value of each column (nulls aside), in order: (rows, values)."""
    rows, columns, width = [], [], 0
    for column in values:
        present = column.is_not_null().arg_true()
        codes = column.gather(present).rank("dense").cast(pl.Int64).to_numpy() - 1
        rows.append(present.to_numpy())
        columns.append(width + codes)
        width += int(codes.max(initial=-1)) + 1
    places = np.concatenate(rows), np.concatenate(columns)
    return csr_array((np.ones(len(places[0])), places), shape=(len(values), width))
