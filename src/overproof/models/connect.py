"""A model ready to be asked: endpoint, budget and cache, put together in the one right order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from overproof.core.errors import UserError
from overproof.core.types import EndpointOptions, Price
from overproof.models import prices
from overproof.models.budget import Budgeted, Purse
from overproof.models.cached import Cached
from overproof.models.endpoint import Endpoint


@asynccontextmanager
async def connect(
    options: EndpointOptions, key: str | None, cache: Path, purse: Purse, *, url: str | None = None
) -> AsyncIterator[Cached]:
    """Yield the model that `options` describe: hits cost nothing, everything else is held to `purse`.

    `url` is where it is reached when that is not `options.base_url` itself.
    """
    cost = known_price(options)
    async with Endpoint(options, key, cost, url=url) as endpoint:
        with Cached(Budgeted(endpoint, purse, cost), cache, send_metadata=options.send_metadata) as model:
            yield model


def known_price(options: EndpointOptions) -> Price:
    """Return what the model costs; raise `UserError` when nobody knows, for then no budget could be held."""
    found = options.price or prices.price(options.model, options.base_url)
    if found is None:
        raise UserError(
            f"no price is known for {options.model!r}: set price = {{ input = ..., output = ... }} beside its model, "
            "in dollars per million tokens (0 if it is yours)"
        )
    return found
