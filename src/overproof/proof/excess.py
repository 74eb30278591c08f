"""Which groups of units err more often than the others: all of them are looked at, so all of them count.

Each group's errors are held against the hypergeometric tail: the chance of so many, if every unit were as likely to be
in error as any other. The smallest of all tails is then held against what it is when errors are dealt to the units at
random (Westfall and Young, *Resampling-based multiple testing*, 1993, min-P): groups may overlap and be of any size.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import gammaln

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

AT_ONCE = 4_000_000
"""Cells of the table of permutations that are held together."""
ROUNDING = 1e-9
"""Relative: tails closer than this are equal."""


def adjusted(wrong: NDArray[np.bool_], inside: csr_array, *, permutations: int, random: np.random.Generator) -> Floats:
    """Return the adjusted p-value of each group, shape (groups,).

    `wrong` says which units are in error, shape (units,); `inside` which units each group holds, 0 or 1, shape (units,
    groups). **Exact** by permutation: where errors have nothing to do with the groups, any p-value at all is at or
    below a level with a probability of at most that level, whatever the groups are.
    """
    n, errors = len(wrong), int(wrong.sum())
    sizes = np.asarray(inside.sum(axis=0)).ravel().astype(np.int64)
    if not len(sizes):
        return np.zeros(0)
    tails = _tails(n, errors, sizes)
    own = _lookup(tails, _counted(wrong[None, :], inside))[0]
    at_once = max(1, AT_ONCE // max(n, 1))
    lowest = [
        _lookup(tails, _counted(_dealt(n, errors, min(at_once, permutations - start), random), inside)).min(axis=1)
        for start in range(0, permutations, at_once)
    ]
    by_chance = np.sort(np.concatenate(lowest))
    as_low = np.searchsorted(by_chance, own * (1 + ROUNDING), side="right")
    p: Floats = (1 + as_low) / (1 + permutations)
    return p


def _tails(n: int, errors: int, sizes: Counts) -> Floats:
    """Return P(X >= x) of a group's errors X, shape (groups, errors + 1)."""
    x = np.arange(errors + 1)[None, :]
    size = sizes[:, None]
    possible = (x <= size) & (errors - x <= n - size)
    held, left = np.where(possible, x, 0), np.where(possible, errors - x, 0)
    size_held, size_left = np.where(possible, size, 0), np.where(possible, n - size, 0)
    chance = _log_choose(size_held, held) + _log_choose(size_left, left) - _log_choose(np.array(n), np.array(errors))
    each = np.where(possible, np.exp(chance), 0.0)
    tails: Floats = each[:, ::-1].cumsum(axis=1)[:, ::-1]
    return tails


def _log_choose(n: Counts, k: Counts) -> Floats:
    found: Floats = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return found


def _counted(wrong: NDArray[np.bool_], inside: csr_array) -> Counts:
    """Return the errors in each group, shape (deals, groups)."""
    found: Counts = np.rint(np.asarray((inside.T @ wrong.T.astype(np.float64)).T)).astype(np.int64)
    return found


def _lookup(tails: Floats, counts: Counts) -> Floats:
    found: Floats = tails[np.arange(tails.shape[0])[None, :], counts]
    return found


def _dealt(n: int, errors: int, deals: int, random: np.random.Generator) -> NDArray[np.bool_]:
    """Return errors dealt to units at random, shape (deals, units)."""
    wrong = np.zeros((deals, n), dtype=bool)
    if errors:
        places = np.argpartition(random.random((deals, n)), errors - 1, axis=1)[:, :errors]
        np.put_along_axis(wrong, places, values=True, axis=1)
    return wrong
