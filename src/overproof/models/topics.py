"""What a text is about: the nearest of some topics, by the words it shares with them.

A topic is a direction in the space of latent meaning (the singular vectors of a table of words by texts). Which one a
text is nearest to follows from that text alone: every sum runs within a row, in the order of the words' numbers, so the
same text has the same topic beside whatever others it stands, where it was learned and where it is served.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from overproof.core import scripts
from overproof.core.chance import digest
from overproof.models import topic_file

LONGEST = 4_000
"""Characters of a text that are read."""
AT_ONCE = 50_000
"""Texts worked on together."""
NEAR = 0.35
"""Cosine, at least, between a text and its topic."""
MEANT = 0.15
"""Length that a text of length 1 should have in the space of meaning: one that has less must lie nearer to a topic."""
_UNSPACED = "".join(rf"\p{{{name}}}" for name in scripts.NAMES)
_WORD = rf"[{_UNSPACED}]|[\p{{L}}\p{{M}}&&[^{_UNSPACED}]]{{2,40}}"
_MASKED = r"\[[A-Z]+(?:_[A-Z]+)*_[0-9]+\]"
"""What stands for a name or number that was masked."""

Floats = NDArray[np.float64]


class Counts(NamedTuple):
    """Which words stand in which texts, each pair once."""

    text: NDArray[np.int64]
    word: pl.Series


def counted(texts: pl.Series) -> Counts:
    """Return the distinct words of each text, in lower case; of scripts without spaces each character is one."""
    plain = texts.fill_null("").str.slice(0, LONGEST).str.replace_all(_MASKED, " ").str.to_lowercase()
    words = pl.DataFrame({"word": plain.str.normalize("NFC").str.extract_all(_WORD).list.unique()})
    pairs = words.with_row_index("text").explode("word").drop_nulls()
    return Counts(pairs["text"].to_numpy().astype(np.int64), pairs["word"])


@dataclass(frozen=True)
class Topics:
    """Some topics, and how a text is held against them."""

    id: str
    """Digest of all this as it was fitted: whatever speaks of a topic means one of these."""
    names: tuple[str, ...]
    """Of each topic; "" for one that has lost its name."""
    words: tuple[str, ...]
    """Those that count."""
    weights: NDArray[np.float32]
    """How much each word counts, shape (words,): the rarer, the more."""
    space: NDArray[np.float32]
    """What each word means, shape (words, dimensions)."""
    scores: NDArray[np.float32]
    """What each word says for each topic, shape (words, topics): its meaning along the topic's direction."""

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        words: Sequence[str],
        weights: NDArray[np.floating],
        space: NDArray[np.floating],
        scores: NDArray[np.floating],
    ) -> Topics:
        """Return topics under the digest of their content."""
        arrays = [np.ascontiguousarray(each, dtype=np.float32) for each in (weights, space, scores)]
        identity = digest(*names, "", *words, *(each.tobytes() for each in arrays))
        return cls(identity, tuple(names), tuple(words), *arrays)

    def named(self, texts: pl.Series | Sequence[str]) -> pl.Series:
        """Return the name of each text's topic; "" where none is near."""
        every = texts if isinstance(texts, pl.Series) else pl.Series(texts, dtype=pl.String)
        different = every.unique(maintain_order=True)
        parts = [self._nearest(different.slice(i, AT_ONCE)) for i in range(0, len(different), AT_ONCE)]
        nearest = np.concatenate([np.zeros(0, np.int64), *parts])
        names = pl.Series("topic", [*self.names, ""], dtype=pl.String).gather(nearest)
        if len(different) == len(every):
            return names
        return every.replace_strict(different, names, return_dtype=pl.String).alias("topic")

    def _nearest(self, texts: pl.Series) -> NDArray[np.int64]:
        """Return the number of each text's topic; one past the last where none is near."""
        none = len(self.names)
        if not none:
            return np.zeros(len(texts), np.int64)
        rows = weighted(counted(texts), len(texts), self.words, self.weights)
        meaning, scores = (np.asarray(rows @ each) for each in self._tables)
        meant = np.sqrt((meaning**2).sum(axis=1))
        best = scores.argmax(axis=1)
        near = scores[np.arange(len(best)), best] >= NEAR * np.maximum(meant, MEANT)
        return np.where(near, best, none).astype(np.int64)

    @cached_property
    def _tables(self) -> tuple[Floats, Floats]:
        return self.space.astype(np.float64), self.scores.astype(np.float64)

    def without(self, words: Collection[str]) -> Topics:
        """Return the topics without some words: texts that hold none of them keep their topic.

        A topic named by one of them loses its name. What is meant by it stays the same, and so does the id.
        """
        gone = frozenset(words)
        kept = [i for i, word in enumerate(self.words) if word not in gone]
        if len(kept) == len(self.words):
            return self
        return replace(
            self,
            names=tuple("" if gone.intersection(name.split()) else name for name in self.names),
            words=tuple(self.words[i] for i in kept),
            weights=self.weights[kept],
            space=self.space[kept],
            scores=self.scores[kept],
        )

    def file(self) -> bytes:
        """Return the file that holds them: safetensors, names and words as JSON in its head."""
        from safetensors.numpy import save

        head = topic_file.Head(id=self.id, names=self.names, words=self.words)
        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in ("weights", "space", "scores")}
        return save(arrays, metadata=topic_file.metadata(head))


def weighted(found: Counts, n: int, words: Sequence[str], weights: NDArray[np.floating]) -> csr_array:
    """Return a row of length 1 for each of `n` texts, 0 for one without any of `words`: (texts, words)."""
    number = pl.Series(range(len(words)), dtype=pl.Int64)
    place = found.word.replace_strict(pl.Series(words, dtype=pl.String), number, default=None, return_dtype=pl.Int64)
    known = place.is_not_null().to_numpy()
    column = place.drop_nulls().to_numpy()
    text = found.text[known]
    order = np.lexsort((column, text))
    text, column = text[order], column[order]
    values = weights.astype(np.float64)[column]
    starts = np.concatenate([[0], np.cumsum(np.bincount(text, minlength=n))])
    rows = csr_array((values, column, starts), shape=(n, len(words)))
    lengths = np.sqrt(np.asarray((rows * rows).sum(axis=1)).ravel())
    rows.data /= lengths[text]
    return rows


def read(data: bytes) -> Topics:
    """Return the topics in a file that `Topics.file` made.

    Raises:
        ValueError: it is no such file, or of another version.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    head = topic_file.read(data)
    try:
        found = load(data)
        weights, space, scores = (found[name] for name in ("weights", "space", "scores"))
    except (SafetensorError, KeyError) as wrong:
        raise ValueError(f"no topics: {wrong}") from wrong
    n = len(head.words)
    fits = [each.shape for each in (weights, space, scores)] == [(n,), (n, *space.shape[1:2]), (n, len(head.names))]
    if not fits or any(each.dtype != np.float32 or not np.isfinite(each).all() for each in (weights, space, scores)):
        raise ValueError("no topics: arrays, names and words do not fit one another")
    return Topics(head.id, head.names, head.words, weights, space, scores)
