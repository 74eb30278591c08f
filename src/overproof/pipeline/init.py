"""Start a project: write a contract from what the logs hold, for a person to read and mend."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec
import polars as pl

from overproof.contract import FILE, parse
from overproof.core.errors import NotEnoughData, UserError
from overproof.core.store import write
from overproof.core.types import Record
from overproof.core.where import parse as parse_where
from overproof.logs.containers import look
from overproof.logs.detect import detect, readers
from overproof.logs.files import LogFile, expand
from overproof.logs.options import LogSource, PrivacyOptions
from overproof.logs.read import read
from overproof.pipeline.asking import known_price
from overproof.pipeline.labels import find_labels
from overproof.pipeline.refuse import values_of
from overproof.prompts.slices import select
from overproof.tasks.evidence import CUT
from overproof.teacher.options import TeacherOptions

SLICE_VALUES = 8
"""Metadata with more different values than this suggests no slices."""
UNNAMED = "teacher"
"""What a teacher is called whose name stands nowhere in the logs."""


class Started(Record):
    """What `init` wrote."""

    path: str
    teacher: str
    labels: tuple[str, ...]
    exchanges: int
    notes: tuple[str, ...]
    needs: tuple[str, ...]
    """What a person must settle in the contract before the first run."""


def init(name: str, logs: str, teacher: str | None, where: str | None) -> Started:
    """Write `name/overproof.toml` from `logs` (a file or glob) and return what it holds.

    Raises:
        UserError: the contract is there already, or the logs hold no classification task.
    """
    folder = Path(name)
    if (folder / FILE).exists():
        raise UserError(f"{folder / FILE} is there already: name another folder, or mend that file")
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file: name a folder to write {FILE} into")
    exchanges = _of_task(_logged(logs), where)
    found = _most_frequent(exchanges)
    whole = ~pl.col("finish_reason").is_in(CUT).fill_null(value=False)  # a label cut off is no label
    answers = exchanges.filter(_answered_by(teacher or found) & whole)["answer"]
    model = teacher or found or UNNAMED
    if answers.is_empty():
        known = ", ".join(repr(each) for each in exchanges["model"].unique().sort().to_list())
        raise NotEnoughData(f"no call in {logs} was answered by {model!r}; models there: {known}")
    labels = find_labels(answers)
    text = contract_text(
        task_name(folder),
        os.path.relpath(Path(logs).absolute(), folder.absolute()),
        model,
        labels=labels,
        where=where,
        slices=suggested_slices(exchanges),
        gold=exchanges["gold"].is_not_null().any(),
    )
    parse(text.encode())  # what is written must be readable
    write(folder / FILE, text.encode())
    return Started(
        path=str(folder / FILE),
        teacher=model,
        labels=tuple(labels),
        exchanges=exchanges.height,
        notes=_notes(exchanges, answers, labels),
        needs=_needs(exchanges, model),
    )


def task_name(folder: Path) -> str:
    """Return the folder's name with what a task's name cannot hold replaced."""
    return re.sub(r"[^\w .-]", "-", folder.resolve().name).lstrip(". ") or "task"


def _logged(logs: str) -> pl.DataFrame:
    """Read the logs; there is no contract yet that an error could send people to."""
    for path in _files(logs):
        _recognise(path)
    logged = read((LogSource(path=logs),), Path(), PrivacyOptions())
    if logged.exchanges.is_empty():
        reasons = ", ".join(f"{reason} ({n})" for reason, n in logged.summary.reasons.items()) or "they are empty"
        raise NotEnoughData(f"{logs} holds no call that can be read: {reasons}")
    return logged.exchanges


def _files(logs: str) -> list[LogFile]:
    try:
        return expand(logs, Path())
    except UserError as wrong:
        if Path(logs).is_dir():
            raise
        raise UserError(
            f"no file matches {logs!r} in {Path.cwd()}: name a log file, or several as a glob in quotes"
        ) from wrong


def _recognise(path: LogFile) -> None:
    """Raise unless the file is empty or exactly one reader takes it."""
    seen = look(path)
    if not b"".join(seen.head).strip():
        return
    try:
        detect(seen.head, Path(str(path)), readers(), seen.kind)
    except UserError as wrong:
        raise UserError(
            f"{path} is in no format known here, or in several: write one JSON object a line, with `input` and "
            "`output`, or with `request` and `response`; docs/logs.md lists what else is read"
        ) from wrong


def _of_task(exchanges: pl.DataFrame, where: str | None) -> pl.DataFrame:
    if where is None:
        return exchanges
    condition = parse_where(where)
    chosen = exchanges.filter(select(exchanges, condition))
    if chosen.is_empty():
        models = ", ".join(map(repr, exchanges["model"].unique().sort().to_list()))
        there = [f"model is one of {models}"] if "model" in condition.names else []
        if condition.names - {"model"}:
            there.append(values_of(where, exchanges))
        raise NotEnoughData(f"no call matches {where!r}; {'; '.join(there) or 'mend --where'}")
    return chosen


def _answered_by(model: str) -> pl.Expr:
    return ((pl.col("model") == model) | (pl.col("answered_by") == model)) & pl.col("answer").is_not_null()


def _most_frequent(exchanges: pl.DataFrame) -> str:
    return str(exchanges.group_by("model").len().sort("len", "model", descending=[True, False])["model"][0])


def suggested_slices(exchanges: pl.DataFrame) -> list[tuple[str, str]]:
    """Return (name, where) for metadata values that split the traffic into a few large parts."""
    rows = exchanges["metadata"].map_elements(msgspec.json.decode, return_dtype=pl.Object).to_list()
    keys = sorted({key for row in rows for key in row})
    found: list[tuple[str, str]] = []
    for key in keys:
        values = pl.Series([row.get(key) for row in rows], dtype=pl.String).drop_nulls()
        counts = values.value_counts(sort=True, name="n")
        if not 2 <= counts.height <= SLICE_VALUES:
            continue
        found += [(value, f"{key} = '{_quoted(value)}'") for value, n in counts.iter_rows() if n >= 0.05 * len(rows)]
    return found


def _quoted(value: str) -> str:
    """Quote a mined value for SQL: it is data, whatever it contains."""
    return value.replace("'", "''")


def toml_text(value: str) -> str:
    """Quote a mined value for TOML: JSON's escapes are TOML's."""
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")


def contract_text(
    name: str,
    path: str,
    teacher: str,
    *,
    labels: Iterable[str],
    where: str | None,
    slices: Iterable[tuple[str, str]],
    gold: bool,
) -> str:
    """Return a contract with everything a person must decide marked as such."""
    scope = f"where = {toml_text(where)}\n" if where else ""
    listed = "\n".join(f"  {toml_text(label)}," for label in labels)
    parts = "\n".join(
        f"# [[slices]]\n# name = {toml_text(value)}\n# where = {toml_text(condition)}\n# critical = false\n"
        for value, condition in slices
    )
    return f"""\
# What is promised about {toml_text(name)}; all else is derived. `overproof schema` prints what may stand here.

[task]
name = {toml_text(name)}
kind = "classify"
input = "last_user" # what varies from call to call, and what the student sees
{scope}labels = [
{listed}
]

[teacher]
model = {toml_text(teacher)}
# Where to ask for answers the logs do not hold. Left out, only logged answers are used and nothing is bought.
# base_url = "https://api.example.com/v1"
# api_key_env = "TEACHER_API_KEY"
# price = {{ input = 1.25, output = 10.00 }} # dollars per million tokens; looked up by name when left out
terms = "" # write "acknowledged" once you have read that the teacher's terms allow training on its answers

[[logs]]
path = {toml_text(path)}

# Parts of the traffic that matter by themselves; a critical one must be certified, or the teacher goes on answering it.
{parts}
[[bars]]
slice = "all"
metric = "accuracy"
at_least = 0.90 # of the system: the student where it is sure, the teacher elsewhere

# Requests nobody has asked before are where a student can fail unnoticed; repeats flatter the average.
# [[bars]]
# slice = "new"
# metric = "accuracy"
# at_least = 0.88

[risk]
alpha = 0.05 # tolerated share of errors among the requests the student answers

[proof]
confidence = 0.95
reference = "{"gold" if gold else "teacher"}" # what right means: "gold" (see [gold]) or the teacher's own answer

[[students]]
kind = "linear"
name = "words"

[[students]]
kind = "linear"
name = "words+characters"
characters = [2, 5]

[budget]
usd = 0.0 # dollars that may be spent on the teacher
"""


def _notes(exchanges: pl.DataFrame, answers: pl.Series, labels: list[str]) -> tuple[str, ...]:
    stripped = answers.str.strip_chars().is_in(labels)
    off = answers.len() - int(stripped.sum())
    notes = (
        [f"{off} of {answers.len()} answers are not literally a label; filters recover or reject them"] if off else []
    )
    if exchanges["at"].null_count() == exchanges.height:
        notes.append("no timestamps: the windows will be cut by hash, and nothing can be said about the newest traffic")
    others = exchanges["model"].n_unique() - 1
    if others:
        notes.append(
            f"{others} other model(s) answered some calls: nothing is learned from those, and they count as wrong "
            "unless the teacher can be asked (teacher.base_url) or task.where leaves them out (\"model = '...'\")"
        )
    return tuple(notes)


def _needs(exchanges: pl.DataFrame, model: str) -> tuple[str, ...]:
    needs = ["set `terms` once you have read the teacher's"]
    if exchanges["cost_usd"].null_count() == exchanges.height and known_price(TeacherOptions(model=model)) is None:
        needs.append(f"write the teacher's `price`, which neither the logs nor the price library know for {model!r}")
    return (*needs, "settle gold, slices and bars before the first run: the test is read once")
