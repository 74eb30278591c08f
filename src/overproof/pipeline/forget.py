"""Forget a person: their calls, what was made of them, and the answers bought for them; the log files are the user's.

Everything is rewritten to a neighbour and renamed, what others are found by last: killed halfway, run again.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import polars as pl

from overproof.core.errors import UserError
from overproof.core.store import MANIFEST, file_digest, write, write_json
from overproof.core.types import Manifest, Record
from overproof.models import journal
from overproof.pipeline import kept, memory, tombstones, topics, versions
from overproof.pipeline.data import SENDERS
from overproof.pipeline.project import Project
from overproof.pipeline.run import Outcome, only_one
from overproof.pipeline.stages import NAMES
from overproof.pipeline.suggesting import FILE as SUGGESTED
from overproof.pipeline.tombstones import Tombstone

STAGES_FIRST = tuple(name for name in NAMES if name not in ("prompts", "logs"))
LAST = {"requests.parquet", kept.EXCHANGES}
NEEDS = {"prompts": "logs", **dict.fromkeys(("teacher", "filters", "baselines", "students"), "prompts")}
"""What an artefact must still have been made from for anybody to tell whose rows it holds."""


class Forgotten(Record):
    """What was removed, and what cannot be taken out of what has learned."""

    calls: int
    """In the newest records; older ones are not added up."""
    prompts: int
    """Distinct requests that nobody else had made."""
    rows: dict[str, int]
    """Rows removed from tables, by stage and file; every artefact counts."""
    answers: int
    """Bought answers removed from the caches."""
    unknown_answers: int
    """Bought answers of which nobody can tell for whom they were: an earlier version kept them. They stay."""
    shown: int
    """Examples taken out of reports."""
    students: tuple[str, ...]
    """Fitted students that had learned from them, and are removed."""
    releases: tuple[str, ...]
    """Releases that had learned from them. They stay as they were proven: delete them, or prove new ones."""
    unsure_releases: tuple[str, ...] = ()
    """Releases of which nobody can tell any more: what they learned from is gone."""


@dataclass(frozen=True)
class _Theirs:
    """What is theirs and nobody else's."""

    users: tuple[str, ...]
    calls: frozenset[str]
    prompts: frozenset[str]
    texts: frozenset[str]
    """Of these prompts."""
    of_others: frozenset[str]
    """Texts that somebody else had sent: nothing else may be shown."""


def forget(root: Path | str, user: str) -> Forgotten:
    """Remove `user`, by the id the logs give them, from all that lies in the project but its logs and releases.

    Raises:
        UserError: no project is there, or a run is at work in it.
    """
    project = Project(root)
    _ = project.contract_bytes  # says so when there is no project
    if not user.strip():
        raise UserError("forget whom? --user takes the id that the logs give them")
    with only_one(project):
        return _forget(project, user)


def _forget(project: Project, user: str) -> Forgotten:
    _swept(project)
    theirs, calls = _theirs(project, user)
    stone = _entombed(project, user, theirs)
    rows: Counter[str] = Counter()
    answers, unknown = _answers(project, theirs)
    for folder in topics.forget(project, theirs.texts, theirs.of_others):
        _resealed(folder)
    if theirs.calls:
        _suggestions(project)
    shown = _stories(project, theirs)
    for name in stone.students:
        shutil.rmtree(project.store.root / "fitted" / name, ignore_errors=True)
    shutil.rmtree(project.store.root / "workshop", ignore_errors=True)
    for stage in (*STAGES_FIRST, "prompts"):
        _tables(project, stage, theirs, rows)
    _assignments(project, theirs)
    for stage in _others(project):
        _tables_in(project.store.root / stage, stage, theirs, rows)
    _tables(project, "logs", theirs, rows)
    _tables(project, "prompts", theirs, rows, senders=True)  # last: a set may have outlived its records
    releases = {name: made_from.get("filters", "") for name, made_from in versions.lineages(project)}
    return Forgotten(
        calls=calls,
        prompts=len(theirs.prompts),
        rows=dict(sorted(rows.items())),
        answers=answers,
        unknown_answers=unknown,
        shown=shown,
        students=stone.students,
        releases=tuple(name for name in releases if name in stone.releases),
        unsure_releases=tuple(
            name
            for name, filters in releases.items()
            if name not in stone.releases and not _there(project, "filters", filters)
        ),
    )


# --- what is theirs ---------------------------------------------------------------------------------------------------


def _theirs(project: Project, user: str) -> tuple[_Theirs, int]:
    """Return what is theirs over all artefacts, and how many calls the newest records hold."""
    _drop_orphans(project)
    names = tombstones.names_of(user)
    calls: set[str] = set()
    counts = [0]
    asked: set[str] = set()
    others: set[str] = set()
    sent: dict[str, str] = {}
    for logs in _folders(project, "logs"):
        table = kept.exchanges(logs, ["id", "user"])
        mine = set(table.filter(pl.col("user").is_in(names))["id"])
        counts.append(len(mine))
        calls |= mine
    for folder in _folders(project, "prompts"):
        mine = set(_senders(project, folder).filter(pl.col("user").is_in(names))["id"])
        calls |= mine
        requests = pl.read_parquet(folder / "requests.parquet", columns=["id", "prompt_id"])
        own = pl.col("id").is_in(list(mine))
        asked |= set(requests.filter(own)["prompt_id"])
        others |= set(requests.filter(~own)["prompt_id"])
        sent |= dict(pl.read_parquet(folder / "prompts.parquet", columns=["id", "input"]).iter_rows())
    only = frozenset(asked - others)
    texts = frozenset(text for name, text in sent.items() if name in only)
    of_others = frozenset(text for name, text in sent.items() if name not in only)
    return _Theirs(names, frozenset(calls), only, texts, of_others), counts[-1]


def _senders(project: Project, prompts: Path) -> pl.DataFrame:
    """Return `id` and `user` of the requests of a prompt set."""
    if (prompts / SENDERS).is_file():
        return pl.read_parquet(prompts / SENDERS)
    return kept.exchanges(project.store.folder("logs", _manifest(prompts).inputs["logs"]), ["id", "user"])


def _drop_orphans(project: Project) -> None:
    """Remove older artefacts of which nobody can tell any more whose rows they hold."""
    for stage in ("prompts", *STAGES_FIRST):
        for folder in _folders(project, stage):
            source = None if (folder / SENDERS).is_file() else NEEDS.get(stage)
            if source and not _there(project, source, _manifest(folder).inputs.get(source, "")):
                shutil.rmtree(folder)


def _entombed(project: Project, user: str, theirs: _Theirs) -> Tombstone:
    """Note whom no later run may read, and what has learned from them, while the records still tell."""
    marks = tombstones.marks_of(user)
    before = [stone for stone in tombstones.load(project.forgotten) if stone.names == marks]
    taught = {folder.name for folder in _folders(project, "filters") if _taught(folder, theirs)}
    students = {name for name, filters in _fitted(project) if filters in taught}
    releases = {name for name, made_from in versions.lineages(project) if made_from.get("filters") in taught}
    stone = Tombstone(
        names=marks,
        at=datetime.now(UTC),
        students=tuple(sorted(students.union(*(each.students for each in before)))),
        releases=tuple(sorted(releases.union(*(each.releases for each in before)))),
    )
    if not any(msgspec.structs.replace(each, at=stone.at) == stone for each in before):
        tombstones.append(project.forgotten, stone)
    return stone


def _taught(filters: Path, theirs: _Theirs) -> bool:
    examples = pl.read_parquet(filters / "examples.parquet", columns=["prompt_id"])
    return examples["prompt_id"].is_in(list(theirs.prompts)).any()


def _fitted(project: Project) -> Iterator[tuple[str, str]]:
    """Yield each fitted student, and the key of the examples it learned from."""
    for path in sorted((project.store.root / "fitted").glob(f"*/*/{MANIFEST}")):
        yield (
            path.parent.relative_to(project.store.root / "fitted").as_posix(),
            _manifest(path.parent).inputs["filters"],
        )


# --- removing ---------------------------------------------------------------------------------------------------------


def _tables(project: Project, stage: str, theirs: _Theirs, rows: Counter[str], *, senders: bool = False) -> None:
    """Take their rows out of every table of a stage's artefacts but who sent what; with `senders` out of that alone."""
    for folder in _folders(project, stage):
        if _tables_in(folder, stage, theirs, rows, senders=senders):
            _resealed(folder)


def _tables_in(folder: Path, what: str, theirs: _Theirs, rows: Counter[str], *, senders: bool = False) -> bool:
    """Take their rows out of every table in a folder, those by which others are found last; say whether any changed."""
    changed = False
    tables = [path for path in folder.rglob("*.parquet") if (path.name == SENDERS) == senders]
    for path in sorted(tables, key=lambda each: not LAST.isdisjoint(each.parts)):
        table = pl.read_parquet(path)
        kept = _kept(table, path.parent, theirs)
        if not kept.equals(table):
            _write(path, kept)
            rows[f"{what}/{path.relative_to(folder).parts[0]}"] += table.height - kept.height
            changed = True
    return changed


def _others(project: Project) -> list[str]:
    """Return the folders that are no stage's: whatever tables lie there are gone through by their columns."""
    found = (path.name for path in project.store.root.iterdir() if path.is_dir())
    return sorted(name for name in found if name not in (*NAMES, "fitted", project.answers.name))


def _kept(table: pl.DataFrame, folder: Path, theirs: _Theirs) -> pl.DataFrame:
    """Return what of a table is not theirs, by whichever columns tell."""
    columns = set(table.columns)
    if "excerpt" in columns:
        return tombstones.blank(table)
    if {"id", "input", "seen"} <= columns:
        return _prompts(table, folder, theirs)
    for known, gone in (
        ({"user"}, theirs.users),
        ({"id", "prompt_id"}, theirs.calls),
        ({"request_id"}, theirs.calls),
        ({"prompt_id"}, theirs.prompts),
    ):
        if known <= columns:
            return table.filter(~pl.col(min(known)).is_in(list(gone)).fill_null(value=False))
    return table


def _prompts(prompts: pl.DataFrame, folder: Path, theirs: _Theirs) -> pl.DataFrame:
    """Return the prompts that others made too, with what others said beside them."""
    requests = pl.read_parquet(folder / "requests.parquet", columns=["id", "prompt_id", "metadata"])
    left = requests.filter(~pl.col("id").is_in(list(theirs.calls)))
    if left.height == requests.height:
        return prompts
    said = left.group_by("prompt_id").agg(pl.col("metadata").first(), seen=pl.len().cast(prompts.schema["seen"]))
    kept = prompts.drop("metadata", "seen").join(
        said, left_on="id", right_on="prompt_id", how="inner", maintain_order="left"
    )
    return kept.select(prompts.columns)


def _answers(project: Project, theirs: _Theirs) -> tuple[int, int]:
    """Take out what was bought for them; return how many answers those were, and of how many nobody can tell."""
    gone = unknown = 0
    for path in sorted(project.answers.glob("*.jsonl")):
        kept, taken = journal.prune(path, lambda entry: entry.about not in theirs.prompts)
        gone += taken
        unknown += sum(not entry.about for entry in kept)
    return gone, unknown


def _stories(project: Project, theirs: _Theirs) -> int:
    """Take their examples out of every report, the one people read included."""
    from overproof.report.page import render
    from overproof.report.story import Story
    from overproof.report.summary import summary

    gone = 0
    project.report.unlink(missing_ok=True)
    for folder in _folders(project, "report"):
        try:
            story = msgspec.json.decode((folder / "story.json").read_bytes(), type=Story)
        except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
            shutil.rmtree(folder)  # another version's: nobody can tell what it shows
            continue
        kept = tuple(each for each in story.examples if each.input in theirs.of_others or not each.input)
        suggestions = None if theirs.calls else story.suggestions
        told = msgspec.structs.replace(story, examples=kept, suggestions=suggestions)
        if told != story:
            gone += len(story.examples) - len(kept)
            write(folder / "report.html", render(told).encode())
            write(folder / "summary.txt", summary(told).encode())
            write_json(folder / "suggested.json", ())
            write_json(folder / "story.json", told)
            _resealed(folder)
        write(project.report, (folder / "report.html").read_bytes())  # the newest comes last
    return gone


def _suggestions(project: Project) -> None:
    """Take out the slices that were suggested: they name words and values of whoever stood in the logs.

    They are found again when `calibrate` is next made.
    """
    for folder in _folders(project, "calibrate"):
        write_json(folder / SUGGESTED, ())
        _resealed(folder)
    if not project.last.exists():
        return
    try:
        last = msgspec.json.decode(project.last.read_bytes(), type=Outcome)
    except (msgspec.DecodeError, UnicodeDecodeError):
        project.last.unlink()  # another version's: nobody can tell what it says
        return
    lines = [line for line in last.summary.splitlines(keepends=True) if not line.startswith("suggests")]
    write_json(project.last, msgspec.structs.replace(last, suggested=(), summary="".join(lines)))


def _assignments(project: Project, theirs: _Theirs) -> None:
    """Take their calls out of what decisions have fixed, and let everything that names the table follow it."""
    if not project.assignments.exists():
        return
    table = pl.read_parquet(project.assignments)
    kept = table.filter(~pl.col("request_id").is_in(list(theirs.calls)))
    if kept.height < table.height:
        _write(project.assignments, kept)
    memory.follow(project)


def _swept(project: Project) -> None:
    """Remove what killed runs left half done: nobody is at work on it."""
    for left in sorted(project.store.root.rglob(".*"), reverse=True):  # what lies in a folder goes before it
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    for left in (*project.root.glob(f".{project.report.name}.*"), project.assignments.with_suffix(".new")):
        left.unlink(missing_ok=True)


# --- files ------------------------------------------------------------------------------------------------------------


def _folders(project: Project, stage: str) -> list[Path]:
    """Return a stage's artefacts, oldest first."""
    made = [path.parent for path in (project.store.root / stage).glob(f"*/{MANIFEST}")]
    return sorted(made, key=lambda each: _manifest(each).made_at)


def _there(project: Project, stage: str, key: str) -> bool:
    return bool(key) and (project.store.folder(stage, key) / MANIFEST).is_file()


def _manifest(folder: Path) -> Manifest:
    return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)


def _resealed(folder: Path) -> None:
    """Let the manifest tell the digests of the files as they are now; when it was made stays."""
    manifest = _manifest(folder)
    files = {name: file_digest(folder / name) for name in manifest.files if (folder / name).is_file()}
    write_json(folder / MANIFEST, msgspec.structs.replace(manifest, files=files))


def _write(path: Path, table: pl.DataFrame) -> None:
    neighbour = path.with_name(f".{path.name}.new")
    table.write_parquet(neighbour)
    neighbour.replace(path)
