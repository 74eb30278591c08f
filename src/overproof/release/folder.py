"""A release on disk: the student, its threshold, the contract, the proof; every byte under a checksum, none of it code.

    release.json     what it is: candidate, calibration, verdicts, lineage
    contract.toml    as the user wrote it
    student/         what the student saved
    topics.safetensors  what topics mean, where a slice speaks of them
    checksums.json   a digest for each of the files above

A release is loaded by the name of its kind, through the operator's plug-ins; it cannot name a class to import. Its id
is the digest of its checksums: whoever wrote that id down can tell that nothing was exchanged.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import msgspec

from overproof.core import chance, plugins
from overproof.core.errors import ReleaseCorrupt, UserError
from overproof.core.protocols import Student, StudentKind
from overproof.core.store import file_digest, write, write_json
from overproof.core.types import Calibration, Candidate, Confidence, Prediction, PromptId, Record, Verdict
from overproof.models.topic_file import FILE as TOPICS
from overproof.tasks.names import Names, same
from overproof.tasks.redact import redact_record

if TYPE_CHECKING:
    from overproof.models.topics import Topics

FORMAT = 1
RECORD, CONTRACT, STUDENT, CHECKSUMS = "release.json", "contract.toml", "student", "checksums.json"
HARMLESS = frozenset(
    {".json", ".jsonl", ".toml", ".txt", ".csv", ".tsv", ".vocab", ".npy", ".safetensors", ".onnx", ".skops"}
)
"""Kinds of files that hold data and cannot hold code (NumPy reads no pickle out of `.npy` unless told to)."""


class ReleaseRecord(Record):
    """What a release is, and what was proven about it."""

    format: int = FORMAT
    name: str
    kind: str
    """Name of the student's plug-in."""
    labels: tuple[str, ...]
    calibration: Calibration
    verdicts: tuple[Verdict, ...]
    lineage: dict[str, str]
    """What it was made from: keys of the artefacts, the prompt set, the decision."""
    redact: bool = True
    """Whether the texts it learned from and was proven on were masked: then those it answers are masked too."""
    names: dict[str, str] = {}
    """By language, the model and version that masked names in those texts; empty when names were not masked."""
    prompt_set: int | None = None
    """Number of the prompt set it learned from, in its project (`overproof prompts`); its key stands in `lineage`."""


@dataclass(frozen=True)
class LoadedRelease:
    """A release whose every file was checked, ready to answer."""

    id: str
    record: ReleaseRecord
    contract: bytes
    student: Student
    people: Names | None = None
    """What masks names, where names were masked."""
    meant: Topics | None = None
    """What topics mean, where a slice speaks of them."""

    @property
    def always_teacher(self) -> tuple[str, ...]:
        """Names of the slices nothing was proven in; `answer` leaves them to the teacher if it is told slices."""
        return self.record.calibration.always_teacher

    def answer(
        self, inputs: Mapping[str, str] | Sequence[str], slices: Sequence[Collection[str]] | None = None
    ) -> tuple[Prediction, ...]:
        """Return the student's answer to each input: null where the teacher must answer.

        `inputs` are texts by prompt id, or texts alone, whose ids are then "0", "1", ... They are the part of a request
        that the contract's `task.input` names, as they came in: they are masked here, as the logs were. `slices` are
        the names of the slices each request stands in, in the same order: each critical slice then has the threshold
        it was proven at, and the teacher has those that nothing was proven in. Without them the strictest threshold of
        all is held against everything, and `always_teacher` is the caller's part.

        Raises:
            TypeError: a single text, which Python would take for a sequence of letters; or a slice's name, likewise.
            ValueError: not one set of slices for each input.
        """
        from overproof.proof.confidence import shifted
        from overproof.tasks.answering import answers

        if isinstance(inputs, str):
            raise TypeError("answer takes several texts: put a single one in a list")
        named = inputs if isinstance(inputs, Mapping) else {str(i): text for i, text in enumerate(inputs)}
        calibration = self.record.calibration
        said = answers(self.student, [self._seen(text) for text in named.values()], calibration.confidence)
        held = shifted(said.sure, self._shifts(slices, len(named)))
        closed = [False] * len(named) if slices is None else [self._closed(each) for each in slices]
        threshold = 2.0 if calibration.threshold is None else calibration.threshold
        return tuple(
            Prediction(
                prompt_id=PromptId(key),
                answer=self.student.labels[label] if certain and not left else None,
                confidence=sure,
            )
            for key, label, sure, certain, left in zip(
                named, said.best.tolist(), said.sure.tolist(), (held >= threshold).tolist(), closed, strict=True
            )
        )

    def topics(self, inputs: Sequence[str]) -> tuple[str, ...]:
        """Return what each input is about, "" where that is unclear: what conditions over `topic` are held against.

        `inputs` are as `answer` takes them. Each has the topic it had in training and proof, whatever stands beside it.

        Raises:
            TypeError: a single text.
            UserError: no slice of this release speaks of topics, so it knows none.
        """
        if isinstance(inputs, str):
            raise TypeError("topics takes several texts: put a single one in a list")
        if self.meant is None:
            raise UserError("no slice of this release speaks of topics, so it knows none")
        return tuple(self.meant.named([self._seen(text) for text in inputs]).to_list())

    def _closed(self, slices: Collection[str]) -> bool:
        return not set(self.always_teacher).isdisjoint(slices)

    def _shifts(self, slices: Sequence[Collection[str]] | None, n: int) -> list[float]:
        """Return the log-odds by which each request's confidence is moved: the lowest of its slices."""
        known = self.record.calibration.shifts
        if slices is None:
            return [min(0.0, *known.values())] * n if known else [0.0] * n
        if len(slices) != n:
            raise ValueError(f"{n} inputs have slices for {len(slices)}: give one collection of names for each")
        if any(isinstance(each, str) for each in slices):
            raise TypeError("each request's slices are a collection of names: put a single one in a list")
        return [min((known[name] for name in each if name in known), default=0.0) for each in slices]

    def _seen(self, text: str) -> str:
        """Return what the student sees of a text: what it would have seen had the text come from the logs."""
        return redact_record([text], self.people)[0][0] if self.record.redact else text


def write_release(
    folder: str | Path,
    candidate: Candidate,
    *,
    labels: Sequence[str],
    contract_toml: bytes,
    lineage: Mapping[str, str],
    save: Callable[[Path], None],
    redact: bool = True,
    names: Mapping[str, str] | None = None,
    topics: Topics | None = None,
    prompt_set: int | None = None,
) -> str:
    """Write a release and return its id; `save` is the student's own. The folder appears whole or not at all.

    `redact` says whether the logs were masked (`privacy.redact`), and so whether the release masks what it answers;
    `names` what masked names of people and places, by language (`privacy.names`); `topics` what topics mean, where a
    slice speaks of them; `prompt_set` the number of the prompt set that the student learned from.

    Raises:
        UserError: there is something at `folder`, or the student saved a file of a kind that could hold code.
    """
    folder = Path(folder)
    if folder.exists():
        raise UserError(f"there is a release at {folder} already: releases are never overwritten")
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        (draft / STUDENT).mkdir(parents=True)
        save(draft / STUDENT)
        write(draft / CONTRACT, contract_toml)
        if topics is not None:
            write(draft / TOPICS, topics.file())
        record = _record(candidate, labels, lineage, redact=redact, names=names or {}, prompt_set=prompt_set)
        write_json(draft / RECORD, record)
        files = {name: file_digest(draft / name) for name in _files(draft)}
        for name in files:
            if PurePosixPath(name).suffix not in HARMLESS:
                raise UserError(
                    f"student {candidate.kind!r} saved {name!r}: a release holds {', '.join(sorted(HARMLESS))}"
                )
        write_json(draft / CHECKSUMS, files)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return _identity(files)


def load(
    folder: str | Path, kinds: Mapping[str, StudentKind] | None = None, expected_id: str | None = None
) -> LoadedRelease:
    """Return the release in `folder` after every file was checked.

    `kinds` are the students the operator allows, by name; None allows those installed as plug-ins, and nothing else: a
    release that names a `module:Class` is refused. `expected_id` is the id noted when it was written.

    Raises:
        ReleaseCorrupt: a file is missing, changed, additional or outside the folder; the text names it.
        UserError: nothing there, made by a newer version, its kind is not allowed here, or what masked names in the
            texts it was proven on is not installed here.
    """
    folder = Path(folder)
    found = _verified(folder)
    if expected_id is not None and found != expected_id:
        raise ReleaseCorrupt(f"{folder}: this is release {found}, not {expected_id}")
    try:
        record = msgspec.json.decode((folder / RECORD).read_bytes(), type=ReleaseRecord)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise ReleaseCorrupt(f"{folder / RECORD}: {wrong}") from wrong
    if record.format != FORMAT:
        raise UserError(f"{folder} has release format {record.format}, this version reads {FORMAT}: upgrade overproof")
    _refuse_confidence(folder, record.calibration.confidence)
    people = same(record.names) if record.redact and record.names else None
    student = _kind(record.kind, kinds).load(folder / STUDENT)
    if tuple(student.labels) != record.labels:
        raise ReleaseCorrupt(f"{folder / STUDENT}: knows other labels than {RECORD} says")
    return LoadedRelease(found, record, (folder / CONTRACT).read_bytes(), student, people, _topics(folder))


def _topics(folder: Path) -> Topics | None:
    """Return what topics mean to the release, whose files were checked; None where it has none."""
    if not (folder / TOPICS).exists():
        return None
    from overproof.models.topics import read  # a table library, which only such a release needs

    try:
        return read((folder / TOPICS).read_bytes())
    except ValueError as wrong:
        raise ReleaseCorrupt(f"{folder / TOPICS}: {wrong}") from wrong


def _record(
    candidate: Candidate,
    labels: Sequence[str],
    lineage: Mapping[str, str],
    *,
    redact: bool,
    names: Mapping[str, str],
    prompt_set: int | None,
) -> ReleaseRecord:
    return ReleaseRecord(
        name=candidate.name,
        kind=candidate.kind,
        labels=tuple(labels),
        calibration=candidate.calibration,
        verdicts=candidate.verdicts,
        lineage=dict(lineage),
        redact=redact,
        names=dict(names),
        prompt_set=prompt_set,
    )


def _kind(name: str, kinds: Mapping[str, StudentKind] | None) -> StudentKind:
    if kinds is not None:
        if name not in kinds:
            raise UserError(
                f"this release needs student kind {name!r}; allowed here: {', '.join(sorted(kinds)) or 'none'}"
            )
        return kinds[name]
    if name not in plugins.names("students"):  # before `find`, which would import a module:Class
        raise UserError(f"this release needs student kind {name!r}, which is not installed here")
    found: StudentKind = plugins.build("students", {"kind": name}, key="kind", where="the release")
    return found


def _refuse_confidence(folder: Path, confidence: Confidence) -> None:
    from overproof.proof.confidence import check  # numpy, which only a loaded release needs

    if confidence.kind == "head":
        try:
            check(confidence)
        except ValueError as wrong:
            raise ReleaseCorrupt(f"{folder / RECORD}: {wrong}") from wrong


def _files(folder: Path) -> list[str]:
    return sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*") if not each.is_dir())


def _verified(folder: Path) -> str:
    """Return the release's id after holding every file against its checksum."""
    if not (folder / CHECKSUMS).is_file():
        raise UserError(f"there is no release at {folder}: {CHECKSUMS} is missing")
    try:
        files = msgspec.json.decode((folder / CHECKSUMS).read_bytes(), type=dict[str, str])
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise ReleaseCorrupt(f"{folder / CHECKSUMS}: {wrong}") from wrong
    for name in files:
        _refuse_outside(folder, name)
    for name in sorted({RECORD, CONTRACT} | files.keys()):
        if not (folder / name).is_file() or name not in files:
            raise ReleaseCorrupt(f"{folder / name} is missing")
        if file_digest(folder / name) != files[name]:
            raise ReleaseCorrupt(f"{folder / name} is not the file that was proven")
    for name in _files(folder):
        _refuse_outside(folder, name)
        if name not in files and name != CHECKSUMS:
            raise ReleaseCorrupt(f"{folder / name} is not part of the release")
    return _identity(files)


def _refuse_outside(folder: Path, name: str) -> None:
    """A name must be a plain relative path to a real file inside: no `..`, no root, no link."""
    path = PurePosixPath(name)
    steps = [folder.joinpath(*path.parts[: i + 1]) for i in range(len(path.parts))]
    if path.is_absolute() or ".." in path.parts or "\\" in name or path.as_posix() != name:
        raise ReleaseCorrupt(f"{folder}: {name!r} is not a name inside the release")
    if any(step.is_symlink() for step in steps):
        raise ReleaseCorrupt(f"{folder / name} is a link, and a release holds none")


def _identity(files: Mapping[str, str]) -> str:
    return chance.digest(chance.canonical(dict(files)), size=10)
