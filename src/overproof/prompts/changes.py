"""What a comparison of two prompt sets says, as records."""

from __future__ import annotations

from overproof.core.types import Record


class Shift(Record):
    """One value: its share before and after."""

    value: str
    requests_before: int
    requests_after: int
    before: float
    after: float
    """Shares of the requests that could have it; of slices, which overlap, they do not add up to 1."""
    difference: float
    lower: float
    upper: float
    """95 % interval of the difference, clustered by unit; asymptotic, and of this value alone."""
    h: float
    """Cohen's h."""
    beyond: bool
    """More than chance explains, all values and dimensions taken together."""


class Dimension(Record):
    """One dimension: `slice`, `label`, `length`, `language`, `metadata.KEY`, `word`, or the first four crossed."""

    name: str
    total_variation: float
    """Half the summed difference of shares, in [0, 1]; of slices, over their combinations."""
    expected: float
    """What two samples of one traffic may show, at the 95 % of permutations that name nothing anywhere."""
    psi: float | None
    """Population stability index; None for `word` and `joint`, which have too many values for one."""
    flagged: bool
    """More than chance explains: the distance, or one of the values."""
    values: tuple[Shift, ...] = ()
    """Empty for `word` and `joint`."""


class Word(Record):
    """A word that became more or less frequent, beyond chance. Each unit counts as one on each side."""

    word: str
    units_before: int
    units_after: int
    """Units that hold it in any request."""
    before: float
    after: float
    """Shares of the requests that hold it, as the mean over units."""
    log_odds: float
    """Above zero it became more frequent; shrunk (Monroe et al., 2008)."""
    lower: float
    upper: float
    """95 % interval of the log-odds; asymptotic, and of this word alone."""


class Difference(Record):
    """What changed: `before` are the requests of one set, `after` those of the other that the first does not hold."""

    requests_before: int
    requests_after: int
    in_both: int
    only_before: int
    compared_before: int
    compared_after: int
    """Of very many requests about so many are compared: whole units, drawn by hash."""
    units_before: int
    units_after: int
    """Units of what is compared; one may stand on both sides."""
    dimensions: tuple[Dimension, ...] = ()
    """Empty where one side has no request."""
    words: tuple[Word, ...] = ()
    """The furthest beyond chance first."""
