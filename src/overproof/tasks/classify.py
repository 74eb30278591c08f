"""Classify: the answer is one of a fixed set of labels.

Reading never guesses. A text is a label as it stands, or a label once its wrapping is off (`Category: x`, quotes, JSON,
Markdown, case, spaces for underscores), or a short text that names one label as its verdict. A text that names two
labels, negates one, asks, or breaks off in the middle of one means nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from overproof.core.errors import ContractError
from overproof.core.types import Reading, Record
from overproof.tasks.wrapping import layers

if TYPE_CHECKING:
    import polars as pl

    from overproof.tasks.reading import Readings

UNREADABLE = Reading(answer=None)

_LONGEST = 4_000  # characters; a longer text is no answer to "which of these"
_LONGEST_SENTENCE = 160  # characters in which a label may be named in prose
_DEEPEST = 8  # wrappings inside one another
_REMEMBERED = 16_384  # distinct texts that were no plain label

_SEPARATORS = r"[\s_\-\u2010-\u2015]+"  # the last are the typographic dashes
_APOSTROPHES = str.maketrans("\u2018\u2019", "''")
_VETO = re.compile(
    r"n't\b|\?|\.\.|\b(?:not|no|nor|neither|never|none|cannot|without|except|unless|or|either|sorry|unsure|uncertain|"
    r"unclear|unlikely|maybe|perhaps|might|could|"
    r"nicht|kein\w*|weder|oder|ohne|vielleicht|leider|"
    r"pas|ni|ou|sans|jamais|aucune?|peut-être|désolée?|"
    r"nunca|sin|quizás?|tal vez|o|siento)\b"
)
"""Words and signs that turn a sentence naming a label into something else than a verdict (casefolded text)."""
_ASSIGNING = re.compile(
    r"(?:\b(?:is|be|as|under|into|category|label|class|intent|answer|with|choose|pick|select|"
    r"ist|wäre|als|unter|kategorie|est|serait|comme|sous|catégorie|es|sería|como|bajo|categoría)|[:=>→])"
    r"""[\s"'`*_(\[“„«]*\Z"""
)
"""What stands right before a label that a sentence gives as its verdict."""
_SENTENCE_END = re.compile(r"""["'`*_)\]”“»\s]*(?:[.!,;](?:["'`*_)\]”“»\s]|$)|$)""")


class Classify(Record, dict=True):
    """The task `classify`."""

    labels: tuple[str, ...]
    """The answers there are, as they are to be stored."""

    def __post_init__(self) -> None:
        """Raise ContractError when a label is blank or stands twice."""
        seen: set[str] = set()
        for label in self.labels:
            if not label.strip():
                raise ContractError("task.labels", "holds a blank label")
            if label in seen:
                raise ContractError("task.labels", f"holds {label!r} twice")
            seen.add(label)

    def read(self, text: str | None) -> Reading:
        """Return the label that `text` means; `recovered` says that it was not written literally."""
        if text is None:
            return UNREADABLE
        literal = self._literal.get(text)
        if literal is not None:
            return literal
        return self._recover(text) if len(text) <= _LONGEST else UNREADABLE

    def read_column(self, texts: pl.Series) -> Readings:
        """Return the columns `answer` and `recovered`, aligned with `texts`; every distinct text is read once."""
        from overproof.tasks.reading import read_column

        return read_column(self, texts)

    def score(self, answer: str | None, reference: str) -> float:
        """Return 1.0 when `answer` is `reference`, else 0.0."""
        return 1.0 if answer == reference else 0.0

    @cached_property
    def _literal(self) -> dict[str, Reading]:
        return {label: Reading(answer=label) for label in self.labels}

    @cached_property
    def _recover(self) -> Callable[[str], Reading]:
        """The normaliser, with a memory: logs repeat their odd answers, too."""
        normaliser = Normaliser(self.labels)

        @lru_cache(maxsize=_REMEMBERED)
        def recover(text: str) -> Reading:
            label = normaliser.label_in(text)
            return UNREADABLE if label is None else Reading(answer=label, recovered=True)

        return recover


class _Named(NamedTuple):
    """A label found in running text, and where."""

    key: str
    start: int
    end: int


class Normaliser:
    """Finds the label in a text that is not literally one."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        self._exact = frozenset(labels)
        self._by_key: dict[str, str | None] = {}
        for label in labels:  # two labels that differ in case or separators only: neither can be recovered
            key = normal_form(label)
            self._by_key[key] = None if key in self._by_key else label
        self._named = _pattern(self._by_key)

    def label_in(self, text: str) -> str | None:
        """Return the one label that `text` means, or None."""
        normal = unicodedata.normalize("NFKC", text).strip()
        return _sole(self._inside(normal, _DEEPEST)) or self._verdict(normal)

    def _inside(self, text: str, depth: int) -> set[str]:
        """Return the labels that `text` can be with its wrapping taken off."""
        text = text.strip()
        if not text:
            return set()
        whole = self._whole(text)
        if whole is not None:
            return {whole}
        found = self._line_of(text) if "\n" in text else set()
        if depth:
            for layer in layers(text):
                if not self._misleads(layer.lead):
                    found |= self._inside(layer.inner, depth - 1)
        return found

    def _whole(self, text: str) -> str | None:
        return text if text in self._exact else self._by_key.get(normal_form(text))

    def _misleads(self, lead: str) -> bool:
        """`refund: billing` names two labels, `Not: refund` names none."""
        folded = _fold(lead)
        return bool(folded) and (_VETO.search(folded) is not None or any(self._names(folded)))

    def _line_of(self, text: str) -> set[str]:
        """Return the label that a line of its own gives, when the other lines name no other."""
        stated: set[str] = set()
        for line in text.splitlines():
            stated |= self._inside(line, depth=3)
        named = {self._by_key[each.key] for each in self._names(_fold(text))}
        return stated if named <= stated else set()

    def _verdict(self, text: str) -> str | None:
        """Return the one label that a short sentence gives as its verdict."""
        folded = _fold(text)
        if len(folded) > _LONGEST_SENTENCE:
            return None
        named = list(self._names(folded))
        if len({each.key for each in named}) != 1 or _VETO.search(_without(folded, named)):
            return None
        last = named[-1]
        if self._breaks_off(folded[last.start :], last.key):
            return None
        return self._by_key[last.key] if any(_is_verdict(folded, each) for each in named) else None

    def _breaks_off(self, tail: str, key: str) -> bool:
        """`plan ch` names `plan`, but may be the beginning of `plan_change`."""
        rest = normal_form(tail)
        return any(other != key and other.startswith(rest) for other in self._by_key)

    def _names(self, folded: str) -> Iterator[_Named]:
        """Yield every label named in casefolded text; one inside a longer one does not count."""
        end = 0
        for match in self._named.finditer(folded):
            if match.end(1) > end:
                end = match.end(1)
                yield _Named(normal_form(match[1]), *match.span(1))


def _is_verdict(folded: str, named: _Named) -> bool:
    """A label that prose could not hold by accident, or one that ends a sentence which assigns it."""
    before, label, after = folded[: named.start], folded[named.start : named.end], folded[named.end :]
    marked = before[-1:] in tuple("`*") and after[:1] == before[-1:]
    if "_" in label or marked:
        return True
    return _ASSIGNING.search(before) is not None and _SENTENCE_END.match(after) is not None


def _pattern(keys: dict[str, str | None]) -> re.Pattern[str]:
    """Return a pattern whose group 1 is the longest label that starts at each word; it may overlap the next."""
    words = [key for key in keys if any(map(str.isalnum, key))]  # `-` is a label only where it stands alone
    longest_first = sorted(words, key=lambda key: (-len(key), key))
    names = "|".join(_SEPARATORS.join(map(re.escape, key.split("_"))) for key in longest_first)
    return re.compile(rf"(?<![\w-])(?=((?:{names or '(?!)'})(?![\w-])))")


def _without(folded: str, named: list[_Named]) -> str:
    """Return the text around the labels: a label may be called `no`."""
    kept, at = [], 0
    for each in named:
        kept.append(folded[at : each.start])
        at = max(at, each.end)
    return " ".join([*kept, folded[at:]])


def _fold(text: str) -> str:
    """Return what stays equal when case and typography change."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).translate(_APOSTROPHES)


def normal_form(text: str) -> str:
    """Return what stays equal when separators change, too."""
    return re.sub(_SEPARATORS, "_", _fold(text.strip()))


def _sole(found: set[str]) -> str | None:
    return next(iter(found)) if len(found) == 1 else None
