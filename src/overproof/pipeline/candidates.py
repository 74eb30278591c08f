"""Make the stages `baselines` and `students`: everything that could take over the traffic, and what it says."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import msgspec
import numpy as np
import polars as pl

from overproof.calibrate import head
from overproof.core.chance import digest
from overproof.core.errors import BudgetTooSmall, UserError
from overproof.core.protocols import Asking, Combining, Means, OnEncoder, Student, StudentKind, Workshop
from overproof.core.splits import Train
from overproof.core.store import Making, Store, write_json
from overproof.core.types import Confidence, PromptId, Record
from overproof.models.budget import Purse
from overproof.pipeline import asking, data, encoders
from overproof.pipeline.plugged import baselines_of, kinds_of, task_of
from overproof.pipeline.progress import Listener
from overproof.pipeline.project import Project
from overproof.pipeline.stages import item_key
from overproof.students.predict import predict
from overproof.teacher.answers import estimate, typical_output

FITTED = 2
"""Version of a fitted student: raised when the same examples would give another one."""


class Rung(NamedTuple):
    """A student of the ladder that is fitted already."""

    kind: StudentKind
    plugin: str
    """Name its kind is installed under."""
    key: str


class Entrant(Record):
    """A candidate before it is calibrated: what it is, and where its predictions lie."""

    name: str
    kind: str
    predictions: str
    """File of `Prediction` rows within the stage's artefact."""
    size_bytes: int | None = None
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    train_seconds: float | None = None
    model: str | None = None
    """Key of the fitted model, for students."""
    confidence: Confidence = Confidence()
    """How its probabilities became the confidences in `predictions`."""


def evaluation_prompts(project: Project) -> pl.DataFrame:
    """Return the prompts that candidates must answer: those of every split but train."""
    needed = data.requests(project).filter(pl.col("split").is_in(["tune", "calibrate", "test"]))["prompt_id"].unique()
    return data.prompts(project).filter(pl.col("id").is_in(needed.implode()))


def answer_baselines(project: Project, making: Making, listen: Listener) -> tuple[Entrant, ...]:
    """Let every baseline answer the evaluation's prompts."""
    train, _ = data.examples(project)
    prompts = evaluation_prompts(project)
    return asyncio.run(_answer_all(project, making, prompts, train, listen))


async def _answer_all(
    project: Project, making: Making, prompts: pl.DataFrame, train: Train, listen: Listener
) -> tuple[Entrant, ...]:
    purse = Purse(project.contract.budget.usd, asking.spent(project))
    entrants = []
    for i, (baseline, table) in enumerate(zip(baselines_of(project.contract), project.contract.baselines, strict=True)):
        listen.step("baselines", baseline.name, i, len(project.contract.baselines))
        async with AsyncExitStack() as stack:
            model = None
            if isinstance(baseline, Asking):
                opened = asking.opened(project, baseline.endpoint, purse, f"the baseline {baseline.name!r}")
                model = await stack.enter_async_context(opened)
            said = await baseline.answer(prompts, train, task_of(project.contract), model, _means(project))
        if purse.exhausted:
            raise BudgetTooSmall(purse.spent, project.contract.budget.usd, f"asking the baseline {baseline.name!r}")
        file = f"baseline-{i}.parquet"
        said.write_parquet(making.folder / file)
        entrants.append(_entrant(baseline.name, str(table["kind"]), file, said))
    return tuple(entrants)


def _means(project: Project) -> Means:
    return Means(encoders=encoders.home(), core_hour_usd=project.contract.release.core_hour_usd)


def baselines_to_buy(project: Project) -> tuple[int, float]:
    """Return how many answers baselines would buy, and about what they would cost in dollars.

    Before there are examples, baselines that show some to a model count as if none of their answers had been bought.
    """
    prompts, output = evaluation_prompts(project), typical_output(data.requests(project))
    train = data.examples(project)[0] if project.fresh("filters") else None
    count, usd = 0, 0.0
    for baseline in baselines_of(project.contract):
        if isinstance(baseline, Asking):
            asks = baseline.asks(prompts, train, task_of(project.contract), _means(project))
            kept = asking.kept(project, baseline.endpoint)
            calls = zip(map(PromptId, prompts["id"]), asks, strict=True)
            new = [call for call in calls if kept.lookup(call[1]) is None]
            count += len(new)
            usd += estimate(new, asking.price_for(baseline.endpoint), output) if new else 0.0
    return count, usd


def make_students(project: Project, making: Making, listen: Listener) -> None:
    """Fit every rung on the same answers, and let each answer the evaluation's prompts."""
    kinds = kinds_of(project.contract)
    prompts = evaluation_prompts(project)
    entrants = []
    rungs: dict[str, Rung] = {}
    for i, (kind, table) in enumerate(kinds):
        listen.step("students", kind.name, i, len(kinds))
        key = _fitted(project, kind, table, rungs, listen)
        rungs[kind.name] = Rung(kind, str(table["kind"]), key)
        student, seconds = load_student(project, kind, key)
        confidence = _confidence(project, student)
        said = predict(student, prompts, project.contract.release.core_hour_usd, confidence)
        file = f"student-{i}.parquet"
        said.write_parquet(making.folder / file)
        entrant = _entrant(kind.name, str(table["kind"]), file, said)
        made = {"size_bytes": student.size_bytes, "train_seconds": seconds, "model": key, "confidence": confidence}
        entrants.append(msgspec.structs.replace(entrant, **made))
    write_json(making.folder / "entrants.json", entrants)
    making.summary = {"students": [entrant.name for entrant in entrants]}


def _confidence(project: Project, student: Student) -> Confidence:
    """Return how the student's probabilities become its confidence, fitted on tune."""
    if project.contract.calibrate.confidence == "top":
        return Confidence()
    _, tune = data.examples(project)
    inputs = tune.frame["input"].to_list()
    return head.fit(tune, student.labels, student.probabilities(inputs), student.novelty(inputs))


def _fitted(
    project: Project, kind: StudentKind, table: Mapping[str, Any], rungs: Mapping[str, Rung], listen: Listener
) -> str:
    """Return the key of the fitted student, fitting it only if that was never done on these examples."""
    contract = project.contract
    parts = [rungs[name] for name in kind.of] if isinstance(kind, Combining) else []
    stands_on = encoders.digest_of(kind.model) if isinstance(kind, OnEncoder) else None
    inputs = {"filters": project.keys["filters"]} | {f"part {i}": part.key for i, part in enumerate(parts)}
    key = item_key("students", FITTED, inputs, [dict(table), contract.training, contract.task.labels, stands_on])
    store = Store(project.store.root / "fitted")
    shelf = digest(kind.name, size=4)
    if store.manifest(shelf, key) is None or "students" in project.again:
        train, tune = data.examples(project)
        with store.making(shelf, key, FITTED, inputs) as making, _workshop(project, key, kind.name, listen) as workshop:
            began = perf_counter()
            if isinstance(kind, Combining):
                fitted = [load_student(project, part.kind, part.key)[0] for part in parts]
                student = kind.combine(fitted, [part.plugin for part in parts], tune)
            else:
                student = kind.fit(train, tune, contract.task.labels, contract.training.seed, workshop)
            student.save(making.folder)
            making.summary = {"seconds": perf_counter() - began}
    return f"{shelf}/{key}"


@contextmanager
def _workshop(project: Project, key: str, name: str, listen: Listener) -> Iterator[Workshop]:
    """Yield a place to work in that survives a killed run, and is cleared away when the work is done."""
    scratch = project.store.root / "workshop" / key
    scratch.mkdir(parents=True, exist_ok=True)
    yield Workshop(
        scratch=scratch,
        encoders=encoders.home(),
        tell=lambda what, done, total: listen.step("students", f"{name}: {what}", done, total),
    )
    shutil.rmtree(scratch)


def fitted_folder(project: Project, key: str) -> Path:
    """Return the folder of a fitted student."""
    return project.store.root / "fitted" / key


def load_student(project: Project, kind: StudentKind, key: str) -> tuple[Student, float]:
    """Return a fitted student and the seconds its training took."""
    shelf, _, name = key.partition("/")
    manifest = Store(project.store.root / "fitted").manifest(shelf, name)
    if manifest is None:  # it had learned from somebody who was forgotten
        raise UserError(f"the student {kind.name!r} is gone: `overproof run --again students` fits it anew")
    return kind.load(fitted_folder(project, key)), float(manifest.summary["seconds"])


def _entrant(name: str, kind: str, file: str, said: pl.DataFrame) -> Entrant:
    latency = said.filter(pl.col("answer").is_not_null())["latency_ms"].drop_nulls().to_numpy()
    p50, p95 = np.quantile(latency, [0.5, 0.95]) if latency.size else (None, None)
    return Entrant(
        name=name,
        kind=kind,
        predictions=file,
        latency_p50_ms=None if p50 is None else float(p50),
        latency_p95_ms=None if p95 is None else float(p95),
    )


def entrants(project: Project, stage: str) -> Sequence[Entrant]:
    """Return the candidates of a stage."""
    path = project.folder(stage) / "entrants.json"
    return msgspec.json.decode(path.read_bytes(), type=tuple[Entrant, ...])
