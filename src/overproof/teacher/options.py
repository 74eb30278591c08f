"""What can be turned about the teacher."""

from __future__ import annotations

from typing import Annotated

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
    """The `[sampling]` table: how many answers a training prompt gets."""

    critical: Annotated[int, Meta(ge=1)] = 1
    """Answers for each training prompt in a critical slice; more than one lets filters take a vote."""


class BudgetOptions(Record):
    """The `[budget]` table."""

    usd: Annotated[float, Meta(ge=0)] = 0.0
    """Dollars the whole project may spend on the teacher and paid baselines, over all runs."""
