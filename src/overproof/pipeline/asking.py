"""Open a model the contract names: its key from the environment, its price, its paid-for answers, the project's purse."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.resources import files
from pathlib import Path

import msgspec

from overproof.core.chance import digest
from overproof.core.errors import MissingSecret, UserError
from overproof.core.types import EndpointOptions, Price
from overproof.models.budget import Budgeted, Purse
from overproof.models.cached import Cached
from overproof.models.endpoint import Endpoint
from overproof.models.prices import price as listed_price
from overproof.models.replay import Recording, serve
from overproof.pipeline.project import Project

REPLAY = "replay:"


def key_for(options: EndpointOptions, what: str) -> str | None:
    """Return the key from the environment; a variable that is named but not set is the user's to mend."""
    if options.api_key_env is None:
        return None
    key = os.environ.get(options.api_key_env)
    if not key:
        raise MissingSecret(options.api_key_env, what)
    return key


def price_for(options: EndpointOptions) -> Price:
    """Return the price of a model; unknown prices are an error, for a budget without one would be a wish."""
    price = options.price or listed_price(options.model)
    if price is None:
        raise UserError(
            f"the price of {options.model!r} is not in the price library: "
            "write `price = { input = ..., output = ... }` (dollars per million tokens) beside its name in overproof.toml"
        )
    return price


def identity(options: EndpointOptions) -> str:
    """Return what tells one model's answers from another's, whatever port a replay server got."""
    return f"{options.base_url}|{options.model}"


def cache_path(project: Project, options: EndpointOptions) -> Path:
    """Return the file that holds every answer bought from this model."""
    return project.answers / f"{digest(identity(options), size=8)}.jsonl"


def spent(project: Project) -> float:
    """Return the dollars this project has spent on answers, over all runs and models."""
    if not project.answers.is_dir():
        return 0.0
    return sum(Cached.spent_in(path) for path in project.answers.glob("*.jsonl"))


@asynccontextmanager
async def opened(project: Project, options: EndpointOptions, purse: Purse, what: str) -> AsyncIterator[Cached]:
    """Yield the model, ready to be asked: every answer is kept, and none is bought beyond the purse."""
    if options.base_url is None:
        raise UserError(f"{what} would have to be asked, but has no `base_url` in overproof.toml")
    price = price_for(options)
    async with AsyncExitStack() as stack:
        reach = options
        if options.base_url.startswith(REPLAY):
            url = await stack.enter_async_context(serve(recording(options.base_url.removeprefix(REPLAY))))
            reach = msgspec.structs.replace(options, base_url=url)
        endpoint = await stack.enter_async_context(Endpoint(reach, key_for(options, what), price))
        cached = Cached(Budgeted(endpoint, purse, price), cache_path(project, options), identity=identity(options))
        yield stack.enter_context(cached)


def recording(name: str) -> Recording:
    """Return the recorded models called `name`; only the demo's are embedded."""
    if name != "helpdesk":
        raise UserError(f"base_url = 'replay:{name}': there is one recording, 'replay:helpdesk'")
    return Recording.load(Path(str(files("overproof.demo"))) / "recorded.jsonl.gz", key="ticket")
