"""What a linear student can read: the word runs and pieces it knows, and the row each has in its tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from overproof.students.text import pieces, words

if TYPE_CHECKING:
    from overproof.students.linear_options import LinearOptions

T = TypeVar("T")

Run = str | tuple[str, ...]
"""A single word, or several in a row."""


class Found(NamedTuple):
    """What a text is made of."""

    rows: list[int]
    """Distinct known word runs, in the order they came."""
    unknown: list[str]
    """Distinct words without a row of their own; empty when pieces are not used."""


class Lexicon:
    """A text is a bag of word runs; a single word is also a bag of pieces. Each run and piece has a number."""

    def __init__(
        self,
        runs: Iterable[str],
        known_pieces: Iterable[str],
        *,
        longest: int,
        characters: tuple[int, int] | None,
    ) -> None:
        """Number `runs` (words joined by a blank, none longer than `longest`) and `known_pieces` in their order."""
        self.runs = tuple(runs)
        self.pieces = tuple(known_pieces)
        self.longest = longest
        self.characters = characters
        self._row: dict[Run, int] = {_split(run): row for row, run in enumerate(self.runs)}
        self._piece = {piece: number for number, piece in enumerate(self.pieces)}

    def read(self, text: str) -> Found:
        """Return which known runs stand in `text`, and which words it would take pieces to read."""
        found = words(text)
        rows = dict.fromkeys(map(self._row.get, _runs(found, self.longest)))
        rows.pop(None, None)
        unknown = [word for word in dict.fromkeys(found) if word not in self._row] if self.characters else []
        return Found(list(rows), unknown)  # type: ignore[arg-type]  # None, the row of unknown runs, was taken out

    def pieces_of(self, word: str) -> list[int]:
        """Return the numbers of the known pieces of `word`."""
        if self.characters is None:
            return []
        return [number for number in map(self._piece.get, pieces(word, self.characters)) if number is not None]

    def single(self) -> Iterator[tuple[int, str]]:
        """Yield the row and the word of every run that is one word long."""
        return ((row, run) for row, run in enumerate(self.runs) if " " not in run)


class Counted(NamedTuple):
    """A lexicon and, for each of its runs and pieces, the training texts that hold it."""

    lexicon: Lexicon
    runs: list[int]
    pieces: list[int]


def learn(texts: Sequence[str], options: LinearOptions) -> Counted:
    """Return the lexicon of `texts`: every word, and the runs and pieces that occur in `min_count` of them."""
    shortest, longest = options.words
    runs: Counter[Run] = Counter()
    parts: Counter[str] = Counter()
    cut = cache(lambda word: pieces(word, options.characters or (1, 0)))
    for text in texts:
        found = words(text)
        runs.update(dict.fromkeys(_runs(found, longest)).keys())
        parts.update(set(chain.from_iterable(map(cut, dict.fromkeys(found)))))
    first = 1 if options.characters else shortest  # a single word is where pieces are summed
    kept = _most(
        ((run, n) for run, n in runs.items() if _length(run) >= first and n >= _needed(run, options.min_count)),
        options.max_features,
    )
    shared = _most(((part, n) for part, n in sorted(parts.items()) if n >= options.min_count), options.max_features)
    lexicon = Lexicon(map(_join, kept), shared, longest=longest, characters=options.characters)
    return Counted(lexicon, list(kept.values()), list(shared.values()))


def _most(counts: Iterable[tuple[T, int]], limit: int) -> dict[T, int]:
    return dict(sorted(counts, key=lambda item: -item[1])[:limit])


def _needed(run: Run, min_count: int) -> int:
    return 1 if isinstance(run, str) else min_count


def _length(run: Run) -> int:
    return 1 if isinstance(run, str) else len(run)


def _runs(found: list[str], longest: int) -> Iterable[Run]:
    """Return the single words, then every longer run."""
    later = (zip(*(found[start:] for start in range(size)), strict=False) for size in range(2, longest + 1))
    return chain(found, *later)


def _join(run: Run) -> str:
    return run if isinstance(run, str) else " ".join(run)


def _split(run: str) -> Run:
    return tuple(run.split(" ")) if " " in run else run
