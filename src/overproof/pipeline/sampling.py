"""Make the stage `filters`: sift first answers, doubt them, ask again and verify where it pays, decide, then count.

What decides is in `filters/`; here it is handed its student, its teacher, its verifier and the purse. Gold is read in
one place, `_worth`, after everything is decided.
"""

from __future__ import annotations

import asyncio

import polars as pl

from overproof.core.errors import NotEnoughData
from overproof.core.store import Making, write_json
from overproof.core.types import EndpointOptions, Kept, Sampling
from overproof.filters import agreement, doubt, resample, settle, sift, worth
from overproof.filters.opinion import Opinion, opinion
from overproof.models.budget import Purse, longest_answer
from overproof.models.prices import BYTES_PER_TOKEN, cost
from overproof.pipeline import answers, asking, data
from overproof.pipeline.plugged import rules_of, task_of
from overproof.pipeline.progress import Listener
from overproof.pipeline.project import Project
from overproof.pipeline.resampling import STAGE, Arm, Sampled, Scene, costs_of, refuse_too_dear, sampled
from overproof.teacher import answers as samples
from overproof.teacher.answers import typical_output
from overproof.teacher.ceiling import drawn

PENALTY = 3e-5
"""Of the student that doubts. Stiffer than one that is to answer: it must not learn the mistakes it looks for, and what
it leaves of tune must not flatter students that do (with 1e-5 it did)."""


def make_filters(project: Project, making: Making, listen: Listener) -> None:
    """Decide what of the training and tuning answers is learned from."""
    scene = scene_of(project, listen)
    judged = scene.judged(scene.first)
    suspects = targeted(scene, judged)
    control = by_chance(scene, judged, scene.contract.sampling.control, f"{scene.contract.prompts.seed} control")
    refuse_too_dear(scene, judged, (suspects, control))
    chosen, drawn_ones = asyncio.run(sampled(scene, judged, (suspects, control)))
    fates = chosen.fates
    sifted = sift.sifted(scene.dealt, chosen.judged, fates, scene.rules)
    _refuse_one_label(sifted.examples)
    found = _told(scene, suspects, chosen, _worth(scene, judged, chosen, control, drawn_ones))
    sifted.examples.write_parquet(making.folder / "examples.parquet")
    sifted.rejections.write_parquet(making.folder / "rejections.parquet")
    chosen.again.write_parquet(making.folder / "again.parquet")
    settle.review(scene.dealt, chosen.standing, fates).write_parquet(making.folder / "review.parquet")
    write_json(making.folder / "funnel.json", sifted.funnel)
    write_json(making.folder / "sampling.json", found)
    bought = pl.concat([answers.completions_bought(project), chosen.again, drawn_ones.again]).unique(
        ["prompt_id", "sample"], maintain_order=True
    )
    write_json(making.folder / "spending.json", samples.spending(bought, asking.spent(project)))
    making.summary = {
        "examples": sifted.funnel.examples,
        "rejected": sifted.funnel.rejected,
        "resampled": found.resampled,
        "dropped": found.dropped,
    }


def scene_of(project: Project, listen: Listener) -> Scene:
    """Return what the stage works on."""
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


def targeted(scene: Scene, judged: pl.DataFrame) -> Arm:
    """Return what is doubted, and who may be asked again for it."""
    chosen = scene.contract.sampling
    thought = _opinion(scene, judged) if chosen.share > 0 else Opinion.none()
    doubted = doubt.doubted(doubt.weigh(judged, thought), scene.dealt, chosen.share)
    targets = resample.targets(
        scene.dealt, doubted, hard=chosen.hard, critical=chosen.critical, slices=scene.contract.critical
    )
    return Arm(thought, doubted, targets if scene.reachable else targets.clear())


def _opinion(scene: Scene, judged: pl.DataFrame) -> Opinion:
    from overproof.students.linear import Linear

    scene.listen.step(STAGE, "doubting each answer by a student that has not seen it")
    learned = sift.sifted(scene.dealt, judged, sift.majorities(judged), scene.rules).examples
    return opinion(Linear(penalty=PENALTY), learned, scene.dealt, scene.task.labels)


def by_chance(scene: Scene, judged: pl.DataFrame, count: int, seed: str) -> Arm:
    """Return `count` prompts drawn by chance, to be treated as doubtful ones are; no student has a say in them."""
    chosen = scene.contract.sampling
    cap = chosen.hard if chosen.hard > 1 else chosen.critical
    names = drawn(scene.requests, count if cap > 1 and scene.reachable else 0, seed)
    targets = pl.DataFrame({"prompt_id": names, "cap": cap}, schema={"prompt_id": pl.String, "cap": pl.Int64})
    weighed = doubt.weigh(judged, Opinion.none())
    return Arm(Opinion.none(), weighed.filter(pl.col("prompt_id").is_in(targets["prompt_id"].implode())), targets)


# --- telling ----------------------------------------------------------------------------------------------------------


def _told(scene: Scene, arm: Arm, sampled: Sampled, rows: tuple[Kept, ...]) -> Sampling:
    """Return what was done, in numbers."""
    costs, fates = costs_of(scene, sampled), sampled.fates
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


def _worth(scene: Scene, judged: pl.DataFrame, chosen: Sampled, control: Arm, drawn_ones: Sampled) -> tuple[Kept, ...]:
    """Hold what each way left against gold; nothing is decided after this."""
    if scene.requests["gold"].null_count() == scene.requests.height:
        return ()
    first = agreement.ballots(judged).unique("prompt_id", keep="first", maintain_order=True)
    free = costs_of(scene, chosen).clear()
    ways = [
        worth.Way("first answer", first.select("prompt_id", "answer"), free),
        worth.Way("targeted", _learned(chosen), costs_of(scene, chosen)),
    ]
    if not control.targets.is_empty():
        among = control.targets["prompt_id"]
        ways.append(worth.Way("random", _learned(drawn_ones), costs_of(scene, drawn_ones), among))
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
