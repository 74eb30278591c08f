"""Say before anything is bought or trained what would make the run pointless, and what to do about it."""

from __future__ import annotations

import msgspec
import polars as pl

from overproof.contract import Contract
from overproof.core.errors import ContractError, NotEnoughData, UserError
from overproof.core.where import parse
from overproof.pipeline.asking import known_price
from overproof.pipeline.plugged import baselines_of, kinds_of, rules_of, task_of
from overproof.prompts.slices import split_by_need


def refuse_pointless(contract: Contract, requests: pl.DataFrame) -> None:
    """Raise a `UserError` if no run of this contract on these `requests` could prove anything."""
    _refuse_unanswered(contract, requests)
    _refuse_unpriced(contract, requests)
    _refuse_without_gold(contract, requests)
    _refuse_empty_slices(contract, requests)


def refuse_unbuildable(contract: Contract) -> None:
    """Build every plug-in that the contract names, and see that no two candidates go by one name."""
    task_of(contract)
    rules_of(contract)
    names = [each.name for each in baselines_of(contract)] + [kind.name for kind, _ in kinds_of(contract)]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise ContractError(
                "baselines and students", f"two candidates are called {name!r}: give them a `name` each"
            )


def _refuse_unanswered(contract: Contract, requests: pl.DataFrame) -> None:
    """Without logged answers and without an endpoint there is no teacher."""
    teacher = contract.teacher
    if teacher.base_url is None and not requests["by_teacher"].any():
        models = ", ".join(repr(model) for model in requests["model"].unique().sort().to_list())
        raise NotEnoughData(
            f"no logged call was answered by {teacher.model!r} (models there: {models}): mend teacher.model, or write "
            "where to ask it as teacher.base_url, in overproof.toml"
        )


def _refuse_without_gold(contract: Contract, requests: pl.DataFrame) -> None:
    """Measuring against gold takes some."""
    evaluated = requests.filter(pl.col("window") == "evaluation")
    if contract.proof.reference == "gold" and evaluated["gold"].null_count() == evaluated.height:
        where = f"{contract.gold.path} by {contract.gold.on!r}" if contract.gold else "a field `gold` in the log's rows"
        raise NotEnoughData(
            f"overproof.toml, proof.reference: is 'gold', but none of {evaluated.height} requests of the evaluation "
            f"window has a right answer (looked for {where})"
        )


def _refuse_unpriced(contract: Contract, requests: pl.DataFrame) -> None:
    """A saving cannot be proven where nobody knows what the teacher costs: say so before anything is bought."""
    teacher = contract.teacher
    if known_price(teacher) is None and requests["cost_usd"].null_count() == requests.height:
        raise NotEnoughData(
            f"what {teacher.model!r} costs is not known: neither the logs nor the price library say; write "
            "`price = { input = ..., output = ... }` (dollars per million tokens) under [teacher] in overproof.toml"
        )


def _refuse_empty_slices(contract: Contract, requests: pl.DataFrame) -> None:
    """A slice nothing is in promises nothing: most often its condition has a slip."""
    found = set(requests["slices"].explode().unique().to_list())
    decidable = split_by_need(contract.slices).decidable
    for i, each in enumerate(contract.slices):
        if each in decidable and each.name not in found:
            raise UserError(
                f"overproof.toml, slices[{i}]: none of {requests.height} requests matches {each.where!r}; "
                f"{values_of(each.where, requests)}"
            )


def values_of(where: str, requests: pl.DataFrame) -> str:
    """Say what the names in a condition do stand for."""
    metadata = [msgspec.json.decode(text, type=dict[str, str]) for text in requests["metadata"].unique().to_list()]
    known = {name: sorted({row[name] for row in metadata if name in row})[:8] for name in parse(where).names}
    told = [f"{name} is one of {', '.join(map(repr, values))}" for name, values in sorted(known.items()) if values]
    return "; ".join(told) or "mend its `where`"
