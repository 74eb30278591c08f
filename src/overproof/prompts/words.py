"""Words that two sides of a comparison use: who holds which, and how much more one side is given to a word.

The log-odds ratio with an informative Dirichlet prior of Monroe, Colaresi and Quinn (2008, *Fightin' Words*). A unit
counts as one, however often it asks: what it says is the mean of its requests, so a burst makes no word frequent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from overproof.prompts.units import UNSPACED

MOST = 4096
"""The most frequent words are compared."""
FEWEST = 10
"""Units that must hold a word for anything to be said about it."""
WORD = r"[\p{L}\p{M}\p{N}]+"
PRIOR = 500.0
"""Occurrences that each side is lent, distributed as in both together: what is rare shrinks towards no difference."""


@dataclass(frozen=True)
class Held:
    """How much each request counts for each word."""

    words: pl.Series
    """In order."""
    found: csr_array
    """Shape (requests, words): where a request holds a word, one over the requests of its part."""
    parts: NDArray[np.int64]
    """How many parts hold each word, shape (words, 2): before and after."""


def held(inputs: pl.Series, unit: pl.Series, live: pl.Series) -> Held:
    """Return the words of `inputs`; a part is what a unit asks on one side, and counts as one. All: (requests,)."""
    texts = inputs.str.to_lowercase().str.replace_all(f"({UNSPACED})", " $1 ")
    rows = pl.DataFrame({"unit": unit, "live": live, "word": texts.str.extract_all(WORD).list.unique()})
    rows = rows.with_row_index("row").with_columns(weight=1 / pl.len().over("unit", "live"))
    pairs = rows.explode("word").drop_nulls("word")
    parts = pairs.unique(["unit", "live", "word"]).group_by("word").agg(pl.len(), after=pl.col("live").sum())
    frequent = parts.filter(pl.col("len") >= FEWEST).sort("len", "word", descending=[True, False]).head(MOST)
    chosen = frequent.sort("word").with_row_index("column")
    pairs = pairs.join(chosen.select("word", "column"), on="word")
    places = pairs["row"].to_numpy(), pairs["column"].to_numpy()
    found = csr_array((pairs["weight"].to_numpy(), places), shape=(len(inputs), len(chosen)))
    sides = chosen.select(before=pl.col("len").cast(pl.Int64) - pl.col("after"), after=pl.col("after").cast(pl.Int64))
    return Held(chosen["word"], found, sides.to_numpy())


def log_odds(
    before: NDArray[np.float64], after: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how much more often the later side says each word, and the standard error; all shapes (words,).

    `before` and `after` are counts of all words compared, two at least, in units. Above zero it became more frequent.
    """
    together = before + after
    lent = PRIOR * together / max(float(together.sum()), 1.0)
    odds = [np.log(count + lent) - np.log(count.sum() + PRIOR - count - lent) for count in (before, after)]
    error: NDArray[np.float64] = np.sqrt(1 / (before + lent) + 1 / (after + lent))
    ratio: NDArray[np.float64] = odds[1] - odds[0]
    return ratio, error
