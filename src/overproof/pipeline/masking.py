"""A model whose answers are masked before anybody keeps them: it may know addresses that no prompt held."""

from __future__ import annotations

from collections import Counter

import msgspec

from overproof.core.protocols import Ask, Model, Reply
from overproof.pipeline.project import Project
from overproof.tasks import names
from overproof.tasks.names import Names
from overproof.tasks.redact import WRITING, Masks


class Masked:
    """A `Model` around another; an answer's placeholders are numbered on from those of its question."""

    def __init__(self, model: Model, people: Names | None = None) -> None:
        self._model = model
        self._people = people

    @property
    def identity(self) -> str:
        """That of the model inside."""
        return self._model.identity

    def __repr__(self) -> str:
        return f"Masked({self._model!r})"

    async def ask(self, ask: Ask) -> Reply:
        """Answer, masked; so is what an endpoint says when it fails."""
        reply = await self._model.ask(ask)
        masks = Masks([*(turn.content for turn in ask.messages), reply.text or ""], people=self._people)
        text, error = (
            None if each is None else masks.mask(each, Counter(), writing=len(each) >= WRITING)
            for each in (reply.text, reply.error)
        )
        if (text, error) == (reply.text, reply.error):
            return reply
        return msgspec.structs.replace(reply, text=text, error=error)


def people_of(project: Project) -> Names | None:
    """Return what finds names of people and places, None where the contract does not want them masked.

    Raises:
        UserError: the contract wants them masked, and what that takes is not installed.
    """
    privacy = project.contract.privacy
    return names.finder(privacy.names_models) if privacy.redact and privacy.names else None
