"""Who is to be forgotten: digests of user ids, so that later runs leave their calls unread. No id stands here."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from overproof.core import lines
from overproof.core.chance import digest
from overproof.core.types import Record
from overproof.tasks.redact import pseudonym

if TYPE_CHECKING:
    import polars as pl


class Tombstone(Record):
    """One person, and what had learned from them when they were forgotten."""

    names: tuple[str, ...]
    """Digests of what the person is called in logs and records."""
    at: datetime
    students: tuple[str, ...] = ()
    """Fitted students, as `SHELF/KEY`."""
    releases: tuple[str, ...] = ()
    """Folders of releases."""


def names_of(user: str) -> tuple[str, ...]:
    """Return what a user can be called: as the logs say, and the name that stands for an address."""
    return user, pseudonym(user)


def marks_of(user: str) -> tuple[str, ...]:
    """Return the digests of all that a user can be called."""
    return tuple(_mark(name) for name in names_of(user))


def _mark(name: str) -> str:
    return digest("forgotten", name)


def load(path: Path) -> tuple[Tombstone, ...]:
    """Read the list; one that is not there is empty, and a last line that breaks off was never acted upon.

    Raises:
        UserError: any other line that cannot be read; who stood there would come back.
    """
    return lines.read(path, Tombstone)


def append(path: Path, stone: Tombstone) -> None:
    """Write one line and wait until it is on disk: from then on nobody reads this person in again."""
    lines.append(path, [stone])


def without(
    exchanges: pl.DataFrame, set_aside: pl.DataFrame, stones: tuple[Tombstone, ...]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return what was read without the calls of those who are forgotten.

    Rows set aside lose their excerpts once anybody is: nobody knows whose they are.
    """
    if not stones:
        return exchanges, set_aside
    marks = {mark for stone in stones for mark in stone.names}
    users = exchanges["user"].drop_nulls().unique()
    theirs = [user for user in users if _mark(user) in marks]
    return drop_users(exchanges, theirs), blank(set_aside)


def drop_users(exchanges: pl.DataFrame, users: list[str]) -> pl.DataFrame:
    """Return the rows that are not of these users."""
    import polars as pl

    return exchanges.filter(~pl.col("user").is_in(users).fill_null(value=False))


def blank(set_aside: pl.DataFrame) -> pl.DataFrame:
    """Return rows set aside without any text of theirs: place and kind of reason stay."""
    import polars as pl

    kind = pl.col("reason").str.replace(r"^([^:]*): .*$", "$1")
    return set_aside.with_columns(excerpt=pl.lit(""), reason=kind)
