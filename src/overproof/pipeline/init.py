"""Start a project: write a contract from what the logs hold, for a person to read and mend."""

from __future__ import annotations

import os
import re
from pathlib import Path

import polars as pl

from overproof.contract import FILE, parse
from overproof.core.errors import NotEnoughData, UserError
from overproof.core.store import write
from overproof.core.types import Record
from overproof.core.where import parse as parse_where
from overproof.logs.account import told
from overproof.pipeline.asking import known_price
from overproof.pipeline.drafting import Draft, suggested_slices
from overproof.pipeline.first_look import logged
from overproof.pipeline.labels import find_labels
from overproof.pipeline.plugged import NOT_YET
from overproof.pipeline.refuse import values_of
from overproof.pipeline.scope import Scope, discovered, several_tasks, whole
from overproof.prompts.slices import select
from overproof.tasks.evidence import CUT
from overproof.teacher.options import TeacherOptions

UNNAMED = "teacher"
"""What a teacher is called whose name stands nowhere in the logs."""


class Started(Record):
    """What `init` wrote."""

    path: str
    kind: str
    teacher: str
    labels: tuple[str, ...]
    exchanges: int
    notes: tuple[str, ...]
    needs: tuple[str, ...]
    """What a person must settle in the contract before the first run."""
    warning: str | None = None
    """Why the contract may be about more calls than were meant."""


def init(name: str, logs: str, teacher: str | None, where: str | None, task: int | None = None) -> Started:
    """Write `name/overproof.toml` from `logs` (a file or glob) and return what it holds.

    `where` tells one task from others by metadata; or `task` is a number that `overproof discover` gives one.

    Raises:
        UserError: the contract is there already, or the logs hold no such task, or none that classifies.
    """
    folder = Path(name)
    if (folder / FILE).exists():
        raise UserError(f"{folder / FILE} is there already: name another folder, or mend that file")
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file: name a folder to write {FILE} into")
    if task is not None and where is not None:
        raise UserError("--task and --where both say which calls are meant: give one of them")
    held = logged(logs)
    exchanges = held.exchanges
    chosen = discovered(exchanges, task) if task is not None else whole(_of_task(exchanges, where), where)
    found = _most_frequent(chosen.rows)
    model = teacher or found or UNNAMED
    uncut = ~pl.col("finish_reason").is_in(CUT).fill_null(value=False)  # a label cut off is no label
    answers = chosen.rows.filter(_answered_by(teacher or found) & uncut)["answer"]
    if answers.is_empty():
        known = ", ".join(repr(each) for each in chosen.rows["model"].unique().sort().to_list())
        raise NotEnoughData(f"no call in {logs} was answered by {model!r}; models there: {known}")
    labels = find_labels(answers) if chosen.kind == "classify" else []
    draft = Draft(
        name=task_name(folder),
        logs=os.path.relpath(Path(logs).absolute(), folder.absolute()),
        teacher=model,
        scope=chosen,
        labels=labels,
        slices=suggested_slices(chosen.rows, chosen.input),
        gold=chosen.rows["gold"].is_not_null().any(),
    )
    text = draft.text()
    parse(text.encode())  # what is written must be readable
    write(folder / FILE, text.encode())
    return Started(
        path=str(folder / FILE),
        kind=chosen.kind,
        teacher=model,
        labels=tuple(labels),
        exchanges=chosen.rows.height,
        notes=(*told(held.summary, held.set_aside), *chosen.notes, *_notes(chosen.rows, answers, labels)),
        warning=several_tasks(chosen.rows, labels, logs) if task is None and where is None else None,
        needs=_needs(chosen, model),
    )


def task_name(folder: Path) -> str:
    """Return the folder's name with what a task's name cannot hold replaced."""
    return re.sub(r"[^\w .-]", "-", folder.resolve().name).lstrip(". ") or "task"


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


def _notes(exchanges: pl.DataFrame, answers: pl.Series, labels: list[str]) -> tuple[str, ...]:
    stripped = answers.str.strip_chars().is_in(labels)
    off = answers.len() - int(stripped.sum()) if labels else 0
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


def _needs(chosen: Scope, model: str) -> tuple[str, ...]:
    exchanges, needs = chosen.rows, []
    if chosen.kind in NOT_YET:
        needs.append(f"wait: {chosen.kind!r} tasks can be written down, but this version runs only 'classify'")
    needs.append("set `terms` once you have read the teacher's")
    if exchanges["cost_usd"].null_count() == exchanges.height and known_price(TeacherOptions(model=model)) is None:
        needs.append(f"write the teacher's `price`, which neither the logs nor the price library know for {model!r}")
    return (*needs, "settle gold, slices, bars and students before the first run: the test is read once")
