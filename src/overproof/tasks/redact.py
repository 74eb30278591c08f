"""Mask what is private in texts: placeholders numbered per record, the same value the same number, no map kept.

Training and serving both come here, so a student is asked in the words it was proven on.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from overproof.core.chance import digest
from overproof.tasks import names, private
from overproof.tasks.names import Names

WRITING = 60
"""Characters from which an answer is writing, in which names are looked for; shorter ones are labels more often."""


class Masks:
    """The placeholders of one record."""

    def __init__(self, texts: Sequence[str], clean: set[str] | None = None, people: Names | None = None) -> None:
        """Number after what `texts` hold already; `clean` collects texts that hold nothing, to be skipped next time.

        With `people`, names of people and places are masked too, where `mask` is told that a text is writing.
        """
        self._people = people
        self._clean = set() if clean is None else clean
        self._numbers: dict[tuple[str, str], str] = {}
        self._last: Counter[str] = Counter()
        self._done: dict[tuple[str, bool], tuple[str, set[str]]] = {}
        """What was masked in this record already: the user's last turn is, before all others."""
        for text in texts:
            if "_" in text:
                for kind, number in private.PLACEHOLDER.findall(text):  # an earlier redaction's numbers stay its own
                    self._last[kind.lower()] = max(self._last[kind.lower()], int(number))

    def mask(self, text: str, counts: Counter[str], *, writing: bool = True) -> str:
        """Return `text` with everything private replaced; counts the text once for each kind that is in it.

        Names are looked for in `writing` alone: a field's value or a label is none.
        """
        if text in self._clean:
            return text
        if (text, writing) in self._done:
            masked, found = self._done[text, writing]
            counts.update(found)
            return masked
        given, found = text, set[str]()
        people = self._people if writing else None
        text = self._plain(text, found)
        while people is not None and (named := self._named(text, people, found)) != text:
            text = self._plain(named, found)
        if text == given and people is self._people:
            self._clean.add(text)
        self._done[given, writing] = text, found
        counts.update(found)
        return text

    def _plain(self, text: str, found: set[str]) -> str:
        """Mask what the finders find; a placeholder may free its neighbour to be found, so until nothing is."""
        while True:
            before = text
            for kind, finder in private.FINDERS.items():
                text = self._replace(text, kind, finder(text), found)
            if text == before:
                return text

    def _named(self, text: str, people: Names, found: set[str]) -> str:
        """Mask names, one kind after the other: what the first leaves is looked at anew."""
        for kind in names.KINDS.values():
            text = self._replace(text, kind, people.find(text).get(kind, ()), found)
        return text

    def _replace(self, text: str, kind: str, places: Iterable[private.Span], found: set[str]) -> str:
        spans = sorted(places, key=lambda span: (span[0], -span[1]))  # of two that begin alike, the longer
        if not spans:
            return text
        found.add(kind)
        out, last = [], 0
        for start, end in spans:
            if start < last:
                continue
            out += [text[last:start], self._placeholder(kind, text[start:end])]
            last = end
        return "".join([*out, text[last:]])

    def _placeholder(self, kind: str, value: str) -> str:
        key = (kind, private.normal(kind, value))
        if key not in self._numbers:
            self._last[kind] += 1
            self._numbers[key] = f"[{kind.upper()}_{self._last[kind]}]"
        return self._numbers[key]


def redact_record(texts: Sequence[str], people: Names | None = None) -> tuple[tuple[str, ...], Counter[str]]:
    """Return the texts of one record masked, and in how many of them each kind was found. Idempotent."""
    masks = Masks(texts, people=people)
    counts: Counter[str] = Counter()
    masked = tuple([masks.mask(text, counts) for text in texts])
    return masked, counts


def excerpt(text: str, people: Names | None = None, length: int = 160) -> str:
    """Return the first characters of a row's raw text, masked; JSON's escapes are undone first: they hide things."""
    plain = re.sub(r"\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), text)
    plain = re.sub(r"\\[nrt]", " ", plain).encode("utf-8", "replace").decode()
    (masked,), _ = redact_record([plain], people)
    return masked[:length]


def pseudonym(value: str, kind: str = "user") -> str:
    """Return the stable name that stands for a user id which is itself a mail address or a phone number.

    A hash without a key: it keeps one person's requests together and ids out of sight, but who guesses an address can
    check the guess.
    """
    return f"{kind}-{digest(kind, value, size=6)}"
