"""A model whose answers are masked before anybody keeps them: it may know addresses that no prompt held."""

from __future__ import annotations

from collections import Counter

import msgspec

from overproof.core.protocols import Ask, Model, Reply
from overproof.tasks.redact import Masks


class Masked:
    """A `Model` around another; an answer's placeholders are numbered on from those of its question."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @property
    def identity(self) -> str:
        """That of the model inside."""
        return self._model.identity

    def __repr__(self) -> str:
        return f"Masked({self._model!r})"

    async def ask(self, ask: Ask) -> Reply:
        """Answer, masked; so is what an endpoint says when it fails."""
        reply = await self._model.ask(ask)
        masks = Masks([*(turn.content for turn in ask.messages), reply.text or ""])
        text = None if reply.text is None else masks.mask(reply.text, Counter())
        error = None if reply.error is None else masks.mask(reply.error, Counter())
        if (text, error) == (reply.text, reply.error):
            return reply
        return msgspec.structs.replace(reply, text=text, error=error)
