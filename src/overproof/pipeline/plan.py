"""Say what a run would do and what it would spend, stage by stage, without asking anybody anything."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from overproof.core.types import Record
from overproof.pipeline.progress import Listener, Silent
from overproof.pipeline.project import Project
from overproof.pipeline.run import make, only_one, stopped_at_gate
from overproof.pipeline.stages import BEYOND_THE_GATE, OUTSIDE, STAGES


class Step(Record):
    """What a run would do with one stage."""

    stage: str
    state: Literal["fresh", "stale", "left out"]
    because: str


class Plan(Record):
    """What a run would do, and spend at most."""

    steps: tuple[Step, ...]
    answers_to_buy: int
    usd: float
    """About what they would cost, if they are as long as those in the log."""
    more_at_most: int = 0
    """Answers that asking again and verifying may buy beyond those, at most: who is doubted is not known yet."""
    more_usd: float = 0.0
    """About what all of them would cost."""
    spent: float
    """Dollars spent so far, over all runs."""
    budget: float
    within_budget: bool
    notes: tuple[str, ...] = ()
    """What is better known before the test is read than after."""


def plan(root: Path | str, listen: Listener | None = None) -> Plan:
    """Return what a run would do; new logs are read and dealt, for that is free and the price depends on it."""
    from overproof.pipeline.refuse import refuse_unbuildable

    project = Project(root)
    refuse_unbuildable(project.contract)  # what a run would refuse at once, a plan does not promise
    steps = tuple(_step(project, stage.name, stage.inputs) for stage in STAGES)
    with only_one(project):
        for stage in STAGES[:2]:
            if not project.fresh(stage.name):
                make(project, stage, listen or Silent())
    from overproof.pipeline.answers import basket
    from overproof.pipeline.asking import spent
    from overproof.pipeline.candidates import baselines_to_buy
    from overproof.pipeline.foretelling import foretold
    from overproof.pipeline.sampling import at_most

    contract, count, usd = project.contract, 0, 0.0
    if not project.fresh("teacher"):
        needed = basket(project)
        count, usd = needed.to_buy, needed.estimate
    if not project.fresh("baselines"):
        more, dollars = baselines_to_buy(project)
        count, usd = count + more, usd + dollars
    more_at_most, more_usd = (0, 0.0) if project.fresh("filters") else at_most(project)
    so_far = spent(project)
    return Plan(
        steps=steps,
        answers_to_buy=count,
        usd=usd,
        more_at_most=more_at_most,
        more_usd=more_usd,
        spent=so_far,
        budget=contract.budget.usd,
        within_budget=count == 0 or so_far + usd <= contract.budget.usd,
        notes=tuple(foretold(project)),
    )


def _step(project: Project, stage: str, inputs: tuple[str, ...]) -> Step:
    if stage in BEYOND_THE_GATE and stopped_at_gate(project) and not project.fresh(stage):
        return Step(stage=stage, state="left out", because="a baseline was proven; `run --past-gate` goes on")
    if project.fresh(stage):
        return Step(stage=stage, state="fresh", because="nothing it reads has changed")
    if not (project.store.root / stage).is_dir():
        return Step(stage=stage, state="stale", because="never made")
    stale = [name for name in inputs if name not in OUTSIDE and not project.fresh(name)]
    because = f"{', '.join(stale)} will change" if stale else "its files or its part of the contract have changed"
    return Step(stage=stage, state="stale", because=because)
