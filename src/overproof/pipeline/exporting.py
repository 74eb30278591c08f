"""Write the prompt set in the formats others read."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Literal

import polars as pl

from overproof import __version__
from overproof.core.errors import UserError
from overproof.core.store import write
from overproof.core.tables import schema
from overproof.core.types import Example, Record
from overproof.pipeline.looking import LEARNING, SPLITS, in_splits, normal_forms
from overproof.pipeline.opened import SHOWN, Opened, holding, opened
from overproof.pipeline.plugged import task_of
from overproof.pipeline.project import Project
from overproof.pipeline.run import refuse_without_terms
from overproof.pipeline.versions import STAGE, Version
from overproof.prompts import formats

Form = Literal["openai", "hf"]
CARD = "README.md"


class Exported(Record):
    """What was written, and where."""

    path: str
    form: Form
    version: Version
    examples: dict[str, int]
    """Examples written, by split."""
    left_out: int
    """Prompts of those splits and slices without an accepted (or, where judged, a readable) answer."""


def export(
    root: Path | str,
    to: Path | str,
    form: Form,
    *,
    splits: Collection[str] = LEARNING,
    slices: Collection[str] = (),
    force: bool = False,
    which: str | None = None,
) -> Exported:
    """Write the prompts of these splits with their answers to `to`: one file (`openai`), or a folder (`hf`).

    In `train` and `tune` answers are those accepted to be learned; in `calibrate` and `test` the teacher's, unsifted,
    as far as they can be read; never gold. `slices` keeps prompts in any of them; `force` writes over what is there.

    Raises:
        UserError: the teacher's terms are not acknowledged, something is there already, or nothing can be exported.
    """
    project, target = Project(root), Path(to)
    refuse_without_terms(project, "exported")
    found = opened(project, which)
    rows = in_splits(found, splits, slices)
    _refuse_overwriting(target, form, force=force)
    examples = _examples(found, rows)
    if examples.is_empty():
        raise UserError(f"no prompt of {', '.join(splits)} has an answer to export: ask for other splits or slices")
    counts = {split: int((examples["split"] == split).sum()) for split in SPLITS if split in splits}
    if form == "openai":
        write(target, b"".join(formats.openai_lines(examples)))
    else:
        _write_folder(target, found, examples, {split: count for split, count in counts.items() if count})
    asked = rows.select("prompt_id", "split").n_unique()
    return Exported(
        path=str(target), form=form, version=found.version, examples=counts, left_out=asked - examples.height
    )


def _refuse_overwriting(target: Path, form: Form, *, force: bool) -> None:
    if form == "openai" and target.is_dir():
        raise UserError(f"{target} is a folder: name the file to write, {target / 'examples.jsonl'} perhaps")
    if form == "hf" and target.exists() and not target.is_dir():
        raise UserError(f"{target} is a file: name a folder, for there will be several files")
    taken = any(target.iterdir()) if target.is_dir() else target.exists() and target.stat().st_size > 0
    if taken and not force:
        raise UserError(f"{target} is not empty: name another place, or write over it with --force")


def _examples(found: Opened, rows: pl.DataFrame) -> pl.DataFrame:
    """Return a table of `Example` with what was asked beside it, in the order of the splits and of the prompts."""
    asked = rows.group_by("prompt_id", "split", maintain_order=True).agg(
        weight=pl.len().cast(pl.Float64),
        slices=pl.col("slices").explode().drop_nulls().unique().sort(),
        language=pl.col("language").first(),
    )
    answers = pl.concat([_accepted(found, asked), _judged(found, asked)])
    prompts = found.prompts().select("id", "unit", "input", "messages", "parameters")
    table = asked.join(answers, on=["prompt_id", "split"], maintain_order="left")
    table = table.join(prompts, left_on="prompt_id", right_on="id", maintain_order="left")
    return table.sort(pl.col("split").cast(pl.Enum(SPLITS)), maintain_order=True)


def _accepted(found: Opened, asked: pl.DataFrame) -> pl.DataFrame:
    """Return `prompt_id`, `split`, `answer` and `votes` of what students learn."""
    accepted = found.made("filters", "examples.parquet")
    if accepted is None and asked["split"].is_in(list(LEARNING)).any():
        raise UserError(_lacking(found, "filters", "nothing was made of {} yet, so no answer is accepted"))
    columns = {name: schema(Example)[name] for name in ("prompt_id", "split", "answer", "votes")}
    return pl.DataFrame(schema=columns) if accepted is None else accepted.select(list(columns))


def _judged(found: Opened, asked: pl.DataFrame) -> pl.DataFrame:
    """Return the same of what students are judged by: the teacher's first answer, where it can be read."""
    judging = asked.filter(~pl.col("split").is_in(list(LEARNING))).select("prompt_id", "split")
    said = found.made("teacher", "evaluation.parquet") if not judging.is_empty() else None
    if said is None and not judging.is_empty():
        raise UserError(_lacking(found, "teacher", "the teacher was not asked about {} yet"))
    columns = {name: schema(Example)[name] for name in ("prompt_id", "split", "answer", "votes")}
    if said is None:
        return pl.DataFrame(schema=columns)
    first = said.filter(pl.col("sample") == 0).unique("prompt_id", keep="first", maintain_order=True)
    first = first.with_columns(answer=normal_forms(first["text"], task_of(found.project.contract))).drop_nulls("answer")
    return judging.join(first.select("prompt_id", "answer"), on="prompt_id").with_columns(votes=pl.lit("{}"))


def _lacking(found: Opened, stage: str, yet: str) -> str:
    """Say why there are no answers, and what helps: a run makes those of the present set, and of no older one."""
    called = f"prompt set {found.version.number} ({found.version.key[:SHOWN]})"
    if found.version.key == found.project.keys[STAGE]:
        return f"{yet.format(called)}: `overproof run` first"
    others = ", ".join(map(str, holding(found.project, stage)))
    helps = (
        f"those that can be exported: {others}" if others else "`overproof run` makes those of the present prompt set"
    )
    return f"the answers of {called} are not on disk: no run got that far, or newer ones took their place; {helps}"


def _write_folder(target: Path, found: Opened, examples: pl.DataFrame, counts: dict[str, int]) -> None:
    """Write one Parquet file for each split and the card that names them; other splits of an earlier export go."""
    files = {split: f"data/{split}.parquet" for split in counts}
    for split in SPLITS:
        if split not in files:
            (target / "data" / f"{split}.parquet").unlink(missing_ok=True)
    for split, name in files.items():
        write(target / name, formats.parquet(examples.filter(pl.col("split") == split)))
    contract = found.project.contract
    about = {
        "title": contract.task.name,
        "number": str(found.version.number),
        "key": found.version.key,
        "version": __version__,
        "masked": "masked (mail addresses, phone numbers, keys ...)" if contract.privacy.redact else "NOT masked",
        "teacher": contract.teacher.model,
    }
    write(target / CARD, formats.card(about, counts, files).encode())
