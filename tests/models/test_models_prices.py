from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.core.types import Price
from overproof.models import prices


@pytest.mark.parametrize("model", ["gpt-4o-mini", "openai/gpt-4o-mini"])
def test_a_known_model_has_its_list_price(model: str) -> None:
    assert prices.price(model) == Price(input=0.15, output=0.6)


def test_the_host_counts_before_the_name() -> None:
    assert prices.price("gpt-4o-mini", "https://api.openai.com/v1") == Price(input=0.15, output=0.6)


def test_a_model_in_tiers_costs_what_a_short_prompt_costs() -> None:
    assert prices.price("claude-sonnet-4-5") == Price(input=3.0, output=15.0)


@pytest.mark.parametrize("model", ["tern-large", "nobody/nothing", ""])
def test_an_unknown_model_has_no_price(model: str) -> None:
    assert prices.price(model, "http://127.0.0.1:8000/v1") is None


@given(st.text(max_size=200), st.text(max_size=200))
def test_more_text_is_never_fewer_tokens(text: str, more: str) -> None:
    assert prices.tokens(text) <= prices.tokens(text + more) <= prices.tokens(text) + prices.tokens(more)


def test_dollars_are_per_million_tokens() -> None:
    assert prices.cost(Price(input=1.25, output=10.0), 2_000_000, 100_000) == pytest.approx(3.5)
