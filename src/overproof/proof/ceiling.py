"""The ceiling on agreement with one teacher sample, from prompts that were asked twice."""

from __future__ import annotations

import math

from overproof.proof.binomial import upper


def upper_bound(agreeing: int, pairs: int, delta: float) -> float:
    """Return a bound on how often any student can agree with one teacher sample; 1 where nothing was asked twice.

    A student that gives one answer agrees at best with the teacher's modal share m of a prompt; two samples agree with
    probability Σp² >= m², and by Jensen the mean of m is at most √(mean of Σp²). **Exact**: √ of the Clopper-Pearson
    upper bound of self-agreement lies below the ceiling with probability <= `delta`. Pairs come from different units,
    asked at the temperature the reference was made with.

    Raises:
        ValueError: counts that are not 0 <= agreeing <= pairs, or `delta` outside (0, 1).
    """
    return math.sqrt(upper(agreeing, pairs, delta))
