"""What a run says while it works, and the silence of those who do not listen."""

from __future__ import annotations

from typing import Protocol


class Listener(Protocol):
    """Hears how a run goes; the command line draws it."""

    def began(self, stage: str) -> None:
        """A stage starts to be made."""

    def step(self, stage: str, text: str, done: int = 0, total: int | None = None) -> None:
        """It has got so far."""

    def ended(self, stage: str, seconds: float, *, fresh: bool) -> None:
        """A stage is there: made just now, or fresh from before."""


class Silent:
    """Hears nothing."""

    def began(self, stage: str) -> None:
        """Say nothing."""

    def step(self, stage: str, text: str, done: int = 0, total: int | None = None) -> None:
        """Say nothing."""

    def ended(self, stage: str, seconds: float, *, fresh: bool) -> None:
        """Say nothing."""
