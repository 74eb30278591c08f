"""What can be turned about the teacher."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from overproof.core.types import EndpointOptions, Record


class TeacherOptions(EndpointOptions):
    """The `[teacher]` table: the model whose traffic the student is to take over."""

    terms: str = ""
    """`acknowledged` once you have read that the teacher's terms allow distillation; training is refused until then."""
    also_answers_as: tuple[str, ...] = ()
    """Other names the same model goes by in the logs (dated snapshots)."""
    ceiling: Annotated[int, Meta(ge=0)] = 100
    """Prompts asked a second time to measure how often the teacher agrees with itself."""

    @property
    def names(self) -> frozenset[str]:
        """Every name its answers may stand under in a log."""
        return frozenset((self.model, *self.also_answers_as))


class SamplingOptions(Record):
    """The `[sampling]` table: where the teacher is asked again before its answer is learned from."""

    critical: Annotated[int, Meta(ge=1)] = 1
    """Answers at most for a training prompt in a critical slice, added one by one until the vote is settled."""
    hard: Annotated[int, Meta(ge=1)] = 1
    """Answers at most for a training prompt whose first answer is doubted."""
    share: Annotated[float, Meta(ge=0, le=1)] = 0.25
    """Share of the training prompts that may be doubted at most, the most doubtful first. 0: nothing is doubted."""
    temperature: Annotated[float, Meta(ge=0)] | None = None
    """Temperature that further answers are asked at; left out, the request's own. At 0 most teachers say the same
    again, right or wrong, and asking finds little."""
    control: Annotated[int, Meta(ge=0)] = 0
    """Prompts drawn by chance and asked as often as doubtful ones, so that the report can say what choosing bought."""


class VerifierOptions(EndpointOptions):
    """The `[verifier]` table: a model that looks at doubtful answers a second time, before they are learned from."""

    instruction: str = ""
    """What it is told; left out, a plain question whether the answer is right, to be answered with yes or no."""
    parameters: dict[str, Any] = msgspec.field(default_factory=lambda: {"temperature": 0, "max_tokens": 16})
    """What it is asked with. A model that thinks before it answers needs more room."""


class BudgetOptions(Record):
    """The `[budget]` table."""

    usd: Annotated[float, Meta(ge=0)] = 0.0
    """Dollars the whole project may spend on the teacher and paid baselines, over all runs."""
