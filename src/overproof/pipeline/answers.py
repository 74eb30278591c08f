"""Make the stage `teacher`: every prompt answered once, and what its answers cost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec
import polars as pl

from overproof.contract import Contract
from overproof.core import tables
from overproof.core.errors import BudgetTooSmall, UserError
from overproof.core.protocols import Ask
from overproof.core.store import Making, write_json
from overproof.core.types import Ceiling, Completion, Funnel, PromptId, Sampling, Spending
from overproof.models.budget import Purse
from overproof.pipeline import asking, data
from overproof.pipeline.plugged import task_of
from overproof.pipeline.progress import Listener
from overproof.pipeline.project import Project
from overproof.pipeline.refuse import refuse_unpriced
from overproof.tasks.evidence import CUT
from overproof.teacher import answers
from overproof.teacher.answers import EVALUATION
from overproof.teacher.ask import ask
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
    lacking = answers.missing(answers.wanted(prompts, evaluation), judged, again)
    few = answers.missing(answers.wanted(prompts, learning), learned)
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
    refuse_unpriced(contract, data.requests(project))
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

    heard = asking.heard(listen, "teacher")
    async with asking.opened(project, teacher, purse, f"the teacher {teacher.model!r}") as model:
        learned = await ask(model, needed.to_learn, heard)
        judged = await ask(model, needed.to_evaluate, heard)
    asking.refuse_exhausted(purse)
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


def completions(project: Project) -> pl.DataFrame:
    """Every teacher answer there is, each once."""
    again = pl.read_parquet(project.folder("filters") / "again.parquet")
    return pl.concat([for_learning(project), again, for_evaluation(project)])


def completions_bought(project: Project) -> pl.DataFrame:
    """Every answer of the stage `teacher`."""
    return pl.concat([for_learning(project), for_evaluation(project)])


def for_learning(project: Project) -> pl.DataFrame:
    """The teacher's first answers to what is learned from."""
    return pl.read_parquet(project.folder("teacher") / "learning.parquet")


def for_evaluation(project: Project) -> pl.DataFrame:
    """The teacher's answers that calibration and verdicts may be measured by; none of them was learned from."""
    return pl.read_parquet(project.folder("teacher") / "evaluation.parquet")


def found_ceiling(project: Project) -> Ceiling:
    """How often the teacher agrees with itself."""
    return msgspec.json.decode((project.folder("teacher") / "ceiling.json").read_bytes(), type=Ceiling)


def spending(project: Project) -> Spending:
    """What the teacher's answers cost, those it was asked again for included."""
    return msgspec.json.decode((project.folder("filters") / "spending.json").read_bytes(), type=Spending)


def funnel(project: Project) -> Funnel:
    """From answers to examples."""
    return msgspec.json.decode((project.folder("filters") / "funnel.json").read_bytes(), type=Funnel)


def sampling(project: Project) -> Sampling:
    """What asking again and verifying did."""
    return msgspec.json.decode((project.folder("filters") / "sampling.json").read_bytes(), type=Sampling)
