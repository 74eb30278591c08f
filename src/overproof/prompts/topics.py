"""Find what the traffic is about: topics of the training window, each named by the words that set it apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from overproof.core.chance import digest, draws
from overproof.models.topics import Counts, Topics, counted, weighted
from overproof.prompts.function_words import LANGUAGES
from overproof.prompts.function_words import WORDS as FUNCTION_WORDS

MOST_UNITS = 20_000
"""Units looked at, at most: drawn by hash."""
FEWEST, MOST = 8, 40
"""Topics looked for."""
PER_TOPIC = 15
"""The number looked for is the root of units / this."""
LEAST_UNITS, LEAST_SHARE = 30, 0.01
"""Units, and their share, that a topic has at least."""
DIMENSIONS = 64
"""Of the space of meaning, at most; and half as many as words."""
FEWEST_WORDS, WORDS = 16, 8_192
"""Words that are kept, the most frequent ones."""
LEAST_SEEN = 5
"""Units in which a word stands, at least."""
COMMON, COMMON_BESIDES = 0.15, 0.4
"""Share of the units of one language in which a word stands that says nothing; and where those words are known."""
SPOKEN = 50
"""Units from which a language has such words."""
ALIKE = 0.7
"""Cosine from which two topics are one."""
ROUNDS, STARTS = 30, 4
NAMED_BY = 2
"""Words in a name; more where two would have the same."""
SHORTEST = 3
"""Letters of a word that names a topic."""
SPREAD = 0.08
"""Share of a topic's units in which a word stands that names it."""

Floats = NDArray[np.float64]
Places = NDArray[np.int64]


def fit(requests: pl.DataFrame, seed: str, *, grouped: bool = False) -> Topics:
    """Return the topics of the training window: of `requests` (columns `input`, `unit`, `window`, `language`).

    Each unit counts once, by its first request; `MOST_UNITS` of them at most, drawn by hash. Units that are groups
    (`grouped`) hold whatever one customer asks, so that different inputs count instead. Too few have no topics.
    """
    drawn = _drawn(requests.filter(pl.col("window") == "training"), "input" if grouped else "unit", seed)
    found = counted(drawn["input"])
    words, seen = _vocabulary(found, drawn["language"])
    if drawn.height < FEWEST * LEAST_UNITS or len(words) < FEWEST_WORDS:
        return Topics.of((), (), np.zeros(0), np.zeros((0, 0)), np.zeros((0, 0)))
    weights = np.log(drawn.height / seen)
    table = weighted(found, drawn.height, words, weights)
    random = np.random.default_rng(int(digest(seed, "topics"), 16))
    space = _space(table, random)
    meaning = _unit(np.asarray(table @ space))
    looked_for = min(MOST, max(FEWEST, round(math.sqrt(drawn.height / PER_TOPIC))))
    scores = space @ _merged(meaning, _centres(meaning, looked_for, random)).T
    rough = Topics.of([str(i) for i in range(scores.shape[1])], words, weights, space, scores)
    topic = rough.named(drawn["input"]).replace("", None).cast(pl.Int64)
    kept = _large(topic)
    return Topics.of(list(_names(table, topic, kept, words)), words, weights, space, scores[:, kept])


def _large(topic: pl.Series) -> Places:
    """Return the topics that have enough units, the largest first."""
    sizes = topic.drop_nulls().alias("topic").value_counts(name="units")
    sizes = sizes.filter(pl.col("units") >= max(LEAST_UNITS, LEAST_SHARE * len(topic)))
    return sizes.sort("units", "topic", descending=[True, False])["topic"].to_numpy()


def _drawn(requests: pl.DataFrame, by: str, seed: str) -> pl.DataFrame:
    """Return the first request of each unit, of `MOST_UNITS` units at most."""
    first = requests.select("unit", "input", "language").unique(by, keep="first", maintain_order=True)
    if first.height <= MOST_UNITS:
        return first
    place = pl.Series(draws(f"{seed}/topics", first[by]))
    return first[place.arg_sort().head(MOST_UNITS).sort()]


def _vocabulary(found: Counts, language: pl.Series) -> tuple[list[str], Floats]:
    """Return the words that say something, and in how many units each stands.

    What stands in many units of one language (`the`, `und`) says no more than which language that is.
    """
    pairs = pl.DataFrame({"word": found.word, "language": language.gather(found.text)})
    spoken = language.value_counts(name="of").filter(pl.col("of") >= SPOKEN)
    spoken = spoken.rename({spoken.columns[0]: "language"})
    by_language = pairs.group_by("word", "language").len().join(spoken, on="language")
    most = pl.when(pl.col("language").is_in(LANGUAGES)).then(COMMON_BESIDES).otherwise(COMMON)
    common = by_language.filter(pl.col("len") > most * pl.col("of"))["word"]
    empty = pl.concat([common, pl.Series("word", sorted(FUNCTION_WORDS))]).unique()
    counts = pairs.group_by("word").len("seen").filter(pl.col("seen") >= LEAST_SEEN)
    counts = counts.join(empty.to_frame(), on="word", how="anti")
    counts = counts.sort("seen", "word", descending=[True, False]).head(WORDS)
    return counts["word"].to_list(), counts["seen"].to_numpy().astype(np.float64)


def _space(table: csr_array, random: np.random.Generator) -> Floats:
    """Return the leading right singular vectors, shape (words, dimensions); Halko, Martinsson and Tropp (2011)."""
    dimensions = min(DIMENSIONS, table.shape[1] // 2)
    basis = table.T @ random.standard_normal((table.shape[0], min(dimensions + 16, table.shape[1])))
    for _ in range(4):
        basis = np.linalg.qr(table.T @ (table @ np.linalg.qr(basis)[0]))[0]
    _, _, right = np.linalg.svd(table @ basis, full_matrices=False)
    space: Floats = (basis @ right.T)[:, :dimensions]
    return space


def _unit(rows: Floats) -> Floats:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Floats = rows / np.where(lengths > 0, lengths, 1.0)
    return scaled


def _centres(rows: Floats, n: int, random: np.random.Generator) -> Floats:
    """Return `n` directions by spherical k-means, the best of several starts (Dhillon and Modha, 2001)."""
    found = [_settled(rows, _seeds(rows, n, random)) for _ in range(STARTS)]
    return max(found, key=lambda centres: float((rows @ centres.T).max(axis=1).sum()))


def _seeds(rows: Floats, n: int, random: np.random.Generator) -> Floats:
    """Return rows far from one another (k-means++, Arthur and Vassilvitskii, 2007)."""
    chosen = [int(random.integers(len(rows)))]
    far = np.maximum(1 - rows @ rows[chosen[0]], 0)
    while len(chosen) < n and far.sum() > 0:
        chosen.append(int(random.choice(len(rows), p=far / far.sum())))
        far = np.minimum(far, np.maximum(1 - rows @ rows[chosen[-1]], 0))
    return rows[chosen]


def _settled(rows: Floats, centres: Floats) -> Floats:
    """Return the centres after each has moved to the middle of the rows nearest to it, until none moves."""
    nearest = np.full(len(rows), -1)
    for _ in range(ROUNDS):
        before, nearest = nearest, (rows @ centres.T).argmax(axis=1)
        if (nearest == before).all():
            break
        centres = _middles(rows, nearest, centres)
    return centres


def _middles(rows: Floats, nearest: Places, centres: Floats) -> Floats:
    """Return the direction of the rows of each centre; one that has none stays."""
    member = csr_array((np.ones(len(rows)), (nearest, np.arange(len(rows)))), shape=(len(centres), len(rows)))
    sums = np.asarray(member @ rows)
    return np.where(np.bincount(nearest, minlength=len(centres))[:, None] > 0, _unit(sums), centres)


def _merged(rows: Floats, centres: Floats) -> Floats:
    """Return the centres after those most alike have become one, one pair at a time."""
    while len(centres) > 1:
        alike = centres @ centres.T - 2 * np.eye(len(centres))
        one, other = divmod(int(alike.argmax()), len(centres))
        if alike[one, other] < ALIKE:
            break
        left = np.delete(centres, other, axis=0)
        centres = _settled(rows, left)
    return centres


def _names(table: csr_array, topic: pl.Series, kept: Places, words: Sequence[str]) -> Iterator[str]:
    """Yield a name for each topic: words that stand in many of its units and in few others."""
    taken: set[str] = set()
    holds = csr_array((np.ones(table.nnz), table.indices, table.indptr), shape=table.shape)
    overall = np.asarray(holds.sum(axis=0)).ravel() / table.shape[0]
    able = np.array([len(word) >= SHORTEST or not word.isascii() for word in words])
    for number in kept:
        inside = (topic == int(number)).fill_null(value=False).to_numpy()
        share = np.asarray(holds[inside].sum(axis=0)).ravel() / inside.sum()
        tells = np.where(able & (share >= SPREAD), share * np.log(np.maximum(share, 1e-9) / overall), 0.0)
        best = [words[i] for i in np.argsort(-tells, kind="stable")[: 4 * NAMED_BY] if tells[i] > 0]
        longer = (" ".join(best[:k]) for k in range(min(NAMED_BY, len(best)), len(best) + 1))
        name = next((each for each in longer if each and each not in taken), f"topic {number}")
        taken.add(name)
        yield name
