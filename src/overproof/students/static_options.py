"""What can be turned about the static student."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from overproof.core.types import Record


class StaticOptions(Record):
    """Which encoder's tokens a static student reads, and how closely it fits."""

    name: str = "static"
    """What reports call it."""
    model: str = "minilm"
    """The installed encoder whose tokens and their vectors it takes."""
    pairs: bool = True
    """Whether two tokens in a row that training texts share say something of their own: word order, a little."""
    penalty: Annotated[float, Meta(ge=1e-7, lt=1)] | None = None
    """L2 penalty on the weights beside the mean loss. Less fits closer. None: the one that does best on tune."""
