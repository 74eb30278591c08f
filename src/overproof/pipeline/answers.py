"""Make the stages `teacher` and `filters`: every prompt answered, and what of it a student may learn from."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import polars as pl

from overproof.core import plugins, tables
from overproof.core.errors import BudgetTooSmall, UserError
from overproof.core.protocols import Ask, Rule
from overproof.core.store import Making, write_json
from overproof.core.types import Ceiling, Completion, Funnel, Prompt, PromptId, Spending
from overproof.contract import Contract
from overproof.filters.sift import sift
from overproof.models.budget import Purse
from overproof.pipeline import asking, data
from overproof.pipeline.progress import Listener
from overproof.pipeline.project import Project
from overproof.pipeline.task import task_of
from overproof.teacher import answers
from overproof.teacher.ask import Progress, ask
from overproof.teacher.ceiling import ceiling, pairs_to_ask

CEILING_LEVEL = 0.05
"""Chance, at most, that the ceiling's upper bound is too low."""

Wanted = Sequence[tuple[PromptId, int]]


class Shopping(msgspec.Struct, frozen=True):
    """What is there already, and what would have to be bought."""

    reused: pl.DataFrame
    missing: Wanted
    estimate: float
    """Dollars, if every missing answer were as long as allowed."""


def shopping(project: Project) -> Shopping:
    """Compare what the contract needs with what the logs and earlier runs hold; asks nobody."""
    contract = project.contract
    prompts, requests = data.prompts(project), data.requests(project)
    reused = answers.reuse(requests)
    unusable = _unusable(contract, reused)
    wanted = answers.wanted(prompts, requests, contract.sampling.critical, contract.critical)
    missing = list(answers.missing(wanted, reused, unusable=unusable))
    if contract.teacher.base_url is None:
        return Shopping(reused, (), 0.0)
    missing += pairs_to_ask(prompts, requests, reused, contract.teacher.ceiling, contract.prompts.seed)
    distinct = list(dict.fromkeys(missing))
    return Shopping(reused, distinct, _price_of_missing(project, prompts, distinct))


def _price_of_missing(project: Project, prompts: pl.DataFrame, missing: Wanted) -> float:
    """Price only what earlier runs have not bought."""
    from overproof.models.cached import Cached

    contract = project.contract
    asks = _asks(contract, prompts, missing)
    path = asking.cache_path(project, contract.teacher)
    bought = Cached.keys_in(path, asking.identity(contract.teacher))
    new = [(prompt, one) for prompt, one in asks if bought.get(one) is None]
    return answers.estimate([one for _, one in new], asking.price_for(contract.teacher)) if new else 0.0


def _asks(contract: Contract, prompts: pl.DataFrame, missing: Wanted) -> list[tuple[PromptId, Ask]]:
    by_id = {prompt.id: prompt for prompt in tables.records(prompts, Prompt)}
    sent = contract.teacher.send_metadata
    return [
        (
            prompt_id,
            Ask(
                messages=by_id[prompt_id].messages,
                parameters=by_id[prompt_id].parameters,
                metadata={key: value for key, value in by_id[prompt_id].metadata.items() if key in sent},
                sample=sample,
            ),
        )
        for prompt_id, sample in missing
    ]


def _unusable(contract: Contract, reused: pl.DataFrame) -> frozenset[str]:
    """Prompts of which no logged answer can be read: they are asked again."""
    task = task_of(contract)
    texts = reused["text"].unique().to_list()
    readable = [text for text in texts if task.read(text).answer is not None]
    usable = reused.filter(pl.col("text").is_in(readable))["prompt_id"]
    return frozenset(reused["prompt_id"].to_list()) - frozenset(usable.to_list())


def make_teacher(project: Project, making: Making, listen: Listener) -> None:
    """Reuse what the logs hold, buy what is missing, measure how often the teacher agrees with itself."""
    contract = project.contract
    basket = shopping(project)
    _refuse_bars_above(contract, ceiling(basket.reused, task_of(contract), CEILING_LEVEL))  # before money is spent
    before = asking.spent(project)
    if basket.missing and before + basket.estimate > contract.budget.usd:
        raise BudgetTooSmall(before + basket.estimate, contract.budget.usd, f"asking {contract.teacher.model}")
    asked = asyncio.run(_buy(project, basket, Purse(contract.budget.usd, before), listen)) if basket.missing else []
    table = pl.concat([basket.reused, tables.frame(asked, Completion)])
    table.write_parquet(making.folder / "completions.parquet")
    found = ceiling(table, task_of(contract), CEILING_LEVEL)
    write_json(making.folder / "ceiling.json", found)
    spending = _spending(basket, asked, asking.spent(project))
    write_json(making.folder / "spending.json", spending)
    making.summary = {"bought": spending.bought, "usd": spending.usd, "failed": spending.failed}
    _refuse_bars_above(contract, found)


async def _buy(project: Project, basket: Shopping, purse: Purse, listen: Listener) -> list[Completion]:
    contract = project.contract
    asks = _asks(contract, data.prompts(project), basket.missing)

    def heard(progress: Progress) -> None:
        text = f"{progress.rate:.0f}/s, ${progress.usd:.4f}" + (f", {progress.failed} failed" if progress.failed else "")
        listen.step("teacher", text, progress.done, progress.total)

    async with asking.opened(project, contract.teacher, purse, f"the teacher {contract.teacher.model!r}") as model:
        bought = await ask(model, asks, heard)
    if purse.exhausted:
        raise BudgetTooSmall(purse.spent + basket.estimate, contract.budget.usd, "answering every prompt")
    return bought


def _spending(basket: Shopping, asked: Sequence[Completion], all_runs: float) -> Spending:
    new = [each for each in asked if each.source == "asked" and each.error is None]
    return Spending(
        reused=basket.reused.height,
        cached=sum(each.source == "cache" for each in asked),
        bought=len(new),
        failed=sum(each.error is not None for each in asked),
        usd=sum(each.cost_usd for each in new),
        usd_all_runs=all_runs,
    )


def _refuse_bars_above(contract: Contract, found: Ceiling) -> None:
    """Against the teacher's own answers, a bar above what the teacher reaches itself cannot be met by anyone."""
    if contract.proof.reference != "teacher":
        return  # with gold, filtering can beat the teacher: the report warns instead
    for bar in contract.bars:
        if bar.at_least is not None and bar.at_least > found.upper:
            raise UserError(
                f"overproof.toml, bars: {bar.at_least} on {bar.slice!r} is above the ceiling: the teacher agrees with itself "
                f"on {found.agreeing} of {found.pairs} prompts asked twice, so no student can agree with it more often than "
                f"{found.upper:.3f}; lower the bar or measure against gold"
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
    sifted.examples.write_parquet(making.folder / "examples.parquet")
    sifted.rejections.write_parquet(making.folder / "rejections.parquet")
    write_json(making.folder / "funnel.json", sifted.funnel)
    making.summary = {"examples": sifted.funnel.examples, "rejected": sifted.funnel.rejected}


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
