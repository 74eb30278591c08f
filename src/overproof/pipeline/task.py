"""The task the contract names, built once."""

from __future__ import annotations

from functools import lru_cache

from overproof.contract import Contract
from overproof.core import plugins
from overproof.core.protocols import Task
from overproof.tasks.options import TaskOptions


def task_of(contract: Contract) -> Task:
    """Return what an answer means under this contract."""
    return _built(contract.task)


@lru_cache(maxsize=8)
def _built(options: TaskOptions) -> Task:
    table = {"kind": options.kind, "labels": options.labels}
    return plugins.build("tasks", table, key="kind", where="task")  # type: ignore[no-any-return]  # the seam's own type
