"""Make the stage `filters`: sift first answers, doubt them, ask again and verify where it pays, decide, then count.

What decides is in `filters/`; here it is handed its student, its teacher, its verifier and the purse. Gold is read in
one place, `_worth`, after everything is decided.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from overproof.contract import Contract
from overproof.core import tables
from overproof.core.errors import BudgetTooSmall, NotEnoughData
from overproof.core.protocols import Rule, Task
from overproof.core.store import Making, write_json
from overproof.core.types import Completion, EndpointOptions, Kept, Sampling
from overproof.filters import agreement, doubt, resample, second_pass, settle, sift, worth
from overproof.filters.opinion import Opinion, opinion
from overproof.models.budget import Purse, longest_answer
from overproof.models.cached import Cached
from overproof.models.prices import BYTES_PER_TOKEN, cost
from overproof.pipeline import answers, asking, data
from overproof.pipeline.plugged import rules_of, task_of
from overproof.pipeline.progress import Listener
from overproof.pipeline.project import Project
from overproof.teacher import answers as samples
from overproof.teacher.answers import estimate, typical_output
from overproof.teacher.ask import ask
from overproof.teacher.ceiling import drawn

STAGE = "filters"
PENALTY = 1e-5
"""Of the student that doubts. Stiffer than one that is to answer: it must not learn the mistakes it looks for."""


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


def make_filters(project: Project, making: Making, listen: Listener) -> None:
    """Decide what of the training and tuning answers is learned from."""
    scene = _scene(project, listen)
    judged = scene.judged(scene.first)
    targeted, control = _targeted(scene, judged), _control(scene, judged)
    _refuse_too_dear(scene, judged, (targeted, control))
    chosen, by_chance = asyncio.run(_sampled(scene, judged, (targeted, control)))
    fates = chosen.fates
    sifted = sift.sifted(scene.dealt, chosen.judged, fates, scene.rules)
    _refuse_one_label(sifted.examples)
    found = _told(scene, targeted, chosen, tuple(_worth(scene, judged, chosen, control, by_chance)))
    sifted.examples.write_parquet(making.folder / "examples.parquet")
    sifted.rejections.write_parquet(making.folder / "rejections.parquet")
    chosen.again.write_parquet(making.folder / "again.parquet")
    settle.review(scene.dealt, chosen.standing, fates).write_parquet(making.folder / "review.parquet")
    write_json(making.folder / "funnel.json", sifted.funnel)
    write_json(making.folder / "sampling.json", found)
    bought = pl.concat([answers.completions_bought(project), chosen.again, by_chance.again]).unique(
        ["prompt_id", "sample"], maintain_order=True
    )
    write_json(making.folder / "spending.json", samples.spending(bought, asking.spent(project)))
    making.summary = {
        "examples": sifted.funnel.examples,
        "rejected": sifted.funnel.rejected,
        "resampled": found.resampled,
        "dropped": found.dropped,
    }


def _scene(project: Project, listen: Listener) -> Scene:
    contract = project.contract
    prompts, requests = data.prompts(project), data.requests(project)
    first = answers.for_learning(project)
    listen.step(STAGE, f"{first.height} answers")
    return Scene(
        project=project,
        prompts=prompts,
        requests=requests,
        first=first,
        dealt=sift.dealt(prompts, requests),
        task=task_of(contract),
        rules=rules_of(contract),
        purse=Purse(contract.budget.usd, asking.spent(project)),
        listen=listen,
    )


def _targeted(scene: Scene, judged: pl.DataFrame) -> Arm:
    """Return what is doubted, and who may be asked again for it."""
    chosen = scene.contract.sampling
    thought = _opinion(scene, judged) if chosen.share > 0 else Opinion.none()
    doubted = doubt.doubted(doubt.weigh(judged, thought), scene.dealt, chosen.share)
    targets = resample.targets(
        scene.dealt, doubted, hard=chosen.hard, critical=chosen.critical, slices=scene.contract.critical
    )
    return Arm(thought, doubted, targets if _reachable(scene) else targets.clear())


def _opinion(scene: Scene, judged: pl.DataFrame) -> Opinion:
    from overproof.students.linear import Linear

    scene.listen.step(STAGE, "doubting each answer by a student that has not seen it")
    learned = sift.sifted(scene.dealt, judged, sift.majorities(judged), scene.rules).examples
    return opinion(Linear(penalty=PENALTY), learned, scene.dealt, scene.task.labels)


def _control(scene: Scene, judged: pl.DataFrame) -> Arm:
    """Return prompts drawn by chance, to be treated as doubtful ones are; no student has a say in them."""
    chosen = scene.contract.sampling
    cap = chosen.hard if chosen.hard > 1 else chosen.critical
    count = chosen.control if cap > 1 and _reachable(scene) else 0
    names = drawn(scene.requests, count, f"{scene.contract.prompts.seed} control")
    weighed = doubt.weigh(judged, Opinion.none())
    targets = pl.DataFrame({"prompt_id": names, "cap": cap}, schema={"prompt_id": pl.String, "cap": pl.Int64})
    return Arm(Opinion.none(), weighed.filter(pl.col("prompt_id").is_in(targets["prompt_id"].implode())), targets)


def _reachable(scene: Scene) -> bool:
    return scene.contract.teacher.base_url is not None


# --- asking -----------------------------------------------------------------------------------------------------------


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


def _refuse_too_dear(scene: Scene, judged: pl.DataFrame, arms: Sequence[Arm]) -> None:
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


async def _sampled(scene: Scene, judged: pl.DataFrame, arms: Sequence[Arm]) -> tuple[Sampled, ...]:
    """Ask again until every vote is settled or hopeless, then verify; one endpoint is open at a time."""
    asked = [(judged, scene.first.clear()) for _ in arms]
    if any(not _open(scene, judged, arm).is_empty() for arm in arms):
        teacher = scene.contract.teacher
        async with asking.opened(scene.project, teacher, scene.purse, f"the teacher {teacher.model!r}") as model:
            asked = [await _settled(scene, model, judged, arm) for arm in arms]
    standings = [_standing(table, arm) for (table, _), arm in zip(asked, arms, strict=True)]
    verdicts = await _verified(scene, standings)
    return tuple(
        Sampled(table, again, standing, said)
        for (table, again), standing, said in zip(asked, standings, verdicts, strict=True)
    )


async def _settled(scene: Scene, model: Cached, judged: pl.DataFrame, arm: Arm) -> tuple[pl.DataFrame, pl.DataFrame]:
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


# --- telling ----------------------------------------------------------------------------------------------------------


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


def _costs(scene: Scene, sampled: Sampled) -> pl.DataFrame:
    """Return `prompt_id`, `answers` beyond the first and `usd`, verification included."""
    asked = sampled.again.select("prompt_id", answers=1, usd=_dollars(scene, sampled.again, scene.contract.teacher))
    looked = sampled.verdicts.select("prompt_id", answers=0, usd="usd")
    return pl.concat([asked, looked]).group_by("prompt_id", maintain_order=True).sum()


def _told(scene: Scene, arm: Arm, sampled: Sampled, rows: tuple[Kept, ...]) -> Sampling:
    """Return what was done, in numbers."""
    costs, fates = _costs(scene, sampled), sampled.fates
    asked = sampled.again["prompt_id"].unique()
    reasons = arm.doubted["because"].value_counts(sort=True)
    return Sampling(
        doubted=arm.doubted.height,
        reasons=dict(reasons.iter_rows()),
        resampled=asked.len(),
        answers=sampled.again.height,
        settled=sampled.standing.filter(pl.col("prompt_id").is_in(asked.implode()) & pl.col("settled")).height,
        verified=sampled.verdicts.height,
        refuted=sampled.verdicts.height - int(sampled.verdicts["confirmed"].sum()),
        dropped=fates.filter(pl.col("answer").is_null()).height,
        usd=float(costs["usd"].sum()),
        rows=rows,
    )


def _worth(scene: Scene, judged: pl.DataFrame, chosen: Sampled, control: Arm, by_chance: Sampled) -> tuple[Kept, ...]:
    """Hold what each way left against gold; nothing is decided after this."""
    if scene.requests["gold"].null_count() == scene.requests.height:
        return ()
    first = agreement.ballots(judged).unique("prompt_id", keep="first", maintain_order=True)
    free = _costs(scene, chosen).clear()
    ways = [
        worth.Way("first answer", first.select("prompt_id", "answer"), free),
        worth.Way("targeted", _learned(chosen), _costs(scene, chosen)),
    ]
    if not control.targets.is_empty():
        among = control.targets["prompt_id"]
        ways.append(worth.Way("random", _learned(by_chance), _costs(scene, by_chance), among))
    return tuple(worth.worth(scene.dealt, scene.requests, ways, [each.name for each in scene.contract.slices]))


def _learned(sampled: Sampled) -> pl.DataFrame:
    return sampled.fates.filter(pl.col("answer").is_not_null()).select("prompt_id", "answer")


def _refuse_one_label(examples: pl.DataFrame) -> None:
    """Say that there is nothing to learn before the test is read, not after."""
    for split in ("train", "tune"):
        labels = examples.filter(pl.col("split") == split)["answer"].unique().to_list()
        if not labels or (split == "train" and len(labels) == 1):
            found = f"only one label, {labels[0]!r}" if labels else "no accepted answer"
            raise NotEnoughData(
                f"there is {found} among the {split} examples, so there is nothing to learn: bring more logs, or mend "
                "task.labels and [[filters]] in overproof.toml if the wrong answers were rejected"
            )


# --- foretelling ------------------------------------------------------------------------------------------------------


def at_most(project: Project) -> tuple[int, float]:
    """Return how many answers asking again and verifying may buy at most, and about what they would cost in dollars.

    Who is doubted is only known once the first answers are there, so this takes every vote to need its cap, and every
    prompt asked again to be verified. What earlier runs bought is not taken off.
    """
    contract, chosen = project.contract, project.contract.sampling
    dealt = sift.dealt(data.prompts(project), data.requests(project))
    suspects = round(chosen.share * dealt.height)
    critical = resample.targets(dealt, dealt.clear(), hard=1, critical=chosen.critical, slices=contract.critical).height
    plain = min(suspects, dealt.height - critical)
    again = critical * (chosen.critical - 1) + plain * (chosen.hard - 1)
    again += (suspects - plain) * max(0, chosen.hard - chosen.critical)
    again += chosen.control * (max(chosen.hard, chosen.critical) - 1)
    again = again if contract.teacher.base_url is not None else 0
    shown = min(dealt.height, suspects + critical) + chosen.control if contract.verifier is not None else 0
    dollars = again * _each(project, contract.teacher) if again else 0.0
    if contract.verifier is not None:
        dollars += shown * _each(project, contract.verifier)
    return again + shown, dollars


def _each(project: Project, options: EndpointOptions) -> float:
    """Return about what one call costs, for prompts of average length."""
    prompts, requests = data.prompts(project), data.requests(project)
    sent = prompts["messages"].str.len_bytes().mean() or 0.0
    assert isinstance(sent, float)  # the mean of a column of lengths
    written = typical_output(requests)
    return cost(asking.price_for(options), sent / BYTES_PER_TOKEN, longest_answer({}) if written is None else written)
