"""What can be turned about reading logs."""

from __future__ import annotations

from typing import Literal

from overproof.core.types import Record

UNNAMED = frozenset({"auto", "jsonl", "json", "csv", "parquet"})
"""Formats that leave it to the rows which reader they are for: people also name the kind of file, which its first bytes
tell anyway."""


class LogSource(Record):
    """One `[[logs]]` table: files of one kind."""

    path: str
    """File or glob, relative to overproof.toml; plain, .gz or .zst."""
    format: str = "auto"
    """A reader's name (`openai`, `pairs`, `parquet`, or a plug-in's); `auto` looks at the first lines of each file."""


class GoldOptions(Record):
    """The `[gold]` table: right answers known from elsewhere. For evaluation only; training never sees them."""

    path: str
    """JSON Lines file (plain, .gz, .zst) of right answers, relative to overproof.toml."""
    on: str
    """Field of that file that names a request: matched with the metadata key of the same name, or with `id`."""
    field: str
    """Field of that file that holds the right answer."""
    missing: Literal["worst_case", "random_sample"] = "worst_case"
    """A request without gold is scored as wrong, or (when you labelled a random sample) left out and counted."""


class PrivacyOptions(Record):
    """The `[privacy]` table."""

    redact: bool = True
    """Mask emails, phones, cards, keys and IBANs in everything that is stored, shown or sent again."""
    names: bool = False
    """Mask names of people and places in messages and in long answers too. Needs the extra `names`; slow."""
    names_models: dict[str, str] = {}
    """spaCy model by language (ISO 639-1); `{ en = "en_core_web_sm" }` when left out. With several, a text is looked at
    in its likeliest language."""
