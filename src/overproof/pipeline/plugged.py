"""The plug-ins the contract names, built: its task, rules, baselines and students."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from overproof.contract import Contract
from overproof.core import plugins
from overproof.core.errors import ContractError
from overproof.core.protocols import Baseline, Rule, StudentKind, Task
from overproof.core.where import UnknownName, WhereError

NOT_YET = ("extract", "generate")
"""Kinds whose contracts can be written and checked, but not run."""


def task_of(contract: Contract) -> Task:
    """Return what an answer means under this contract; raise ContractError for a kind that cannot be run yet."""
    if contract.task.kind in NOT_YET:
        raise ContractError("task.kind", f"{contract.task.kind!r} is not here yet; this version runs 'classify'")
    return _built(contract.task.kind, contract.task.labels)


@lru_cache(maxsize=8)
def _built(kind: str, labels: tuple[str, ...]) -> Task:
    table = {"kind": kind, "labels": labels}
    return plugins.build("tasks", table, key="kind", where="task")  # type: ignore[no-any-return]  # the seam's own type


def placed(contract: Contract, fault: UnknownName | WhereError) -> ContractError:
    """Return the fault of a condition with the place in the contract that holds it."""
    conditions = {f"slices[{i}].where": each.where for i, each in enumerate(contract.slices)}
    if contract.task.where is not None:
        conditions["task.where"] = contract.task.where
    found = next((where for where, text in conditions.items() if text == fault.text), "task.where")
    return ContractError(contract.place(found), str(fault))


def rules_of(contract: Contract) -> list[Rule]:
    """Return the rules answers must pass, in order."""
    return [
        plugins.build("rules", table, key="rule", where=contract.place(f"filters[{i}]"))
        for i, table in enumerate(contract.filters)
    ]


def baselines_of(contract: Contract) -> list[Baseline]:
    """Return the do-nothing alternatives the contract names."""
    return [
        plugins.build("baselines", table, key="kind", where=contract.place(f"baselines[{i}]"))
        for i, table in enumerate(contract.baselines)
    ]


def kinds_of(contract: Contract) -> list[tuple[StudentKind, Mapping[str, Any]]]:
    """Return the rungs of the ladder, each with the table it was built from."""
    kinds: list[tuple[StudentKind, Mapping[str, Any]]] = [
        (plugins.build("students", table, key="kind", where=contract.place(f"students[{i}]")), table)
        for i, table in enumerate(contract.students)
    ]
    return kinds
