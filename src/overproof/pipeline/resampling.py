"""Ask arms of prompts again and verify them: one endpoint open at a time, every answer kept, nothing bought twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from overproof.contract import Contract
from overproof.core import tables
from overproof.core.errors import BudgetTooSmall
from overproof.core.protocols import Rule, Task
from overproof.core.types import Completion, EndpointOptions
from overproof.filters import agreement, doubt, resample, second_pass, settle, sift
from overproof.filters.opinion import Opinion
from overproof.models.budget import Purse
from overproof.models.cached import Cached
from overproof.models.prices import BYTES_PER_TOKEN
from overproof.pipeline import answers, asking
from overproof.pipeline.progress import Listener
from overproof.pipeline.project import Project
from overproof.teacher import answers as samples
from overproof.teacher.answers import estimate, typical_output
from overproof.teacher.ask import ask

STAGE = "filters"


@dataclass(frozen=True)
class Scene:
    """What every step needs."""

    project: Project
    prompts: pl.DataFrame
    requests: pl.DataFrame
    first: pl.DataFrame
    """First answers, as a table of `Completion`."""
    dealt: pl.DataFrame
    task: Task
    rules: Sequence[Rule]
    purse: Purse
    listen: Listener

    @property
    def contract(self) -> Contract:
        """The project's contract."""
        return self.project.contract

    @property
    def reachable(self) -> bool:
        """Whether the teacher can be asked at all."""
        return self.contract.teacher.base_url is not None

    def judged(self, completions: pl.DataFrame) -> pl.DataFrame:
        """Return `completions` with what they mean and the first objection to each."""
        return sift.judge(self.prompts, self.dealt, completions, self.task, self.rules)


@dataclass(frozen=True)
class Arm:
    """Prompts that are asked again, and why: those chosen to be learned from, or those drawn by chance to compare."""

    opinion: Opinion
    doubted: pl.DataFrame
    """As from `doubt.doubted`."""
    targets: pl.DataFrame
    """As from `resample.targets`."""


@dataclass(frozen=True)
class Sampled:
    """An arm after the sampling and the second pass."""

    judged: pl.DataFrame
    again: pl.DataFrame
    """Answers beyond the first, as a table of `Completion`."""
    standing: pl.DataFrame
    verdicts: pl.DataFrame
    """`prompt_id`, `confirmed` (null: neither yes nor no) and `usd`."""

    @property
    def fates(self) -> pl.DataFrame:
        """What becomes of each prompt."""
        return settle.fates(self.standing, self.verdicts)


def _open(scene: Scene, judged: pl.DataFrame, arm: Arm) -> pl.Series:
    """Return the prompts of `arm` to be asked once more."""
    counted = resample.progress(judged, arm.targets)
    return agreement.open_votes(counted, verifier=scene.contract.verifier is not None)["prompt_id"]


def _again(scene: Scene, names: pl.Series, held: pl.DataFrame) -> answers.Calls:
    teacher, chosen = scene.contract.teacher, scene.contract.sampling
    pairs = samples.once_more(names, held)
    return samples.asks(pairs, scene.prompts, teacher.send_metadata, chosen.temperature)


def _second_looks(scene: Scene, standing: pl.DataFrame) -> answers.Calls:
    verifier = scene.contract.verifier
    if verifier is None:
        return ()
    shown = standing.filter(pl.col("questionable"))
    return second_pass.asks(shown, scene.prompts, verifier.instruction, verifier.parameters, verifier.send_metadata)


def refuse_too_dear(scene: Scene, judged: pl.DataFrame, arms: Sequence[Arm]) -> None:
    """Say before the first answer is bought when not even the first round of asking and verifying could be paid."""
    contract, project = scene.contract, scene.project
    typical, dollars, count = typical_output(scene.requests), 0.0, 0
    for options, calls in (
        (contract.teacher, [call for arm in arms for call in _again(scene, _open(scene, judged, arm), scene.first)]),
        (contract.verifier, [call for arm in arms for call in _second_looks(scene, _standing(judged, arm))]),
    ):
        if options is not None and calls:
            kept = asking.kept(project, options)
            new = [call for call in calls if kept.lookup(call[1]) is None]
            dollars += estimate(new, asking.price_for(options), typical) if new else 0.0
            count += len(new)
    if count and scene.purse.spent + dollars > scene.purse.limit:
        raise BudgetTooSmall(
            scene.purse.spent + dollars,
            scene.purse.limit,
            f"asking again and verifying, {count} answers at the least (with what was spent before),",
        )


def _standing(judged: pl.DataFrame, arm: Arm) -> pl.DataFrame:
    return settle.standing(doubt.weigh(judged, arm.opinion), arm.targets, arm.doubted)


async def sampled(scene: Scene, judged: pl.DataFrame, arms: Sequence[Arm]) -> tuple[Sampled, ...]:
    """Ask again until every vote is settled or hopeless, then verify; one endpoint is open at a time."""
    asked = [(judged, scene.first.clear()) for _ in arms]
    if any(not _open(scene, judged, arm).is_empty() for arm in arms):
        teacher = scene.contract.teacher
        async with asking.opened(scene.project, teacher, scene.purse, f"the teacher {teacher.model!r}") as model:
            asked = [await _asked(scene, model, judged, arm) for arm in arms]
    standings = [_standing(table, arm) for (table, _), arm in zip(asked, arms, strict=True)]
    verdicts = await _verified(scene, standings)
    return tuple(
        Sampled(table, again, standing, said)
        for (table, again), standing, said in zip(asked, standings, verdicts, strict=True)
    )


async def _asked(scene: Scene, model: Cached, judged: pl.DataFrame, arm: Arm) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return all answers judged, and those that were asked for: each round asks every open vote once more."""
    again = scene.first.clear()
    while not (names := _open(scene, judged, arm)).is_empty():
        calls = _again(scene, names, pl.concat([scene.first, again]))
        got = tables.frame(await ask(model, calls, asking.heard(scene.listen, STAGE)), Completion)
        asking.refuse_exhausted(scene.purse)
        again, judged = pl.concat([again, got]), pl.concat([judged, scene.judged(got)])
    return judged, again


async def _verified(scene: Scene, standings: Sequence[pl.DataFrame]) -> list[pl.DataFrame]:
    """Return what the verifier says of each standing's questionable answers."""
    columns = {"prompt_id": pl.String, "confirmed": pl.Boolean, "usd": pl.Float64}
    calls = [_second_looks(scene, standing) for standing in standings]
    verifier = scene.contract.verifier
    if verifier is None or not any(calls):
        return [pl.DataFrame(schema=columns) for _ in standings]
    found = []
    async with asking.opened(scene.project, verifier, scene.purse, f"the verifier {verifier.model!r}") as model:
        for each in calls:
            said = tables.frame(await ask(model, each, asking.heard(scene.listen, STAGE)), Completion)
            asking.refuse_exhausted(scene.purse)
            confirmed = [second_pass.confirmed(text) for text in said["text"]]
            table = said.select("prompt_id", usd=_dollars(scene, said, verifier))
            found.append(table.with_columns(pl.Series("confirmed", confirmed, dtype=pl.Boolean)).select(list(columns)))
    return found


def _dollars(scene: Scene, said: pl.DataFrame, options: EndpointOptions) -> pl.Series:
    """Return what answers cost at the model's prices, whoever paid and when; untold tokens are estimated."""
    if said.is_empty():
        return pl.Series(dtype=pl.Float64)
    price = asking.price_for(options)
    sent = scene.prompts.select(prompt_id="id", sent=pl.col("messages").str.len_bytes() / BYTES_PER_TOKEN)
    rows = said.join(sent, on="prompt_id", how="left", maintain_order="left")
    read = pl.coalesce("input_tokens", "sent").fill_null(0)
    written = pl.coalesce("output_tokens", pl.col("text").str.len_bytes() / BYTES_PER_TOKEN).fill_null(0)
    priced = (read * price.input + written * price.output) / 1_000_000
    return rows.select(pl.when(pl.col("error").is_null()).then(priced).otherwise(0.0).alias("usd"))["usd"]


def costs_of(scene: Scene, sampled: Sampled) -> pl.DataFrame:
    """Return `prompt_id`, `answers` beyond the first and `usd`, verification included."""
    asked = sampled.again.select("prompt_id", answers=1, usd=_dollars(scene, sampled.again, scene.contract.teacher))
    looked = sampled.verdicts.select("prompt_id", answers=0, usd="usd")
    return pl.concat([asked, looked]).group_by("prompt_id", maintain_order=True).sum()
