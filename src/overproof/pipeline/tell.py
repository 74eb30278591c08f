"""Make the stage `report`: gather what every stage found into one story, and render it."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec
import polars as pl

from overproof import __version__
from overproof.contract import Contract
from overproof.core.errors import UserError
from overproof.core.store import Making, write, write_json
from overproof.core.types import Candidate, Decision, Manifest, Sampling
from overproof.evaluate.options import Bar
from overproof.pipeline import answers, data, decide, entering, suggesting
from overproof.pipeline.plugged import task_of
from overproof.pipeline.progress import Listener
from overproof.pipeline.project import Project
from overproof.pipeline.stages import STAGES
from overproof.report.page import render
from overproof.report.story import Promise, Shown, Story
from overproof.report.summary import summary


def make_report(project: Project, making: Making, listen: Listener) -> None:
    """Render the page and the terminal summary, and keep the story they tell."""
    listen.step("report", "rendering")
    story = story_of(project)
    write(making.folder / "report.html", render(story).encode())
    write(making.folder / "summary.txt", summary(story).encode())
    write_json(making.folder / "decision.json", story.decision)
    write_json(making.folder / "suggested.json", story.suggestions.slices if story.suggestions else ())
    write_json(making.folder / "story.json", story)
    decide.show(project)  # the test table leaves the machine room: its units are spent


def report(root: Path | str, output: Path | None, *, examples: bool) -> Path:
    """Write the report of the last run again, with or without examples, and return where it is.

    Raises:
        UserError: nothing has been run yet, or the project has changed since.
    """
    project = Project(root)
    if not project.fresh("report"):
        raise UserError(f"there is no report of what is in {project.root.resolve()} now: `overproof run` makes one")
    story = _kept(project)
    path = output or (project.report if examples else project.root / "report-no-examples.html")
    write(path, render(story if examples else msgspec.structs.replace(story, examples=())).encode())
    return path


def summarised(root: Path | str, width: int) -> str:
    """Return the last run's report in one screen of plain text, `width` columns wide.

    Raises:
        UserError: another version made it.
    """
    return summary(_kept(Project(root)), width=width)


def _kept(project: Project) -> Story:
    try:
        return msgspec.json.decode((project.folder("report") / "story.json").read_bytes(), type=Story)
    except msgspec.DecodeError as old:
        raise UserError("the last run was made by another version: `overproof run --again report`") from old


def story_of(project: Project) -> Story:
    """Gather one run's records."""
    contract = project.contract
    verdict = decide.decision(project)
    candidates = decide.candidates(project)
    return Story(
        title=contract.report.title or contract.task.name,
        generated_at=datetime.now(UTC),
        decision=verdict,
        promise=_promise(contract),
        logs=data.log_summary(project),
        prompts=data.prompt_summary(project),
        match=data.match(project),
        spending=answers.spending(project),
        ceiling=answers.found_ceiling(project),
        funnel=answers.funnel(project),
        sampling=_sampled(project),
        candidates=candidates,
        suggestions=suggesting.found(project, verdict.winner),
        gate=decide.gate_sentence(project),
        next_steps=_next_steps(verdict),
        examples=tuple(_examples(project, candidates, verdict, contract.report.examples)),
        lineage=tuple(_lineage(project)),
        reproduce=(f"overproof run --project {shlex.quote(project.root.resolve().name)}",),
        ledger=entering.lines(project),
        environment=_environment(),
    )


def _sampled(project: Project) -> Sampling | None:
    """Return what sampling did; None where nothing was doubted, asked again or verified."""
    found = answers.sampling(project)
    return found if found.doubted or found.resampled or found.verified else None


def _promise(contract: Contract) -> Promise:
    return Promise(
        task=contract.task.name,
        teacher=contract.teacher.model,
        reference=contract.proof.reference,
        alpha=contract.risk.alpha,
        confidence=contract.proof.confidence,
        bars=(*map(_bar_line, contract.bars), *_target_lines(contract)),
    )


def _bar_line(bar: Bar) -> str:
    if bar.at_least is not None:
        return f"{bar.metric} on {bar.slice}: at least {bar.at_least:g}"
    return f"{bar.metric} on {bar.slice}: within {bar.within:g} of the {bar.of}"


def _target_lines(contract: Contract) -> Iterator[str]:
    if contract.targets.latency_p95_ms is not None:
        yield f"95 % of the student's own answers within {contract.targets.latency_p95_ms:g} ms"
    if contract.targets.cost_per_1k is not None:
        yield f"at most ${contract.targets.cost_per_1k:g} per 1,000 requests"
    yield f"at least {contract.release.min_saving:.0%} of the teacher's cost saved"


def _next_steps(verdict: Decision) -> tuple[str, ...]:
    """What only the command line knows: the commands that go on from here."""
    if verdict.outcome == "baseline":
        return ("To train students all the same: `overproof run --past-gate`.",)
    return ()


def _examples(project: Project, candidates: tuple[Candidate, ...], verdict: Decision, limit: int) -> Iterator[Shown]:
    if limit == 0:
        return
    inputs = data.prompts(project).select("id", "input")
    said = answers.completions(project).join(inputs, left_on="prompt_id", right_on="id")
    yield from _recovered(project, said, limit)
    yield from _rejected(project, said, limit)
    lead = next((each for each in candidates if each.name == verdict.winner), None)
    lead = lead or next((each for each in candidates if each.family == "student"), None)
    if lead is not None:
        yield from decide.differing(project, lead, inputs, limit)


def _recovered(project: Project, said: pl.DataFrame, limit: int) -> Iterator[Shown]:
    """Answers that only the normaliser could read, one for each way they were written."""
    task = task_of(project.contract)
    for text, asked in said.group_by("text", maintain_order=True).agg(pl.col("input").first()).iter_rows():
        reading = task.read(text)
        if reading.recovered and reading.answer is not None and limit > 0:
            limit -= 1
            yield Shown(kind="recovered", input=asked, answer=text, other=reading.answer)


def _rejected(project: Project, said: pl.DataFrame, limit: int) -> Iterator[Shown]:
    rejections = pl.read_parquet(project.folder("filters") / "rejections.parquet")
    rows = rejections.join(said, on=["prompt_id", "sample"], how="left")
    distinct = rows.unique(["rule", "text"], keep="first", maintain_order=True).head(limit)
    for row in distinct.iter_rows(named=True):
        yield Shown(
            kind="rejected", input=row["input"] or "", answer=row["text"] or "", other=row["rule"], note=row["reason"]
        )


def _lineage(project: Project) -> Iterator[Manifest]:
    for stage in STAGES:
        manifest = project.store.manifest(stage.name, project.keys[stage.name])
        if manifest is not None:
            yield manifest


def _environment() -> dict[str, str]:
    packages = ("polars", "numpy", "scipy", "msgspec")
    return {"overproof": __version__, "python": platform.python_version(), **{name: version(name) for name in packages}}
