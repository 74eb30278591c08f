"""Near duplicates: inputs that share most of their word pairs, found by MinHash and verified one pair at a time.

MinHash after Broder (1997), banded as in Leskovec, Rajaraman and Ullman, *Mining of Massive Datasets*, chapter 3. A
collision only makes a pair a candidate: two texts join when their Jaccard similarity itself is high enough.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import blake2b
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from overproof.core import scripts
from overproof.core.tables import numbered

UNSPACED = "[" + "".join(rf"\p{{{name}}}" for name in scripts.NAMES) + "]"
"""Scripts written without spaces: each character counts as a word."""
BETWEEN_WORDS = r"[^\p{L}\p{M}\p{N}]+"
BEYOND_WESTERN = "[^\\x00-\\x7FÀ-ÖØ-öø-ÿ]"
"""Whatever may be written in several ways, or stands between words but is not ASCII; Western letters are neither."""
WORD_BYTES = bytes(byte >= 128 or chr(byte).isalnum() for byte in range(256))

RECALL = 0.999
"""Chance, at least, that a pair exactly as similar as asked becomes a candidate; closer pairs almost surely do, and of
long ones that are less so, 98 of 100."""
HASHES = 64
"""MinHash values per text, at most."""
LONG = 12
"""Word pairs in common from which a pair of texts is long: a few words changed here and there leave it the same text,
though each takes two word pairs along. Three of thirty are few; three of eight are another question."""
NEIGHBOURS = 4
"""In a bucket each text is held against so many that follow, and against the first: work stays linear in its size."""
AT_ONCE = 2**16
"""Texts or pairs worked on together; their number fits the 16 bits that a hash of 48 leaves free."""
ROUNDING = 1e-9
HASH_BITS = np.uint64(48)
HASH_MASK = np.uint64(2**48 - 1)
BYTES_AT_ONCE = 900_000
SHINGLES_AT_ONCE = 1_000_000
CELLS = 2**18
"""Shingles permuted together; with as much room for the result they fit the processor's cache."""
PRIME = np.uint64(0x9E3779B97F4A7C15)
"""Odd; otherwise any constant would do."""
ROUNDS = 8
"""Words of up to so many times eight bytes are hashed all at once."""
BYTE_MASKS = np.array([2 ** (8 * size) - 1 for size in range(9)], np.uint64)

Hashes = NDArray[np.uint64]
Places = NDArray[np.int64]
T = TypeVar("T", bound=np.generic)
A = TypeVar("A")
B = TypeVar("B")


def near_duplicates(texts: pl.Series, similarity: float) -> Places:
    """Return the cluster of each text, shape (texts,), numbered from 0.

    Two texts are near duplicates when the Jaccard similarity of their word pairs, in lower case and without
    punctuation, is at least `similarity`, in (0, 1]. Long ones (`LONG`) also when that of their words is at least
    (1 + 3 similarity) / 4 and that of their word pairs the square of `similarity`: words are changed here and there,
    where two uses of one template differ in whole passages. Clusters are whatever such pairs chain together: the two
    ends of a chain may be less alike. A text of one word is alike to that word only, and one without letters or digits
    only to itself. The partition depends on the texts, not on their order.
    """
    half = len(texts) // 2
    plain = pl.concat(_side_by_side(_plain, [texts[:half], texts[half:]]))
    place, firsts = numbered(plain)
    different = plain.gather(firsts)
    starts, shingles = _shingles(different)
    pairs = _candidates(starts, shingles, similarity)
    pairs = pairs[:, _alike(pairs, different, starts, shingles, similarity)]
    joined = coo_array((np.ones(pairs.shape[1], np.int8), (pairs[0], pairs[1])), shape=(len(different),) * 2)
    _, cluster = connected_components(joined, directed=False)
    clusters: Places = cluster.astype(np.int64)[place]
    return clusters


def _plain(texts: pl.Series) -> pl.Series:
    """Return texts in lower case; beyond Western letters also in composed form, words apart by spaces only."""
    lower = texts.fill_null("").str.strip_chars().str.to_lowercase()
    other = beyond_western(lower)
    if other.is_empty():
        return lower
    composed = lower.gather(other).str.normalize("NFKC").str.to_lowercase()
    words = composed.str.replace_all(f"({UNSPACED})", " $1 ").str.replace_all(BETWEEN_WORDS, " ").str.strip_chars(" ")
    return lower.scatter(other, words.zip_with(words != "", composed))


def beyond_western(texts: pl.Series) -> pl.Series:
    """Return the places of texts with more than ASCII and composed Western letters."""
    other = (texts.str.len_bytes() != texts.str.len_chars()).arg_true()
    return other.filter(texts.gather(other).str.contains(BEYOND_WESTERN))


def _shingles(texts: pl.Series, *, paired: bool = True) -> tuple[Places, Hashes]:
    """Return where each text's shingles begin, shape (texts + 1,), and all shingles: of each text a sorted set.

    They are pairs of words or, not `paired`, the words.
    """
    sizes = np.zeros(len(texts) + 1, np.int64)
    room = np.empty(int(texts.str.len_bytes().sum()) // 2 + len(texts), np.uint64)  # no text has more; most is not used
    filled = 0
    parts = list(_parts(texts.str.len_bytes().to_numpy(), BYTES_AT_ONCE))
    for part, owned in zip(
        parts, _side_by_side(lambda part: _owned_shingles(texts[part], paired=paired), parts), strict=True
    ):
        sizes[part.start + 1 : part.stop + 1] = np.bincount(
            (owned >> HASH_BITS).astype(np.int64), minlength=part.stop - part.start
        )
        np.bitwise_and(owned, HASH_MASK, out=room[filled : filled + len(owned)])
        filled += len(owned)
    return np.cumsum(sizes), room[:filled]


def _owned_shingles(texts: pl.Series, *, paired: bool) -> Hashes:
    """Return the distinct shingles of at most `AT_ONCE` texts: 16 bits for the text, 48 for the shingle, sorted."""
    data: bytes = texts.str.join(" ").cast(pl.Binary).item()
    sizes = texts.str.len_bytes().to_numpy().astype(np.int64)
    opens = np.cumsum(sizes + 1) - sizes - 1
    begins, ends = _words(data)
    counts = np.diff(np.searchsorted(begins, np.append(opens, len(data))))
    owner = np.repeat(np.arange(len(opens)), counts)
    words = _span_hashes(data, begins, ends)
    if not paired:
        return distinct((owner.astype(np.uint64) << HASH_BITS) | (words & HASH_MASK))
    together = np.flatnonzero(owner[1:] == owner[:-1])
    alone, wordless = np.flatnonzero(counts[owner] == 1), np.flatnonzero(counts == 0)
    hashes = [
        _mixed(words[together] * PRIME + words[together + 1]),
        words[alone],
        _span_hashes(data, opens[wordless], (opens + sizes)[wordless]),
    ]
    owners = np.concatenate([owner[together], owner[alone], wordless]).astype(np.uint64)
    return distinct((owners << HASH_BITS) | (np.concatenate(hashes) & HASH_MASK))


def _words(data: bytes) -> tuple[Places, Places]:
    """Return where words begin and end: runs of letters, digits and whatever lies beyond ASCII."""
    inside = np.frombuffer(b"\0" + data.translate(WORD_BYTES) + b"\0", np.bool_)
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    return edges[::2], edges[1::2]


def _span_hashes(data: bytes, begins: Places, ends: Places) -> Hashes:
    """Hash the bytes between each pair of places, eight at a time."""
    eights = np.ndarray(len(data) + 1, "<u8", data + bytes(8), strides=(1,))
    left = ends - begins
    hashes = _mixed(left.astype(np.uint64) * PRIME + (eights[begins] & BYTE_MASKS[np.minimum(left, 8)]))
    for done in range(8, 8 * ROUNDS, 8):
        active = np.flatnonzero(left > done)
        some = eights[begins[active] + done] & BYTE_MASKS[np.minimum(left[active] - done, 8)]
        hashes[active] = _mixed(hashes[active] * PRIME + some)
    for i in np.flatnonzero(left > 8 * ROUNDS):  # longer than words are: encoded, or drawn with characters
        rest = data[begins[i] + 8 * ROUNDS : ends[i]]
        hashes[i] ^= np.uint64(int.from_bytes(blake2b(rest, digest_size=8).digest(), "little"))
    return hashes


def distinct(values: NDArray[T]) -> NDArray[T]:
    """Return the different values, sorted: what `np.unique` does, whose hash table is far slower on millions."""
    values = np.sort(values)
    different: NDArray[T] = values[np.append(True, values[1:] != values[:-1])[: len(values)]]
    return different


def _mixed(hashes: Hashes) -> Hashes:
    """Spread every bit over all others (the finaliser of SplitMix64)."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))


def bands(similarity: float) -> tuple[int, int]:
    """Return (bands, hashes per band): the most selective that finds pairs at `similarity` with chance `RECALL`."""

    def needed(rows: int) -> int:
        chance = min(similarity**rows, 1 - 1e-12)
        return math.ceil(math.log(1 - RECALL) / math.log1p(-chance))

    rows = max((r for r in range(1, HASHES + 1) if r * needed(r) <= HASHES), default=1)
    return needed(rows), rows


def _candidates(starts: Places, shingles: Hashes, similarity: float) -> Places:
    """Return pairs of texts that collide in some band, shape (2, pairs)."""
    n = max(len(starts) - 1, 1)
    # By what they say: which of many in a bucket are held against each other must not depend on the order they came in.
    order = np.argsort(np.add.reduceat(shingles, starts[:-1]) if len(starts) > 1 else shingles)
    keys = _keys(starts[:-1][order], np.diff(starts)[order], shingles.astype(np.uint32), bands(similarity))
    codes = np.zeros(0, np.int64)
    for found in _side_by_side(_in_band, keys):
        codes = distinct(np.concatenate([codes, found]))
    return order[np.stack([codes // n, codes % n])]


def _keys(starts: Places, sizes: Places, small: NDArray[np.uint32], shape: tuple[int, int]) -> Hashes:
    """Return the key of each text in each band: its MinHash values mixed into one number. Shape (bands, texts).

    Texts are taken by size, some at a time: a column for each, filled up with its last shingle, so that the minima of
    all come from the minimum of two rows after another.
    """
    n_bands, rows = shape
    flips = np.random.Generator(np.random.PCG64(0)).integers(0, 2**32, (-(-n_bands // 2), rows, 2), dtype=np.uint32)
    keys = np.zeros((n_bands, len(sizes)), np.uint64)

    def work(texts: Places) -> None:
        within = np.minimum(np.arange(sizes[texts[0]])[:, None], sizes[texts] - 1)
        columns = small[starts[texts] + within]
        room = np.empty_like(columns)
        for i, j in np.ndindex(flips.shape[:2]):
            flip, factor = flips[i, j]
            np.multiply(np.bitwise_xor(columns, flip, out=room), factor | np.uint32(1), out=room)
            keys[2 * i, texts] = _mixed(keys[2 * i, texts] + room.min(axis=0))
            if 2 * i + 1 < n_bands:
                keys[2 * i + 1, texts] = _mixed(keys[2 * i + 1, texts] + room.max(axis=0))

    deque(_side_by_side(work, _blocks(np.argsort(-sizes), sizes)), maxlen=0)
    return keys


def _blocks(by_size: Places, sizes: Places) -> Iterator[Places]:
    """Cut texts, largest first, into runs that fill at most `CELLS` cells (a larger one stands alone)."""
    start = 0
    while start < len(by_size):
        stop = start + max(1, CELLS // int(sizes[by_size[start]]))
        yield by_size[start:stop]
        start = stop


def _in_band(keys: Hashes) -> Places:
    """Return pairs of texts whose keys in one band are equal, each as one number."""
    n = len(keys)
    room = np.uint64(max(n, 1).bit_length())
    keys = np.sort((keys << room) | np.arange(n, dtype=np.uint64))  # far faster than to sort places by key
    same = (keys[1:] >> room) == (keys[:-1] >> room)
    keys = keys[np.append(same, False)[:n] | np.append(False, same)[:n]]  # most are alone in their bucket
    order = (keys & ~(~np.uint64(0) << room)).astype(np.int64)
    return np.concatenate([np.zeros(0, np.int64), *_bucket_pairs(order, keys >> room, n)])


def _bucket_pairs(order: Places, keys: Hashes, n: int) -> Iterator[Places]:
    """Yield pairs with equal keys, each as one number."""
    opens = np.append(True, keys[1:] != keys[:-1])[: len(keys)]
    first = np.maximum.accumulate(np.where(opens, np.arange(len(keys)), 0))
    yield (order[first] * n + order)[~opens]
    for lag in range(1, NEIGHBOURS + 1):
        same = keys[lag:] == keys[:-lag]
        yield (order[:-lag] * n + order[lag:])[same]


def _alike(pairs: Places, texts: pl.Series, starts: Places, shingles: Hashes, similarity: float) -> NDArray[np.bool_]:
    """Say of each pair whether its texts are near duplicates."""
    jaccard, shared = _overlap(pairs, starts, shingles, similarity**2)
    alike: NDArray[np.bool_] = jaccard >= similarity - ROUNDING
    unsure = np.flatnonzero(~alike & (shared >= LONG))
    if len(unsure):
        places, inside = np.unique(pairs[:, unsure], return_inverse=True)
        least = (1 + 3 * similarity) / 4
        by_word, _ = _overlap(inside.reshape(2, -1), *_shingles(texts.gather(places), paired=False), least)
        alike[unsure] = by_word >= least - ROUNDING
    return alike


def _overlap(
    pairs: Places, starts: Places, shingles: Hashes, least: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return each pair's Jaccard similarity and its shared shingles; 0 and 0 where it is below `least`."""
    sizes = np.diff(starts)[pairs]
    close = np.flatnonzero(sizes.min(axis=0) >= least * sizes.max(axis=0) - ROUNDING)
    jaccard, shared = np.zeros(pairs.shape[1]), np.zeros(pairs.shape[1], np.int64)
    parts = [close[part] for part in _parts(sizes[:, close].sum(axis=0), SHINGLES_AT_ONCE)]
    unions = _side_by_side(lambda chosen: _union_sizes(pairs[:, chosen], starts, shingles), parts)
    for chosen, union in zip(parts, unions, strict=True):
        shared[chosen] = sizes[:, chosen].sum(axis=0) - union
        jaccard[chosen] = shared[chosen] / union
    below = jaccard < least - ROUNDING
    return np.where(below, 0.0, jaccard), np.where(below, 0, shared)


def _union_sizes(pairs: Places, starts: Places, shingles: Hashes) -> Places:
    """Return how many distinct shingles each of at most `AT_ONCE` pairs has, shape (pairs,)."""
    texts = pairs.ravel()
    sizes = np.diff(starts)[texts]
    places = np.repeat(starts[texts] - np.append(0, np.cumsum(sizes)[:-1]), sizes) + np.arange(sizes.sum())
    owner = np.repeat(np.tile(np.arange(pairs.shape[1], dtype=np.uint64), 2), sizes)
    union = distinct((owner << HASH_BITS) | shingles[places])
    return np.bincount((union >> HASH_BITS).astype(np.int64), minlength=pairs.shape[1])


def _side_by_side(work: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    """Yield what `work` makes of each item, in order, in two threads: NumPy lets them run side by side."""
    with ThreadPoolExecutor(2) as pool:
        running: deque[Future[B]] = deque()
        for item in items:
            running.append(pool.submit(work, item))
            if len(running) > 2:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


def _parts(sizes: NDArray[np.integer], most: int) -> Iterator[slice]:
    """Cut items into runs of at most `AT_ONCE` items that weigh at most `most` (a heavier item stands alone)."""
    total = np.append(0, np.cumsum(sizes, dtype=np.int64))
    start = 0
    while start < len(sizes):
        fits = int(np.searchsorted(total, total[start] + most, side="right")) - 1
        stop = min(max(fits, start + 1), start + AT_ONCE)
        yield slice(start, stop)
        start = stop
