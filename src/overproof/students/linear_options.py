"""What can be turned about the lexical student."""

from __future__ import annotations

import msgspec

from overproof.core.types import Record

MOST_WORDS = 4
MOST_CHARACTERS = 8


class LinearOptions(Record):
    """Which features a linear student has, and how closely it fits."""

    name: str = ""
    """What reports call it; "linear-words" or "linear-words+chars" when left empty."""
    words: tuple[int, int] = (1, 2)
    """Shortest and longest run of words that is a feature. Longer runs catch phrases and need more examples."""
    characters: tuple[int, int] | None = None
    """Shortest and longest piece of a word that is a feature, such as (2, 5). Pieces read typos, compounds and words
    never seen; they cost size, and time for each unknown word."""
    penalty: float | None = None
    """L2 penalty on the weights beside the mean loss. Less fits closer. None: the one that does best on tune."""
    min_count: int = 2
    """Training texts that must hold a longer run or a piece before it is a feature. Single words count from one."""
    max_features: int = 50_000
    """At most this many word runs, and as many pieces: the most frequent stay."""

    def __post_init__(self) -> None:
        """Refuse options that describe no student, and name the one they describe."""
        _check_sizes("words", self.words, MOST_WORDS)
        if self.characters is not None:
            _check_sizes("characters", self.characters, MOST_CHARACTERS)
        if self.penalty is not None and not 0 < self.penalty < 1:
            raise ValueError(f"penalty must lie between 0 and 1, not {self.penalty}")
        if self.min_count < 1 or self.max_features < 1:
            raise ValueError("min_count and max_features must be at least 1")
        if not self.name:
            name = "linear-words" if self.characters is None else "linear-words+chars"
            msgspec.structs.force_setattr(self, "name", name)


def _check_sizes(name: str, sizes: tuple[int, int], most: int) -> None:
    shortest, longest = sizes
    if not 1 <= shortest <= longest <= most:
        raise ValueError(
            f"{name} must be [shortest, longest] with 1 <= shortest <= longest <= {most}, not {list(sizes)}"
        )
