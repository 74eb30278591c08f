"""Say before anything is bought or trained what would make the run pointless, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

import msgspec
import polars as pl

from overproof.contract import Contract
from overproof.core.errors import ContractError, NotEnoughData, UserError
from overproof.core.protocols import Combining, Demanding, StudentKind
from overproof.core.types import LogSummary
from overproof.core.where import parse
from overproof.models import embed
from overproof.pipeline import encoders
from overproof.pipeline.asking import known_price
from overproof.pipeline.plugged import baselines_of, kinds_of, rules_of, task_of
from overproof.prompts.slices import split_by_need
from overproof.proof.binomial import least_units
from overproof.proof.ledger import family_levels, spent


def refuse_pointless(contract: Contract, requests: pl.DataFrame) -> None:
    """Raise a `UserError` if no run of this contract on these `requests` could prove anything."""
    _refuse_unanswered(contract, requests)
    _refuse_without_gold(contract, requests)
    _refuse_empty_slices(contract, requests)
    _refuse_few_groups(contract, requests)


def refuse_unread(summary: LogSummary) -> None:
    """Raise where no row of the logs is a call, and say why."""
    if any(file.kept for file in summary.files):
        return
    reasons = ", ".join(f"{reason} ({n:,})" for reason, n in summary.reasons.items())
    names = ", ".join(file.path for file in summary.files[:5]) + (", ..." if len(summary.files) > 5 else "")
    empty = "there is no row in it" if len(summary.files) == 1 else "there is no row in them"
    why = f"every row was set aside: {reasons}" if reasons else empty
    raise NotEnoughData(f"the logs hold no call that could be read ({names}): {why}")


def refuse_unbuildable(contract: Contract) -> None:
    """Build every plug-in that the contract names, and see that each has what it needs and a name of its own."""
    task_of(contract)
    rules_of(contract)
    baselines, kinds = baselines_of(contract), [kind for kind, _ in kinds_of(contract)]
    for each in (*baselines, *kinds):
        if isinstance(each, Demanding):
            each.check(encoders.home())
    if contract.prompts.semantic is not None:
        embed.check(contract.prompts.embedder, encoders.home())
    _refuse_missing_parts(contract, kinds)
    names = [each.name for each in baselines] + [each.name for each in kinds]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise ContractError(
                "baselines and students", f"two candidates are called {name!r}: give them a `name` each"
            )


def _refuse_missing_parts(contract: Contract, kinds: Sequence[StudentKind]) -> None:
    """A rung made of others is made of rungs before it."""
    names = [each.name for each in kinds]
    for i, kind in enumerate(kinds):
        for part in kind.of if isinstance(kind, Combining) else ():
            if part not in names[:i]:
                known = ", ".join(map(repr, names[:i])) or "none"
                where = contract.place(f"students[{i}].of")
                raise ContractError(where, f"names {part!r}; the rungs before it are: {known}")


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


def refuse_unpriced(contract: Contract, requests: pl.DataFrame) -> None:
    """Raise where nobody knows what the teacher costs: no saving could be proven, so nothing is bought or trained."""
    if (fault := unpriced(contract, requests)) is not None:
        raise NotEnoughData(fault)


def unpriced(contract: Contract, requests: pl.DataFrame) -> str | None:
    """Say that nobody knows what the teacher costs, and what to do; None where it is known."""
    teacher = contract.teacher
    if known_price(teacher) is None and requests["cost_usd"].null_count() == requests.height:
        return (
            f"what {teacher.model!r} costs is not known: neither the logs nor the price library say; write "
            "`price = { input = ..., output = ... }` (dollars per million tokens) under [teacher] in overproof.toml"
        )
    return None


def _refuse_empty_slices(contract: Contract, requests: pl.DataFrame) -> None:
    """A slice nothing is in promises nothing: most often its condition has a slip."""
    found = set(requests["slices"].explode().unique().to_list())
    decidable = split_by_need(contract.slices).decidable
    for i, each in enumerate(contract.slices):
        if each in decidable and each.name not in found:
            raise UserError(
                f"overproof.toml, {contract.place(f'slices[{i}]')}: none of {requests.height} requests matches "
                f"{each.where!r}; {values_of(each.where, requests)}"
            )


def _refuse_few_groups(contract: Contract, requests: pl.DataFrame) -> None:
    """Each group is one piece of evidence: with too few of them not even an errorless run proves anything."""
    key, options = contract.proof.group, contract.prompts
    if key is None:
        return
    alpha, delta = contract.risk.alpha, 1 - contract.proof.confidence
    students = family_levels(spent(delta, 1)).students
    needed = {"train": 1, "tune": 1, "calibrate": least_units(alpha, delta / 2), "test": least_units(alpha, students)}
    found = {name: requests.filter(pl.col("split") == name)["unit"].n_unique() for name in needed}
    if all(found[name] >= least for name, least in needed.items()):
        return
    judging = max(needed["calibrate"] / (1 - options.test_share), needed["test"] / options.test_share)
    about = ceil(judging / options.evaluation_share / 10) * 10
    raise NotEnoughData(
        f"overproof.toml, proof.group: the {key!r} of these logs were dealt {_counts(found)}, and it takes at least "
        f"{_counts(needed)}, for so many prove an error rate below {alpha:g} without one error: bring logs in which "
        f"about {about} of them still ask in the evaluation window (those that an earlier decision judged by teach "
        "nothing), or raise risk.alpha"
    )


def _counts(splits: Mapping[str, int]) -> str:
    return ", ".join(f"{n} to {name}" for name, n in splits.items())


def values_of(where: str, requests: pl.DataFrame) -> str:
    """Say what the names in a condition do stand for."""
    metadata = [msgspec.json.decode(text, type=dict[str, str]) for text in requests["metadata"].unique().to_list()]
    known = {name: sorted({row[name] for row in metadata if name in row})[:8] for name in parse(where).names}
    if "topic" in known and "topic" in requests.columns:
        known["topic"] = requests["topic"].drop_nulls().unique().sort().to_list()
    told = [f"{name} is one of {', '.join(map(repr, values))}" for name, values in sorted(known.items()) if values]
    return "; ".join(told) or "mend its `where`"
