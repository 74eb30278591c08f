"""Mask what is private: placeholders numbered per record, the same value always the same number, no map kept."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import msgspec
import polars as pl

from overproof.core.chance import canonical, digest
from overproof.logs import private

TEXTS = ("answer", "gold", "error")
FIELDS = ("messages", *TEXTS, "parameters", "metadata")
"""Columns that are masked, in the order in which placeholders are numbered; all but `TEXTS` hold JSON."""
NAMES = {"user": "user", "conversation": "conversation", "id": "request"}
"""Columns that name someone or something: never masked within, but replaced whole by a stable pseudonym."""
PERSONAL = {"user": r"[@ ]|^\+?[0-9][0-9()./-]{8,}$", "conversation": r"[@ ]|^\+[0-9]", "id": r"[@ ]|^\+[0-9]"}
"""What such a name must hold to be looked at: requests are counted in bare digits far more often than users are."""
OPAQUE = 4096
"""A text longer than this without a space inside a message's extra parts is data (an image, a sound), not writing."""

_PLACEHOLDER = re.compile(r"\[(EMAIL|PHONE|CARD|KEY|IBAN)_([0-9]{1,9})\]")
_PHONE_NAME = re.compile(r"(?i)(?:^|[_.-])(?:phone|tel|telephone|telefon|mobile|handy|cell|fax|whatsapp)(?:[_.-]|$)")
_KEY_NAME = re.compile(r"(?i)(?:^|[_.-])(?:key|apikey|secret|token|password)$")


class Masks:
    """The placeholders of one record."""

    def __init__(self, texts: Sequence[str], clean: set[str] | None = None) -> None:
        """Number after what `texts` hold already; `clean` collects texts that hold nothing, to be skipped next time."""
        self._clean = set() if clean is None else clean
        self._numbers: dict[tuple[str, str], str] = {}
        self._last: Counter[str] = Counter()
        for text in texts:
            if "_" in text:
                for kind, number in _PLACEHOLDER.findall(text):  # an earlier redaction's numbers stay its own
                    self._last[kind.lower()] = max(self._last[kind.lower()], int(number))

    def mask(self, text: str, found: set[str]) -> str:
        """Return `text` with everything private replaced; adds what kinds there were to `found`."""
        if text in self._clean:
            return text
        given = text
        while True:  # a placeholder may free its neighbour to be found, so until nothing is
            before = text
            for kind, finder in private.FINDERS.items():
                text = self._replace(text, kind, finder, found)
            if text == before:
                break
        if text == given:
            self._clean.add(text)
        return text

    def _replace(self, text: str, kind: str, finder: Callable[[str], Any], found: set[str]) -> str:
        spans = sorted(finder(text))
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


def redact_record(texts: Sequence[str]) -> tuple[tuple[str, ...], Counter[str]]:
    """Return the texts of one record masked, and in how many of them each kind was found. Idempotent."""
    masks = Masks(texts)
    counts: Counter[str] = Counter()
    masked = tuple([_counted(masks, text, counts) for text in texts])
    return masked, counts


def redact_table(exchanges: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return a table of `Exchange` masked, and in how many texts each kind was found.

    Polars finds the fields in which something could be private; only those are taken apart.
    """
    could = exchanges.select(pl.col(name).str.contains(private.SUSPECT).fill_null(value=False) for name in FIELDS)
    places = could.select(pl.any_horizontal(FIELDS).arg_true()).to_series()
    counts: Counter[str] = Counter()
    clean: set[str] = set()
    columns: dict[str, list[str | None]] = {name: [] for name in FIELDS}
    rows = exchanges[places].select(FIELDS).iter_rows()
    for row, suspects in zip(rows, could[places].iter_rows(), strict=True):
        masks = Masks([value for value in row if value], clean)
        for name, value, suspect in zip(FIELDS, row, suspects, strict=True):
            columns[name].append(_masked(masks, name, value, counts) if suspect else value)
    changed = [exchanges[name].scatter(places, pl.Series(values, dtype=pl.String)) for name, values in columns.items()]
    return _renamed(exchanges.with_columns(changed)), dict(sorted(counts.items()))


def excerpt(text: str, length: int = 160) -> str:
    """Return the first characters of a row's raw text, masked; JSON's escapes are undone first: they hide things."""
    plain = re.sub(r"\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), text)
    plain = re.sub(r"\\[nrt]", " ", plain).encode("utf-8", "replace").decode()
    (masked,), _ = redact_record([plain])
    return masked[:length]


def pseudonym(value: str, kind: str = "user") -> str:
    """Return the stable name that stands for a user id which is itself a mail address or a phone number.

    A hash without a key: it keeps one person's requests together and ids out of sight, but who guesses an address can
    check the guess.
    """
    return f"{kind}-{digest(kind, value, size=6)}"


def _counted(masks: Masks, text: str, counts: Counter[str]) -> str:
    found: set[str] = set()
    masked = masks.mask(text, found)
    counts.update(found)
    return masked


def _masked(masks: Masks, name: str, value: str, counts: Counter[str]) -> str:
    """Return a text, or the texts inside a JSON text, masked."""
    if name in TEXTS:
        return _counted(masks, value, counts)
    return canonical(_walk(masks, msgspec.json.decode(value), counts)).decode()


def _walk(masks: Masks, value: Any, counts: Counter[str], name: str = "") -> Any:  # noqa: ANN401 - JSON is anything
    """Mask every text inside a JSON value; `name` is the field it stands in."""
    if isinstance(value, str):
        if len(value) > OPAQUE and " " not in value:
            return value
        return _in_field(masks, value, counts, name)
    if isinstance(value, dict):
        return {key: _walk(masks, item, counts, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_walk(masks, item, counts, name) for item in value]
    return value


def _in_field(masks: Masks, value: str, counts: Counter[str], name: str) -> str:
    """Mask a field's text with what its name says: digits in a field called `phone` are a phone number."""
    lead = _lead(name)
    return _counted(masks, lead + value, counts)[len(lead) :]


@lru_cache(maxsize=1024)
def _lead(name: str) -> str:
    return "phone: " if _PHONE_NAME.search(name) else "token: " if _KEY_NAME.search(name) else ""


def _renamed(exchanges: pl.DataFrame) -> pl.DataFrame:
    """Give a pseudonym to every user, conversation and id that is a mail address, a phone number or the like."""
    for name, kind in NAMES.items():
        distinct = exchanges[name].drop_nulls().unique()
        suspects = distinct.filter(distinct.str.contains(PERSONAL[name]))
        names = {value: pseudonym(value, kind) for value in suspects if _is_personal(value)}
        if names:
            exchanges = exchanges.with_columns(pl.col(name).replace(names))
    return exchanges


def _is_personal(value: str) -> bool:
    """Say whether a whole id is private: as a text would be, or as a number that can be called."""
    digits = sum(map(str.isdigit, value))
    return (10 <= digits <= 15 and not any(map(str.isalpha, value))) or redact_record([value])[0][0] != value
