"""Make the stage `logs`: every row read once, masked and kept piece by piece; what was read before is taken over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from importlib.metadata import version

import polars as pl

from overproof.core.chance import canonical, digest
from overproof.core.errors import UserError
from overproof.core.protocols import Joining
from overproof.core.store import Making, write_json
from overproof.logs.find import Found, find
from overproof.logs.pieces import Piece
from overproof.logs.read import finishing, ordered, refuse_unmatched, resolve, summarise
from overproof.logs.redact import mask_names
from overproof.logs.stream import in_pieces
from overproof.pipeline import again, files, stages, tombstones
from overproof.pipeline.files import State
from overproof.pipeline.kept import Entry, Kept, Shelf, Source
from overproof.pipeline.masking import people_of
from overproof.pipeline.progress import Listener
from overproof.pipeline.project import Project


def make_logs(project: Project, making: Making, listen: Listener) -> None:
    """Keep every row of the files as an exchange, or set aside with its reason."""
    contract, root = project.contract, project.root
    expected, states = project.keys["files"], files.remembered(project.files)
    found = find(contract.logs, root)
    sources = {
        file.name: Source(state=states[files.name_of(file.path, root)], format=file.format, kind=file.kind)
        for file in found
    }
    made_by = _made_by(project, states)
    shelf = Shelf(making.folder)
    taken, left = _taken(project, shelf, found, sources, made_by)
    joined: Counter[str] = Counter()
    read = in_pieces(left, finishing(contract.privacy, contract.gold, root), joined, partial(listen.step, "logs"))
    new = [shelf.put(piece) for piece in _without(project, read)]
    if files.fingerprint(contract, root, project.files) != expected:
        raise UserError("a log changed while it was being read: run again, or give a copy of it")
    entries = tuple(again.in_order(found, taken, new))
    exchanges, set_aside = _settled(project, shelf, found, entries, joined)
    shelf.close(Kept(made_by=made_by, sources=sources, pieces=entries))
    making.digests.update(shelf.digests)
    making.summary = {"exchanges": exchanges, "set_aside": set_aside}


def _made_by(project: Project, states: Mapping[str, State]) -> str:
    """Return a digest of all that decides what becomes of a row, its file aside."""
    contract, root = project.contract, project.root
    gold = contract.gold
    answers = [] if gold is None else [states[files.name_of(path, root)].digest for path in files.gold(gold.path, root)]
    matched = None if gold is None else [gold.on, gold.field]
    versions = [version("overproof"), stages.STAGES[0].version, pl.__version__]  # hashes hold for one version of Polars
    return digest(canonical([versions, contract.privacy, matched, answers]))


def _taken(
    project: Project, shelf: Shelf, found: Sequence[Found], sources: Mapping[str, Source], made_by: str
) -> tuple[list[Entry], list[Found]]:
    """Take over what an older artefact holds; return that, and what is left to read."""
    before = None if "logs" in project.again else again.before(project.store, made_by)
    if before is None or any(isinstance(file.reader, Joining) for file in found):  # one call may lie in several files
        return [], list(found)
    good, left = again.unchanged(before.kept, found, {name: source.state for name, source in sources.items()})
    for entry in good:
        shelf.take(entry, before.folder, before.manifest.files)
    return good, left


def _without(project: Project, pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield pieces without those who are forgotten, and without names where the contract wants them masked."""
    stones, people = tombstones.load(project.forgotten), people_of(project)
    for piece in pieces:
        if not stones and people is None:
            yield piece
            continue
        rows, set_aside = tombstones.without(piece.table(), piece.set_aside, stones)
        masked = piece.redacted
        if people is not None:
            rows, named = mask_names(rows, people)
            set_aside = tombstones.blank(set_aside)  # what nobody could read is no writing to find names in
            masked = masked | named
        yield replace(piece, rows=rows, set_aside=set_aside, redacted=masked)


def _settled(
    project: Project, shelf: Shelf, found: Sequence[Found], entries: Sequence[Entry], joined: Counter[str]
) -> tuple[int, int]:
    """Settle what depends on other rows, and write the account; return how many are exchanges and how many are not."""
    with ThreadPoolExecutor(2) as pool:
        marks = list(pool.map(shelf.marks, entries))
    heights = [each.height for each in marks]
    resolved = resolve(pl.concat(marks), partial(shelf.look, entries, heights))
    set_aside = ordered(found, [*map(shelf.set_aside, entries), resolved.set_aside])
    summary = summarise(found, entries, joined, resolved, set_aside)
    if project.contract.gold is not None:
        refuse_unmatched(project.contract.gold, summary)
    shelf.settle(resolved.changes)
    if tombstones.load(project.forgotten):
        set_aside = tombstones.blank(set_aside)
    set_aside.write_parquet(shelf.folder / "set_aside.parquet")
    write_json(shelf.folder / "summary.json", summary)
    return sum(heights) - resolved.set_aside.height, set_aside.height
