"""What a model's answers cost: list prices from a maintained library, and tokens by rule of thumb."""

from __future__ import annotations

import math

from overproof.core.types import Price

BYTES_PER_TOKEN = 3.5
"""Of UTF-8, for the tokenisers in use: English is nearer 4.5, other scripts and JSON nearer 3."""


def price(model: str, base_url: str | None = None) -> Price | None:
    """Return the list price of `model`, None when the library does not know it; no network is used.

    The same model costs different money at different hosts, so the host of `base_url` is tried first, then the name
    alone (`vendor/model` too). Prices in tiers are those of a short prompt.
    """
    vendor, slash, name = model.partition("/")
    return (
        (_listed(model, url=base_url) if base_url else None)
        or _listed(model)
        or (_listed(name, vendor=vendor) if slash else None)
    )


def _listed(model: str, *, url: str | None = None, vendor: str | None = None) -> Price | None:
    from genai_prices import Usage, calc_price

    short = Usage(input_tokens=1000, output_tokens=1000)
    try:
        if vendor:
            each = calc_price(short, model, provider_id=vendor)
        else:
            each = calc_price(short, model, provider_api_url=url)
    except LookupError:
        return None
    return Price(input=float(each.input_price) * 1000, output=float(each.output_price) * 1000)


def tokens(text: str) -> int:
    """Return about how many tokens `text` is: one for 3.5 bytes. Good to a third or so, for estimates only."""
    return math.ceil(len(text.encode("utf-8", "surrogatepass")) / BYTES_PER_TOKEN)


def cost(price: Price, input_tokens: float, output_tokens: float) -> float:
    """Return the dollars that so many tokens cost."""
    return (input_tokens * price.input + output_tokens * price.output) / 1_000_000
