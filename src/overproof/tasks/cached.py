"""Which calls a gateway answered from its cache: whoever takes a repeat for an opinion, or prices a call, asks here."""

from __future__ import annotations

from typing import Final

import polars as pl

from overproof.core.types import FROM_CACHE

_WRITTEN: Final = [f'"{key}":"{value}"' for key, said in FROM_CACHE.items() for value in (said, said.capitalize())]
"""Metadata is canonical JSON; what an application wrote itself may say it as Python does."""


def from_cache(metadata: str = "metadata") -> pl.Expr:
    """Return whether each row's `metadata` says that a gateway answered from its cache (`core.types.FROM_CACHE`)."""
    return pl.col(metadata).str.contains_any(_WRITTEN)
