"""Inputs that say the same in other words: near duplicates by the cosine of their embeddings, verified pair by pair.

Few inputs are all held against each other. Of many, candidates are those that fall on the same side of random
hyperplanes (Charikar, 2002), in bands as in MinHash; within a band they are sorted by further hyperplanes, and each is
held against those that follow (as in Bawa, Condie and Ganesan's LSH forest, 2005), so work stays linear.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from overproof.core.errors import UserError
from overproof.prompts.options import PromptsOptions

Vectors = NDArray[np.float16]
Places = NDArray[np.int64]
Embed = Callable[[Sequence[str]], Vectors]
"""Returns a vector of length 1 for each text, shape (texts, width); of length 0 where there is nothing to go by."""

EXACT = 20_000
"""So many inputs are all held against each other."""
RECALL = 0.99
"""Chance, at least, that a pair exactly as similar as asked shares a band; closer pairs almost surely do."""
MOST_BANDS = 64
BITS = 32
"""Hyperplanes of a band: the first ones make its buckets, the others their order."""
FOLLOWING = 8
"""In a bucket each input is held against so many that follow."""
SLACK = 4.0
"""Standard deviations by which a pair may differ on more hyperplanes than its cosine makes likely."""
CELLS = 2**23
"""Similarities, or numbers of vectors, held at once."""
ROUNDING = 5e-4
"""Vectors have 16 bits: finer differences are theirs."""


@dataclass(frozen=True)
class Alike:
    """Clusters of inputs, and what is to be told of them."""

    clusters: Places
    """Cluster of each input, numbered from 0."""
    notes: tuple[str, ...] = ()


def joined(texts: pl.Series, clusters: Places, options: PromptsOptions, embed: Embed | None) -> Alike:
    """Return `clusters` of `texts`, joined by meaning where `options.semantic` asks for that.

    Raises:
        UserError: it is asked for, and there is no `embed`.
    """
    if options.semantic is None:
        return Alike(clusters)
    if embed is None:
        raise UserError("prompts.semantic compares embeddings, and nothing was handed in that makes them")
    found = merged(texts, clusters, options.semantic, embed)
    before, after = len(np.unique(clusters)), len(np.unique(found))
    note = (
        f"inputs whose embeddings ({options.embedder}) have a cosine of {options.semantic:g} are near duplicates too: "
        f"{before} clusters became {after}"
    )
    return Alike(found, (note,))


def merged(texts: pl.Series, clusters: Places, similarity: float, embed: Embed) -> Places:
    """Return `clusters`, those joined whose embeddings have a cosine of at least `similarity`, numbered from 0.

    Each cluster speaks through its first text in alphabetical order, so the partition depends on the texts, not on
    their order. `similarity` is in [0.8, 1]. Clusters chain.
    """
    table = pl.DataFrame({"text": texts.fill_null(""), "cluster": clusters})
    speaking = table.group_by("cluster").agg(pl.col("text").min()).sort("text", "cluster")
    found = _joined(embed(speaking["text"].to_list()), similarity)
    places = np.zeros(int(clusters.max(initial=-1)) + 1, np.int64)
    places[speaking["cluster"].to_numpy()] = found
    return places[clusters]


def _joined(vectors: Vectors, similarity: float) -> Places:
    """Return the component of each vector, connected by all pairs found to be similar."""
    component = np.arange(len(vectors))
    for pairs in _close(vectors, similarity) if len(vectors) <= EXACT else _colliding(vectors, similarity):
        apart = pairs[:, component[pairs[0]] != component[pairs[1]]]
        component = _connected(component, apart[:, _alike(vectors, apart, similarity)])
    found: Places = np.unique(component, return_inverse=True)[1]
    return found


def _connected(component: Places, pairs: Places) -> Places:
    """Return the components after connecting `pairs`, shape (2, pairs)."""
    n = len(component)
    ends = component[pairs]
    _, found = connected_components(coo_array((np.ones(ends.shape[1], np.int8), (*ends,)), (n, n)), directed=False)
    together: Places = found.astype(np.int64)[component]
    return together


def _alike(vectors: Vectors, pairs: Places, similarity: float) -> NDArray[np.bool_]:
    """Say of each pair whether its cosine is at least `similarity`."""
    alike = np.zeros(pairs.shape[1], bool)
    at_once = max(1, CELLS // max(1, vectors.shape[1]))
    for start in range(0, len(alike), at_once):
        left, right = (vectors[ends[start : start + at_once]].astype(np.float32) for ends in pairs)
        alike[start : start + at_once] = np.einsum("ij,ij->i", left, right) >= similarity - ROUNDING
    return alike


def _close(vectors: Vectors, similarity: float) -> Iterator[Places]:
    """Yield all similar pairs, shape (2, pairs), block by block: every vector is held against every later one."""
    columns = np.ascontiguousarray(vectors.T.astype(np.float32))
    at_once = max(1, CELLS // max(1, len(vectors)))
    for start in range(0, len(vectors), at_once):
        cosines = columns[:, start : start + at_once].T @ columns[:, start:]
        left, right = np.nonzero(cosines >= similarity - ROUNDING)
        later = left < right
        yield np.stack([left[later], right[later]]) + start


def _colliding(vectors: Vectors, similarity: float) -> Iterator[Places]:
    """Yield pairs that share a bucket and most sides of all hyperplanes, shape (2, pairs), band by band."""
    n_bands, prefix = bands(similarity, len(vectors))
    codes = _codes(vectors, n_bands)
    apart = math.acos(min(similarity, 1.0)) / math.pi
    planes = n_bands * BITS
    most = planes * apart + SLACK * math.sqrt(planes * apart * (1 - apart))
    for band in range(n_bands):
        order = np.argsort(codes[:, band], kind="stable")
        bucket = codes[order, band] >> np.uint32(BITS - prefix)
        for lag in range(1, FOLLOWING + 1):
            same = bucket[lag:] == bucket[:-lag]
            pairs = np.stack([order[:-lag][same], order[lag:][same]])
            yield pairs[:, _differing(codes, pairs) <= most]


def _differing(codes: NDArray[np.uint32], pairs: Places) -> Places:
    """Return how many hyperplanes have the two of each pair on different sides: far quicker than a cosine."""
    differing = np.zeros(pairs.shape[1], np.int64)
    at_once = max(1, CELLS // max(1, codes.shape[1]))
    for start in range(0, len(differing), at_once):
        left, right = (codes[ends[start : start + at_once]] for ends in pairs)
        differing[start : start + at_once] = np.bitwise_count(left ^ right).sum(axis=1, dtype=np.int64)
    return differing


def bands(similarity: float, n: int) -> tuple[int, int]:
    """Return (bands, hyperplanes that make a bucket): the most selective that find pairs at `similarity` by `RECALL`.

    More than enough to tell `n` vectors apart are not taken.
    """
    side = 1 - math.acos(min(similarity, 1.0)) / math.pi  # chance that both lie on one side of a hyperplane

    def needed(planes: int) -> int:
        return math.ceil(math.log(1 - RECALL) / math.log1p(-min(side**planes, 1 - 1e-12)))

    planes = max(p for p in range(1, int(n).bit_length() + 4) if needed(p) <= MOST_BANDS)
    return needed(planes), planes


def _codes(vectors: Vectors, n_bands: int) -> NDArray[np.uint32]:
    """Return on which side of each band's hyperplanes each vector lies, as one number: shape (vectors, bands)."""
    planes = np.random.Generator(np.random.PCG64(0)).standard_normal((vectors.shape[1], n_bands * BITS), np.float32)
    codes = np.empty((len(vectors), n_bands), np.uint32)
    at_once = max(1, CELLS // planes.shape[1])
    for start in range(0, len(vectors), at_once):
        sides = vectors[start : start + at_once].astype(np.float32) @ planes > 0
        codes[start : start + at_once] = np.packbits(sides, axis=1).view(">u4")
    return codes
