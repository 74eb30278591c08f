"""Make the stages `teacher` and `filters`: every prompt answered, and what of it a student may learn from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec
import polars as pl

from overproof.contract import Contract
from overproof.core import tables
from overproof.core.errors import BudgetTooSmall, NotEnoughData, UserError
from overproof.core.protocols import Ask
from overproof.core.store import Making, write_json
from overproof.core.types import Ceiling, Completion, Funnel, PromptId, Spending
from overproof.filters.sift import sift
from overproof.models.budget import Purse
from overproof.pipeline import asking, data
from overproof.pipeline.plugged import rules_of, task_of
from overproof.pipeline.progress import Listener
from overproof.pipeline.project import Project
from overproof.tasks.evidence import CUT
from overproof.teacher import answers
from overproof.teacher.answers import EVALUATION
from overproof.teacher.ask import Progress, ask
from overproof.teacher.ceiling import LEARNING, ceiling, drawn, pairs_to_ask

CEILING_LEVEL = 0.05
"""Chance, at most, that the ceiling's upper bound is too low."""

JUDGED_FROM = 1_000
"""Sample number from which on answers are asked to be judged by."""

Calls = Sequence[tuple[PromptId, Ask]]
Bought = Sequence[Completion]


class Basket(msgspec.Struct, frozen=True):
    """What is there already, and what would have to be asked; what is learned from and what is judged by never mix."""

    learning: pl.DataFrame
    """The teacher's logged answers to requests of train and tune, as a table of `Completion`."""
    evaluation: pl.DataFrame
    """The same to requests of calibrate and test."""
    to_learn: Calls
    """To be asked; what earlier runs bought comes from the file and costs nothing."""
    to_evaluate: Calls
    to_buy: int
    estimate: float
    """Dollars for what nobody has bought yet, if answers are as long as those in the log."""


def basket(project: Project) -> Basket:
    """Compare what the contract needs with what the logs and earlier runs hold; asks nobody."""
    contract, teacher = project.contract, project.contract.teacher
    prompts, requests = data.prompts(project), data.requests(project)
    learning, evaluation = (requests.filter(pl.col("split").is_in(side)) for side in (LEARNING, EVALUATION))
    learned, judged = answers.reuse(learning), answers.reuse(evaluation)
    if teacher.base_url is None:
        return Basket(learned, judged, (), (), 0, 0.0)
    again = answers.without_usable(evaluation, judged, _usable(contract))
    lacking = answers.missing(answers.wanted(prompts, evaluation, 1, ()), judged, again)
    needs = answers.wanted(prompts, learning, contract.sampling.critical, contract.critical)
    few = answers.missing(needs, learned)
    twice = pairs_to_ask(learning, learned, teacher.ceiling, contract.prompts.seed)
    to_evaluate = answers.asks(_apart(lacking), prompts, teacher.send_metadata)
    to_learn = answers.asks(dict.fromkeys((*few, *twice)), prompts, teacher.send_metadata)
    bought = asking.kept(project, teacher)
    new = [(prompt, call) for prompt, call in (*to_learn, *to_evaluate) if bought.lookup(call) is None]
    usd = answers.estimate(new, asking.price_for(teacher), answers.typical_output(requests)) if new else 0.0
    return Basket(learned, judged, to_learn, to_evaluate, len(new), usd)


def _apart(lacking: answers.Missing) -> answers.Missing:
    """Number the samples that are judged by from far above, so that none is one that is learned from."""
    return tuple((prompt, JUDGED_FROM + sample) for prompt, sample in lacking)


def _usable(contract: Contract) -> Callable[[str | None, str | None], bool]:
    """An evaluation answer is usable when it is whole and the task can read it."""
    task = task_of(contract)
    return lambda text, finish: finish not in CUT and task.read(text).answer is not None


def make_teacher(project: Project, making: Making, listen: Listener) -> None:
    """Reuse what the logs hold, buy what is missing, measure how often the teacher agrees with itself."""
    contract = project.contract
    needed, read, prompts = basket(project), task_of(contract).read, data.prompts(project)
    refuse_bars_above(contract, ceiling(needed.learning, prompts, read, CEILING_LEVEL))  # before money is spent
    before = asking.spent(project)
    if needed.to_buy and before + needed.estimate > contract.budget.usd:
        raise BudgetTooSmall(before + needed.estimate, contract.budget.usd, _what(project, needed))
    purse = Purse(contract.budget.usd, before)
    learned, judged = (
        asyncio.run(_ask(project, needed, purse, listen)) if needed.to_learn or needed.to_evaluate else ((), ())
    )
    learning = pl.concat([needed.learning, tables.frame(learned, Completion)])
    evaluation = pl.concat([needed.evaluation, tables.frame(judged, Completion)])
    asked_twice = prompts if contract.teacher.base_url is None else _drawn(project)
    spent = answers.spending(pl.concat([learning, evaluation]), asking.spent(project))
    learning.write_parquet(making.folder / "learning.parquet")
    evaluation.write_parquet(making.folder / "evaluation.parquet")
    write_json(making.folder / "ceiling.json", ceiling(learning, asked_twice, read, CEILING_LEVEL))
    write_json(making.folder / "spending.json", spent)
    making.summary = {"bought": spent.bought, "usd": spent.usd, "failed": spent.failed}


def _drawn(project: Project) -> pl.DataFrame:
    """Return the prompts drawn to be asked twice, whatever their answers: no other choice is without a lean."""
    contract = project.contract
    names = drawn(data.requests(project), contract.teacher.ceiling, contract.prompts.seed)
    return data.prompts(project).filter(pl.col("id").is_in(list(names)))


def _what(project: Project, needed: Basket) -> str:
    return f"asking {project.contract.teacher.model} for {needed.to_buy} answers (with what was spent before)"


async def _ask(project: Project, needed: Basket, purse: Purse, listen: Listener) -> tuple[Bought, Bought]:
    teacher = project.contract.teacher

    def heard(progress: Progress) -> None:
        eta = "" if progress.eta_s is None else f", {progress.eta_s:.0f} s to go"
        failed = f", {progress.failed} failed" if progress.failed else ""
        listen.step(
            "teacher", f"{progress.rate:.0f}/s, ${progress.usd:.4f}{failed}{eta}", progress.done, progress.total
        )

    async with asking.opened(project, teacher, purse, f"the teacher {teacher.model!r}") as model:
        learned = await ask(model, needed.to_learn, heard)
        judged = await ask(model, needed.to_evaluate, heard)
    if purse.exhausted:
        raise UserError(
            f"the budget of ${purse.limit:.2f} is used up (${purse.spent:.2f} spent) and not every answer is there: "
            "raise budget.usd in overproof.toml and run again; what was bought is kept"
        )
    return learned, judged


def refuse_bars_above(contract: Contract, found: Ceiling) -> None:
    """Against the teacher's own answers, a bar above what the teacher reaches itself cannot be met by anyone."""
    if contract.proof.reference != "teacher":
        return  # with gold, filtering can beat the teacher: the report warns instead
    for bar in contract.bars:
        if bar.at_least is not None and bar.at_least > found.upper:
            raise UserError(
                f"overproof.toml, bars: {bar.at_least} on {bar.slice!r} is above the ceiling: the teacher agrees with "
                f"itself on {found.agreeing} of {found.pairs} prompts asked twice, so no student can agree more "
                f"often than {found.upper:.3f}; lower the bar or measure against gold"
            )


def make_filters(project: Project, making: Making, listen: Listener) -> None:
    """Sift the training and tuning answers."""
    contract = project.contract
    table = pl.read_parquet(project.folder("teacher") / "learning.parquet")
    listen.step("filters", f"{table.height} answers")
    sifted = sift(data.prompts(project), data.requests(project), table, task_of(contract), rules_of(contract))
    _refuse_one_label(sifted.examples)
    sifted.examples.write_parquet(making.folder / "examples.parquet")
    sifted.rejections.write_parquet(making.folder / "rejections.parquet")
    write_json(making.folder / "funnel.json", sifted.funnel)
    making.summary = {"examples": sifted.funnel.examples, "rejected": sifted.funnel.rejected}


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


def completions(project: Project) -> pl.DataFrame:
    """Every teacher answer there is, each once."""
    learning = pl.read_parquet(project.folder("teacher") / "learning.parquet")
    return pl.concat([learning, for_evaluation(project)])


def for_evaluation(project: Project) -> pl.DataFrame:
    """The teacher's answers that calibration and verdicts may be measured by; none of them was learned from."""
    return pl.read_parquet(project.folder("teacher") / "evaluation.parquet")


def found_ceiling(project: Project) -> Ceiling:
    """How often the teacher agrees with itself."""
    return msgspec.json.decode((project.folder("teacher") / "ceiling.json").read_bytes(), type=Ceiling)


def spending(project: Project) -> Spending:
    """What the answers cost."""
    return msgspec.json.decode((project.folder("teacher") / "spending.json").read_bytes(), type=Spending)


def funnel(project: Project) -> Funnel:
    """From answers to examples."""
    return msgspec.json.decode((project.folder("filters") / "funnel.json").read_bytes(), type=Funnel)
