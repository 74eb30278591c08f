"""Read logs: files in, exchanges and rows set aside out, every row accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl

from overproof.core.errors import UserError
from overproof.core.types import FileRead, LogSummary
from overproof.logs import gold as right
from overproof.logs import identity, pieces
from overproof.logs.find import Found, find
from overproof.logs.jsonl import EXCERPT
from overproof.logs.options import GoldOptions, LogSource, PrivacyOptions
from overproof.logs.pieces import MARKS, Finish, Tally
from overproof.logs.stream import Progress, in_pieces


class Counted(Protocol):
    """A piece, or what is remembered of one."""

    @property
    def tallies(self) -> tuple[Tally, ...]:
        """What became of its rows, by file."""

    @property
    def redacted(self) -> dict[str, int]:
        """Texts in which something was masked."""


Look = Callable[[pl.Series, Sequence[str]], pl.DataFrame]
"""Returns columns of the rows at some places, in the order of the places."""


@dataclass(frozen=True)
class Logged:
    """What the logs held."""

    exchanges: pl.DataFrame
    """Table of `Exchange`, by time where that is known; rows without one follow in the order they were read."""
    set_aside: pl.DataFrame
    """Table of `SetAside`, in the order of the files and their rows."""
    summary: LogSummary


def read(
    sources: Sequence[LogSource],
    root: Path,
    privacy: PrivacyOptions,
    gold: GoldOptions | None = None,
    progress: Progress | None = None,
) -> Logged:
    """Read every file that `sources` name, relative to `root`; a file named twice is read once.

    Raises UserError when a path matches nothing, a format is not known, or no exchange matches the right answers.
    """
    found = find(sources, root)
    joined: Counter[str] = Counter()
    made = [pieces.finish([], Finish()), *in_pieces(found, finishing(privacy, gold, root), joined, progress)]
    table = pl.concat([each.table() for each in made])
    resolved = resolve(table.select(list(MARKS)), lambda places, names: table.select(names)[places])
    set_aside = ordered(found, [*(each.set_aside for each in made), resolved.set_aside])
    summary = summarise(found, made, joined, resolved, set_aside)
    if gold is not None:
        refuse_unmatched(gold, summary)
    return Logged(in_time(apply(table, resolved.changes)), set_aside, summary)


def finishing(privacy: PrivacyOptions, gold: GoldOptions | None, root: Path) -> Finish:
    """Return what is done to rows before they are kept."""
    if gold is None:
        return Finish(privacy.redact)
    return Finish(privacy.redact, right.table(right.read_gold(gold, root)), gold.on)


# --- what depends on other rows ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Resolved:
    """What was found when all rows were known."""

    changes: pl.DataFrame
    """`source` of a row, and the `id` it gets; null for one that repeats another and is no exchange."""
    set_aside: pl.DataFrame
    """Table of `SetAside`: the rows that repeat others."""
    tallies: tuple[Tally, ...]
    """What those had been counted as."""


def resolve(marks: pl.DataFrame, look: Look) -> Resolved:
    """Find repeated rows and taken ids; `marks` are those of all rows, in order."""
    settled = identity.settle(marks)
    repeated = look(settled.repeated["place"], ["source", "messages", "error", "metadata", "gold"])
    first = look(settled.repeated["of"], ["source"])["source"]
    renamed = look(settled.renamed, ["source"])["source"]
    names = identity.names(renamed.to_list(), marks)
    changes = pl.DataFrame(
        {"source": [*repeated["source"], *renamed], "id": [*[None] * repeated.height, *names]},
        schema={"source": pl.String, "id": pl.String},
    )
    set_aside = repeated.select(
        "source", reason=pl.lit("duplicate of ") + first, excerpt=pl.col("messages").str.slice(0, EXCERPT)
    )
    by_file = repeated.with_columns(file=_file_of("source")).partition_by("file", as_dict=True, maintain_order=True)
    tallies = tuple(pieces.tally(str(file), rows) for (file,), rows in by_file.items())
    return Resolved(changes, set_aside, tallies)


def apply(exchanges: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    """Return exchanges after `changes` (see `Resolved`), without marks."""
    exchanges = exchanges.drop(list(MARKS), strict=False)
    if changes.is_empty():
        return exchanges
    gone = changes.filter(pl.col("id").is_null())["source"]
    named = changes.drop_nulls("id")
    exchanges = exchanges.filter(~pl.col("source").is_in(gone.implode()))
    if named.is_empty() or "id" not in exchanges.columns:
        return exchanges
    return exchanges.with_columns(
        id=pl.coalesce(
            pl.col("source").replace_strict(named["source"], named["id"], default=None, return_dtype=pl.String), "id"
        )
    )


def in_time(exchanges: pl.DataFrame) -> pl.DataFrame:
    """Return exchanges by time; those without one follow in the order they had."""
    if exchanges["at"].is_sorted(nulls_last=True):  # as most logs are: to sort them would copy every column
        return exchanges.rechunk()
    return exchanges.sort("at", nulls_last=True, maintain_order=True)


def _file_of(source: str) -> pl.Expr:
    return pl.col(source).str.replace(r":[^:]*$", "")


# --- the account ------------------------------------------------------------------------------------------------------


def ordered(found: Sequence[Found], set_aside: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Return rows set aside in the order of their files."""
    places = {file.name: i for i, file in enumerate(found)}
    table = pl.concat(set_aside)
    place = pl.coalesce(
        pl.col("source").replace_strict(places, default=None, return_dtype=pl.Int64),
        _file_of("source").replace_strict(places, default=None, return_dtype=pl.Int64),
    )
    return table.sort(place, maintain_order=True)


def summarise(
    found: Sequence[Found],
    made: Sequence[Counted],
    joined: Counter[str],
    resolved: Resolved,
    set_aside: pl.DataFrame,
) -> LogSummary:
    """Return the account of all rows."""
    tallies = {each.file: each for each in pieces.added(tally for piece in made for tally in piece.tallies)}
    repeated = {each.file: each for each in resolved.tallies}
    by_file = tuple(
        _account(
            file,
            tallies.get(file.name, Tally(file=file.name)),
            repeated.get(file.name, Tally(file=file.name)),
            joined[file.name],
        )
        for file in found
    )
    known = sum(each.gold for each in tallies.values()) - sum(each.gold for each in repeated.values())
    masked: Counter[str] = Counter()
    for piece in made:
        masked.update(piece.redacted)
    return LogSummary(files=by_file, reasons=_reasons(set_aside), redacted=dict(sorted(masked.items())), gold=known)


def refuse_unmatched(gold: GoldOptions, summary: LogSummary) -> None:
    """Raise UserError when none of the right answers is for any of the exchanges."""
    if not summary.gold and any(each.kept for each in summary.files):
        raise UserError(
            f"gold: nothing in {gold.path!r} matches a request's {gold.on!r}; "
            f"set gold.on to `id` or to a key of the logs' metadata"
        )


def _account(file: Found, tally: Tally, repeated: Tally, joined: int) -> FileRead:
    return FileRead(
        path=file.name,
        format=file.format,
        sure=file.sure,
        rows=tally.kept + tally.set_aside + joined,
        kept=tally.kept - repeated.kept,
        set_aside=tally.set_aside + repeated.kept,
        joined=joined,
        failed=tally.failed - repeated.failed,
        cached=tally.cached - repeated.cached,
        saw=file.saw,
    )


def _reasons(set_aside: pl.DataFrame) -> dict[str, int]:
    """Count reasons without what is particular to one row: the text after a colon, the place of the first duplicate."""
    kinds = set_aside["reason"].str.replace(r"^(duplicate) of .*$|^([^:]*): .*$", "$1$2")
    return dict(Counter(kinds.to_list()).most_common())
