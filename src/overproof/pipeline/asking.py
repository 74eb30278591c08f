"""Open a model the contract names: its key from the environment, its price, its paid-for answers, the purse."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.resources import files
from pathlib import Path

from overproof.core.chance import digest
from overproof.core.errors import MissingSecret, UserError
from overproof.core.protocols import Model
from overproof.core.types import EndpointOptions, Price
from overproof.models import journal
from overproof.models.budget import Budgeted, Purse
from overproof.models.cached import Cached
from overproof.models.endpoint import Endpoint
from overproof.models.prices import price as listed_price
from overproof.models.replay import Recording, serve
from overproof.pipeline.masking import Masked, people_of
from overproof.pipeline.progress import Listener
from overproof.pipeline.project import Project
from overproof.teacher.ask import Progress, Watch

REPLAY = "replay:"
NOWHERE = "http://127.0.0.1/v1"
"""Where a model is said to be that is only looked up, never asked."""


def key_for(options: EndpointOptions, what: str) -> str | None:
    """Return the key from the environment; a variable that is named but not set is the user's to mend."""
    if options.api_key_env is None:
        return None
    key = os.environ.get(options.api_key_env)
    if not key:
        raise MissingSecret(options.api_key_env, what)
    return key


def known_price(options: EndpointOptions) -> Price | None:
    """Return the price the contract or the price library gives, None when neither knows the model."""
    return options.price or listed_price(options.model, options.base_url)


def price_for(options: EndpointOptions) -> Price:
    """Return the price of a model; unknown prices are an error, for a budget without one would be a wish."""
    price = known_price(options)
    if price is None:
        raise UserError(
            f"the price of {options.model!r} is not in the price library: "
            "write `price = { input = ..., output = ... }` (dollars per million tokens) beside it in overproof.toml"
        )
    return price


def answers_file(project: Project, options: EndpointOptions) -> Path:
    """Return the file that holds every answer bought from this model."""
    return project.answers / f"{digest(str(options.base_url), options.model, size=8)}.jsonl"


def spent(project: Project) -> float:
    """Return the dollars this project has spent on answers, over all runs and models."""
    if not project.answers.is_dir():
        return 0.0
    return sum(entry.cost_usd for path in project.answers.glob("*.jsonl") for entry in journal.read(path))


def kept(project: Project, options: EndpointOptions) -> Cached:
    """Return the answers bought from this model so far, to look up without asking anybody."""
    return _kept(project, options, Endpoint(options, None, None, url=NOWHERE))


def _kept(project: Project, options: EndpointOptions, model: Model) -> Cached:
    return Cached(model, answers_file(project, options), send_metadata=options.send_metadata)


@asynccontextmanager
async def opened(project: Project, options: EndpointOptions, purse: Purse, what: str) -> AsyncIterator[Cached]:
    """Yield the model, ready to be asked: every answer is kept, and none is bought beyond the purse."""
    if options.base_url is None:
        raise UserError(f"{what} would have to be asked, but has no `base_url` in overproof.toml")
    price, url = price_for(options), None
    async with AsyncExitStack() as stack:
        if options.base_url.startswith(REPLAY):
            url = await stack.enter_async_context(serve(recording(options.base_url.removeprefix(REPLAY))))
        endpoint = Endpoint(options, key_for(options, what), price, url=url)
        model: Model = Budgeted(await stack.enter_async_context(endpoint), purse, price)
        if project.contract.privacy.redact:
            model = Masked(model, people_of(project))
        yield stack.enter_context(_kept(project, options, model))


def heard(listen: Listener, stage: str) -> Watch:
    """Return a watch that tells `listen` how the asking goes."""

    def tell(progress: Progress) -> None:
        eta = "" if progress.eta_s is None else f", {progress.eta_s:.0f} s to go"
        failed = f", {progress.failed} failed" if progress.failed else ""
        listen.step(stage, f"{progress.rate:.0f}/s, ${progress.usd:.4f}{failed}{eta}", progress.done, progress.total)

    return tell


def refuse_exhausted(purse: Purse) -> None:
    """Say that the money did not do; what it bought is kept, so nothing is lost by going on later."""
    if purse.exhausted:
        raise UserError(
            f"the budget of ${purse.limit:.2f} is used up (${purse.spent:.2f} spent) and not every answer is there: "
            "raise budget.usd in overproof.toml and run again; what was bought is kept"
        )


def recording(name: str) -> Recording:
    """Return the recorded models called `name`; only the demo's are embedded."""
    if name != "helpdesk":
        raise UserError(f"base_url = 'replay:{name}': there is one recording, 'replay:helpdesk'")
    return Recording.read(Path(str(files("overproof.demo"))) / "recorded.jsonl.gz", key="ticket")
