"""Start a project: write a contract from what the logs hold, for a person to read and mend."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec
import polars as pl

from overproof.contract import FILE, parse
from overproof.core.errors import NotEnoughData, UserError
from overproof.core.store import write
from overproof.core.types import Record
from overproof.core.where import parse as parse_where
from overproof.filters.refusals import declines
from overproof.logs.options import LogSource, PrivacyOptions
from overproof.logs.read import read
from overproof.tasks.classify import Classify

MIN_SHARE = 0.001
"""An answer rarer than this (and rarer than three) is taken for a slip, not a label."""
MAX_LABELS = 500
MAX_LABEL_LENGTH = 80
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


def init(name: str, logs: str, teacher: str | None, where: str | None) -> Started:
    """Write `name/overproof.toml` from `logs` (a file or glob) and return what it holds.

    Raises:
        UserError: the contract is there already, or the logs hold no classification task.
    """
    folder = Path(name)
    if (folder / FILE).exists():
        raise UserError(f"{folder / FILE} is there already: name another folder, or mend that file")
    exchanges = _of_task(read((LogSource(path=logs),), Path(), PrivacyOptions(), None).exchanges, where)
    found = _most_frequent(exchanges)
    answers = exchanges.filter(_answered_by(teacher or found))["answer"]
    model = teacher or found or UNNAMED
    if answers.is_empty():
        known = ", ".join(repr(each) for each in exchanges["model"].unique().sort().to_list())
        raise NotEnoughData(f"no call in {logs} was answered by {model!r}; models there: {known}")
    labels = find_labels(answers)
    if len(labels) < 2:
        raise NotEnoughData(
            f"the answers of {model!r} in {logs} are not a set of labels ({answers.n_unique()} different answers in "
            f"{answers.len()} calls): if the log holds several tasks, pick one with --where \"app = '...'\""
        )
    has_gold = exchanges["gold"].is_not_null().any()
    text = contract_text(
        folder.name,
        os.path.relpath(Path(logs).absolute(), folder.absolute()),
        model,
        labels=labels,
        where=where,
        slices=suggested_slices(exchanges),
        gold=has_gold,
    )
    parse(text.encode())  # what is written must be readable
    write(folder / FILE, text.encode())
    return Started(
        path=str(folder / FILE),
        teacher=model,
        labels=tuple(labels),
        exchanges=exchanges.height,
        notes=_notes(exchanges, answers, labels),
    )


def _of_task(exchanges: pl.DataFrame, where: str | None) -> pl.DataFrame:
    if where is None:
        return exchanges
    parsed = parse_where(where)
    columns = {key: pl.col("metadata").str.json_path_match(f"$['{key}']") for key in parsed.names}
    return exchanges.filter(parsed.expression(columns))


def _answered_by(model: str) -> pl.Expr:
    return ((pl.col("model") == model) | (pl.col("answered_by") == model)) & pl.col("answer").is_not_null()


def _most_frequent(exchanges: pl.DataFrame) -> str:
    if exchanges.is_empty():
        raise NotEnoughData("the logs hold no call of this task")
    return str(exchanges.group_by("model").len().sort("len", "model", descending=[True, False])["model"][0])


def find_labels(answers: pl.Series) -> list[str]:
    """Return the answers that are labels: short, repeated, no refusal, not a frequent one written otherwise."""
    counts = answers.str.strip_chars().value_counts(sort=True, name="n")
    enough = max(3, MIN_SHARE * answers.len())
    frequent = [text for text, n in counts.iter_rows() if n >= enough and 0 < len(text) <= MAX_LABEL_LENGTH]
    labels: list[str] = []
    for text in frequent:
        if declines(text) or "\n" in text:
            continue
        if labels and Classify(labels=tuple(labels)).read(text).answer is not None:
            continue
        labels.append(text)
    covered = answers.str.strip_chars().is_in(labels).mean()
    return labels if len(labels) <= MAX_LABELS and isinstance(covered, float) and covered > 0.5 else []


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
        notes.append(f"{others} other model(s) answered some calls; their answers are not learned from")
    return tuple(notes)
