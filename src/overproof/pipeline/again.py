"""Read logs again: what of an older reading can be taken over, and what is left to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from overproof.core.store import MANIFEST, Store
from overproof.core.types import Manifest
from overproof.logs.find import Found
from overproof.logs.pieces import Span
from overproof.pipeline import files
from overproof.pipeline.files import State
from overproof.pipeline.kept import Entry, Kept, Source, listed


@dataclass(frozen=True)
class Before:
    """An older artefact whose rows became what they would become now."""

    folder: Path
    manifest: Manifest
    kept: Kept


def before(store: Store, made_by: str) -> Before | None:
    """Return the newest artefact that was made in the same way, if it is whole."""
    made = [path.parent for path in (store.root / "logs").glob(f"*/{MANIFEST}")]
    for folder in sorted(made, key=lambda each: (each / MANIFEST).stat().st_mtime, reverse=True):
        manifest = store.manifest("logs", folder.name)
        if manifest is None or not all((folder / name).is_file() for name in manifest.files):
            continue
        try:
            kept = listed(folder)
        except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
            continue  # another version's
        if kept.made_by == made_by:
            return Before(folder, manifest, kept)
    return None


def unchanged(old: Kept, found: Sequence[Found], states: Mapping[str, State]) -> tuple[list[Entry], list[Found]]:
    """Return the pieces that can be taken over, and the files that are left to read; `states` by name.

    In the order of `found` both together hold every row once, and no piece stands between two rows of another.
    """
    now = [_Now(file, i, old.sources.get(file.name), states[file.name]) for i, file in enumerate(found)]
    by_name = {each.file.name: each for each in now}
    good = [entry for entry in old.pieces if _holds(entry, by_name)]
    while (fewer := [entry for entry in good if not _cut_off(entry, old.pieces, good, by_name)]) != good:
        good = fewer
    taken = {each.file.name: [s for entry in good for s in entry.spans if s.file == each.file.name] for each in now}
    left = []
    apart = False
    for each in now:
        rest = _rest(each, taken[each.file.name])
        apart = apart or bool(taken[each.file.name])
        if rest is not None:
            left.append(replace(rest, apart=apart))
            apart = False
    return good, left


class _Now:
    """A file as it is, beside what it was."""

    def __init__(self, file: Found, place: int, source: Source | None, state: State) -> None:
        known = source is not None and (source.format, source.kind) == (file.format, file.kind)
        self.file = file
        self.place = place
        self.size = state.size
        self.same = files.same(source.state, state, file.path) if source is not None and known else 0
        """Bytes at its beginning that are what they were."""
        self.all_same = source is not None and known and source.state.digest == state.digest

    def holds(self, span: Span) -> bool:
        """Say whether a part of the file is what it was, and ends where a row does."""
        if self.all_same:
            return True
        if span.end is None or span.end > self.same or not self.file.grows:
            return False
        return span.end == 0 or _byte(self.file, span.end - 1) == b"\n"


def _byte(file: Found, place: int) -> bytes:
    with file.path.open("rb") as stream:
        stream.seek(place)
        return stream.read(1)


def _holds(entry: Entry, now: Mapping[str, _Now]) -> bool:
    """Say whether a piece is what it would be now; only its last file may have more rows after it."""
    if not all(span.file in now and now[span.file].holds(span) for span in entry.spans):
        return False
    places = [now[span.file].place for span in entry.spans]
    in_a_row = places == list(range(places[0], places[0] + len(places)))
    return in_a_row and all(now[span.file].all_same for span in entry.spans[:-1])


def _cut_off(entry: Entry, pieces: Sequence[Entry], good: Sequence[Entry], now: Mapping[str, _Now]) -> bool:
    """Say whether a piece is of no use, for others of its files have to be read anew."""
    for span in entry.spans:
        own = [each for each in pieces if any(other.file == span.file for other in each.spans)]
        needed = own[: own.index(entry)] if now[span.file].file.grows else own
        if not all(each in good for each in needed):
            return True
    return False


def _rest(now: _Now, taken: Sequence[Span]) -> Found | None:
    """Return what of a file is left to read, None when nothing is."""
    if not taken:
        return now.file
    end, lines = taken[-1].end, taken[-1].lines
    if end is None or end >= now.size:
        return None
    return replace(now.file, offset=end, lines=lines)


def in_order(found: Sequence[Found], taken: Sequence[Entry], new: Sequence[Entry]) -> list[Entry]:
    """Return pieces in the order of the files; what was there before goes first."""
    places = {file.name: i for i, file in enumerate(found)}
    return sorted([*taken, *new], key=lambda entry: places[entry.spans[0].file])  # sorting is stable
