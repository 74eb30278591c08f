"""Make the stages `teacher` and `filters`: every prompt answered, and what of it a student may learn from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec
import polars as pl

from overproof.contract import Contract
from overproof.core import plugins, tables
from overproof.core.errors import BudgetTooSmall, NotEnoughData, UserError
from overproof.core.protocols import Ask, Rule
from overproof.core.store import Making, write_json
from overproof.core.types import Ceiling, Completion, Funnel, PromptId, Spending
from overproof.filters.sift import sift
from overproof.models.budget import Purse
from overproof.pipeline import asking, data
from overproof.pipeline.progress import Listener
from overproof.pipeline.project import Project
from overproof.pipeline.task import task_of
from overproof.tasks.evidence import CUT
from overproof.teacher import answers
from overproof.teacher.ask import Progress, ask
from overproof.teacher.ceiling import LEARNING, ceiling, drawn, pairs_to_ask

CEILING_LEVEL = 0.05
"""Chance, at most, that the ceiling's upper bound is too low."""

Calls = Sequence[tuple[PromptId, Ask]]


class Basket(msgspec.Struct, frozen=True):
    """What is there already, and what would have to be asked."""

    reused: pl.DataFrame
    """The teacher's answers the logs hold, as a table of `Completion`."""
    calls: Calls
    """Everything to be asked; what earlier runs bought comes from the file and costs nothing."""
    to_buy: int
    estimate: float
    """Dollars for what nobody has bought yet, if answers are as long as those in the log."""


def basket(project: Project) -> Basket:
    """Compare what the contract needs with what the logs and earlier runs hold; asks nobody."""
    contract, teacher = project.contract, project.contract.teacher
    prompts, requests = data.prompts(project), data.requests(project)
    reused = answers.reuse(requests)
    if teacher.base_url is None:
        return Basket(reused, (), 0, 0.0)
    again = answers.without_usable(requests, reused, _usable(contract))
    needs = answers.wanted(prompts, requests, contract.sampling.critical, contract.critical)
    lacking = answers.missing(needs, reused, again)
    twice = pairs_to_ask(requests, reused, teacher.ceiling, contract.prompts.seed)
    calls = answers.asks(dict.fromkeys((*lacking, *twice)), prompts, teacher.send_metadata)
    bought = asking.kept(project, teacher)
    new = [(prompt, call) for prompt, call in calls if bought.lookup(call) is None]
    usd = answers.estimate(new, asking.price_for(teacher), answers.typical_output(requests)) if new else 0.0
    return Basket(reused, calls, len(new), usd)


def _usable(contract: Contract) -> Callable[[str | None, str | None], bool]:
    """An evaluation answer is usable when it is whole and the task can read it."""
    task = task_of(contract)
    return lambda text, finish: finish not in CUT and task.read(text).answer is not None


def make_teacher(project: Project, making: Making, listen: Listener) -> None:
    """Reuse what the logs hold, buy what is missing, measure how often the teacher agrees with itself."""
    contract = project.contract
    needed, read = basket(project), task_of(contract).read
    logged_twice = ceiling(needed.reused, _learning(project), read, CEILING_LEVEL)
    _refuse_bars_above(contract, logged_twice)  # before money is spent
    before = asking.spent(project)
    if needed.to_buy and before + needed.estimate > contract.budget.usd:
        raise BudgetTooSmall(before + needed.estimate, contract.budget.usd, _what(project, needed))
    asked = asyncio.run(_ask(project, needed, Purse(contract.budget.usd, before), listen)) if needed.calls else []
    table = pl.concat([needed.reused, tables.frame(asked, Completion)])
    found = ceiling(table, _drawn(project), read, CEILING_LEVEL)
    found = logged_twice if contract.teacher.base_url is None else found
    spent = answers.spending(table, asking.spent(project))
    table.write_parquet(making.folder / "completions.parquet")
    write_json(making.folder / "ceiling.json", found)
    write_json(making.folder / "spending.json", spent)
    making.summary = {"bought": spent.bought, "usd": spent.usd, "failed": spent.failed}
    _refuse_bars_above(contract, found)


def _learning(project: Project) -> pl.DataFrame:
    """Return the prompts of train and tune: an evaluation prompt is asked again because its answer was unusable."""
    requests = data.requests(project).filter(pl.col("split").is_in(LEARNING))
    return data.prompts(project).filter(pl.col("id").is_in(requests["prompt_id"].implode()))


def _drawn(project: Project) -> pl.DataFrame:
    """Return the prompts drawn to be asked twice, whatever their answers: no other choice is without a lean."""
    contract = project.contract
    names = drawn(data.requests(project), contract.teacher.ceiling, contract.prompts.seed)
    return data.prompts(project).filter(pl.col("id").is_in(list(names)))


def _what(project: Project, needed: Basket) -> str:
    return f"asking {project.contract.teacher.model} for {needed.to_buy} answers (with what was spent before)"


async def _ask(project: Project, needed: Basket, purse: Purse, listen: Listener) -> list[Completion]:
    teacher = project.contract.teacher

    def heard(progress: Progress) -> None:
        eta = "" if progress.eta_s is None else f", {progress.eta_s:.0f} s to go"
        failed = f", {progress.failed} failed" if progress.failed else ""
        listen.step(
            "teacher", f"{progress.rate:.0f}/s, ${progress.usd:.4f}{failed}{eta}", progress.done, progress.total
        )

    async with asking.opened(project, teacher, purse, f"the teacher {teacher.model!r}") as model:
        asked = await ask(model, needed.calls, heard)
    if purse.exhausted:
        raise UserError(
            f"the budget of ${purse.limit:.2f} is used up (${purse.spent:.2f} spent) and not every answer is there: "
            "raise budget.usd in overproof.toml and run again; what was bought is kept"
        )
    return asked


def _refuse_bars_above(contract: Contract, found: Ceiling) -> None:
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
    rules: list[Rule] = [
        plugins.build("rules", table, key="rule", where=f"filters[{i}]") for i, table in enumerate(contract.filters)
    ]
    table = completions(project)
    listen.step("filters", f"{table.height} answers")
    sifted = sift(data.prompts(project), data.requests(project), table, task_of(contract), rules)
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
    """Every teacher answer there is."""
    return pl.read_parquet(project.folder("teacher") / "completions.parquet")


def found_ceiling(project: Project) -> Ceiling:
    """How often the teacher agrees with itself."""
    return msgspec.json.decode((project.folder("teacher") / "ceiling.json").read_bytes(), type=Ceiling)


def spending(project: Project) -> Spending:
    """What the answers cost."""
    return msgspec.json.decode((project.folder("teacher") / "spending.json").read_bytes(), type=Spending)


def funnel(project: Project) -> Funnel:
    """From answers to examples."""
    return msgspec.json.decode((project.folder("filters") / "funnel.json").read_bytes(), type=Funnel)
