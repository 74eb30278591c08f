"""The stages in their order: what each is made from, and which part of the contract it reads.

Light on purpose: a run with nothing to do imports this and no table library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from overproof.contract import Contract
from overproof.core.store import content_key
from overproof.core.types import Record

Options = Callable[[Contract], Any]


class Stage(Record):
    """One step of the road."""

    name: str
    version: int
    """Raised when the same inputs would give another result; older artefacts are then stale."""
    inputs: tuple[str, ...]
    reads: Options
    """The part of the contract that its result depends on, and nothing else."""


def _asking(contract: Contract) -> list[Any]:
    """What of the teacher changes its answers: not how fast it is asked."""
    teacher = contract.teacher
    return [teacher.model, teacher.also_answers_as, teacher.base_url, teacher.price, teacher.send_metadata]


def _verifying(contract: Contract) -> list[Any] | None:
    """What of the verifier changes what it says, or what that costs."""
    each = contract.verifier
    if each is None:
        return None
    return [each.model, each.base_url, each.price, each.send_metadata, each.instruction, each.parameters]


def _promises(contract: Contract) -> list[Any]:
    return [
        contract.bars,
        contract.risk,
        contract.proof,
        contract.targets,
        contract.release,
        contract.calibrate,
        contract.slices,
        contract.gold.missing if contract.gold else None,
        contract.prompts.seed,
        contract.teacher.price,
    ]


STAGES: tuple[Stage, ...] = (
    Stage(
        name="logs",
        version=3,
        inputs=("files",),
        reads=lambda c: [c.logs, c.gold and [c.gold.path, c.gold.on, c.gold.field], c.privacy],
    ),
    Stage(
        name="prompts",
        version=4,
        inputs=("logs", "embedder"),
        reads=lambda c: [
            c.task,
            c.prompts,
            c.slices,
            sorted(c.teacher.names),
            c.proof.group,
            c.proof.n_max,
            c.bars,
            c.proof.confidence,
        ],
    ),
    Stage(
        name="teacher",
        version=3,
        inputs=("prompts",),
        reads=lambda c: [_asking(c), c.teacher.ceiling, c.task.kind, c.task.labels],
    ),
    Stage(
        name="filters",
        version=2,
        inputs=("prompts", "teacher"),
        reads=lambda c: [c.filters, c.task.kind, c.task.labels, c.sampling, c.critical, _verifying(c)],
    ),
    Stage(
        name="baselines",
        version=1,
        inputs=("prompts", "teacher", "filters", "encoders of baselines"),
        reads=lambda c: [c.baselines, _promises(c)],
    ),
    Stage(
        name="students",
        version=2,
        inputs=("prompts", "filters", "encoders of students"),
        reads=lambda c: [c.students, c.training, c.task.labels, c.release.core_hour_usd, c.calibrate.confidence],
    ),
    Stage(
        name="calibrate",
        version=2,
        inputs=("prompts", "teacher", "students"),
        reads=_promises,
    ),
    Stage(
        name="evaluate",
        version=1,
        inputs=("prompts", "teacher", "students", "calibrate", "baselines"),
        reads=_promises,
    ),
    Stage(
        name="release",
        version=1,
        inputs=("evaluate", "students", "calibrate", "baselines"),
        reads=lambda c: [c.task, c.privacy],
    ),
    Stage(
        name="report",
        version=2,
        inputs=("logs", "prompts", "teacher", "filters", "baselines", "students", "calibrate", "evaluate", "release"),
        reads=lambda c: [c.report, c.task, c.bars, c.slices],
    ),
)

OUTSIDE = ("files", "embedder", "encoders of baselines", "encoders of students")
"""What stages are made from that no stage makes: the user's logs, and what is installed here."""
NAMES = tuple(stage.name for stage in STAGES)
BEYOND_THE_GATE = ("students", "calibrate", "evaluate", "release")
"""Stages a run leaves out when a baseline was proven."""


def inputs_of(stage: str) -> tuple[str, ...]:
    """Return the stages that a stage is made from."""
    return tuple(name for name in STAGES[NAMES.index(stage)].inputs if name not in OUTSIDE)


def keys(
    contract: Contract, files: str, embedder: str = "", of_baselines: str = "", of_students: str = ""
) -> dict[str, str]:
    """Return the key of every stage's artefact, given digests.

    They are those of all files read, of the encoder that inputs are compared by, and of those that candidates use.
    """
    outside = (files, embedder, of_baselines, of_students)
    found: dict[str, str] = dict(zip(OUTSIDE, outside, strict=True))
    for stage in STAGES:
        made_from = {name: found[name] for name in stage.inputs}
        found[stage.name] = content_key(stage.name, stage.version, made_from, stage.reads(contract))
    return found


def item_key(stage: str, version: int, inputs: Mapping[str, str], options: object) -> str:
    """Return the key of one item within a stage (one student): what changes one leaves its neighbours fresh."""
    return content_key(f"{stage} item", version, inputs, options)
