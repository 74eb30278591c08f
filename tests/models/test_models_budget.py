from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.core.protocols import Ask, Reply
from overproof.core.types import EndpointOptions, Message, Price
from overproof.models.budget import LONGEST_ANSWER, OUT_OF_BUDGET, Budgeted, Purse, largest_cost
from overproof.models.cached import Cached
from overproof.models.endpoint import Endpoint
from overproof.models.fake import FakeModel, FaultyServer
from overproof.models.prices import tokens

PRICE = Price(input=1.0, output=10.0)
Question = Callable[..., Ask]

money = st.floats(0, 10, allow_nan=False)
steps = st.lists(st.tuples(st.floats(0, 5), st.floats(0, 1)), max_size=40)


@given(limit=money, spent=money, steps=steps, order=st.randoms(use_true_random=False))
def test_spent_and_reserved_never_pass_the_limit(
    limit: float,
    spent: float,
    steps: list[tuple[float, float]],
    order: Any,  # noqa: ANN401 - hypothesis's own Random
) -> None:
    """Whatever is reserved and settled, in whatever order, as long as no call costs more than its reservation."""
    purse, under_way = Purse(limit, spent), []

    for most, share in steps:
        if purse.take(most):
            under_way.append((most, most * share))
        if under_way and order.random() < 0.5:
            purse.settle(*under_way.pop(order.randrange(len(under_way))))

        assert purse.spent + purse.reserved <= max(limit, spent) + 1e-9
    for most, paid in under_way:
        purse.settle(most, paid)
    assert purse.reserved == 0


class Costing:
    """Each answer costs what is asked of it, after a while."""

    identity = "costing|costing"

    def __init__(self, cost: float) -> None:
        self.cost = cost
        self.calls = 0

    async def ask(self, ask: Ask) -> Reply:
        self.calls += 1
        await asyncio.sleep(0)
        return Reply(text="yes", cost_usd=self.cost)


def all_asked(model: Any, asks: list[Ask]) -> list[Reply]:  # noqa: ANN401 - any model
    async def play() -> list[Reply]:
        return await asyncio.wait_for(asyncio.gather(*map(model.ask, asks)), 10)

    return asyncio.run(play())


@given(limit=st.floats(0, 0.05), share=st.floats(0, 1), n=st.integers(1, 40))
def test_the_budget_stops_the_asking_and_is_used_up_to_the_last_call(limit: float, share: float, n: int) -> None:
    asks = [Ask(messages=(Message(role="user", content=str(i)),), parameters={"max_tokens": 100}) for i in range(n)]
    most = max(largest_cost(ask, PRICE) for ask in asks)
    purse, inner = Purse(limit), Costing(most * share)

    replies = all_asked(Budgeted(inner, purse, PRICE), asks)

    bought = sum(reply.error is None for reply in replies)
    assert purse.spent <= limit + 1e-9
    assert inner.calls == bought
    assert {reply.error for reply in replies} <= {None, OUT_OF_BUDGET}
    assert purse.exhausted == (bought < n)
    if purse.exhausted:
        assert purse.spent + most > limit  # nothing that would have fitted was left out


def test_reservations_far_above_the_cost_do_not_stop_a_run_that_fits() -> None:
    """Without max_tokens a call is reserved at 4 cents and costs a hundredth of one."""
    asks = [Ask(messages=(Message(role="user", content=str(i)),)) for i in range(50)]
    purse = Purse(0.10)

    replies = all_asked(Budgeted(Costing(0.0005), purse, PRICE), asks)

    assert [reply.error for reply in replies] == [None] * 50
    assert purse.spent == pytest.approx(0.025)


def test_a_call_that_is_called_off_gives_its_reservation_back(question: Question) -> None:
    class Stuck:
        identity = "stuck|stuck"

        async def ask(self, ask: Ask) -> Reply:
            await asyncio.Event().wait()
            raise AssertionError

    async def play() -> Purse:
        purse = Purse(1.0)
        task = asyncio.create_task(Budgeted(Stuck(), purse, PRICE).ask(question()))
        await asyncio.sleep(0)
        assert purse.reserved > 0
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return purse

    assert asyncio.run(play()).reserved == 0


def test_hits_cost_nothing_even_when_the_purse_is_empty(tmp_path: Path, question: Question) -> None:
    path = tmp_path / "answers.jsonl"
    with Cached(FakeModel({"a": "1"}), path) as cached:
        all_asked(cached, [question("a")])

    with Cached(Budgeted(FakeModel({"a": "1"}), Purse(0.0), PRICE), path) as cached:
        [hit, refused] = all_asked(cached, [question("a"), question("b")])

    assert (hit.text, hit.error) == ("1", None)
    assert refused.error == OUT_OF_BUDGET


def test_a_model_without_a_price_needs_no_budget(question: Question) -> None:
    [reply] = all_asked(Budgeted(FakeModel({"a": "1"}), Purse(0.0), Price(input=0, output=0)), [question("a")])

    assert reply.text == "1"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80), st.integers(1, 500))
def test_the_largest_cost_is_above_what_any_tokeniser_makes_of_the_text(text: str, limit: int) -> None:
    """A token holds at least one byte."""
    ask = Ask(messages=(Message(role="user", content=text),), parameters={"max_tokens": limit})

    assert largest_cost(ask, PRICE) >= (len(text.encode()) * PRICE.input + limit * PRICE.output) / 1e6
    assert largest_cost(ask, PRICE) >= (tokens(text) * PRICE.input + limit * PRICE.output) / 1e6


def test_an_answer_without_a_limit_is_reserved_at_a_long_one(question: Question) -> None:
    assert largest_cost(question(), Price(input=0, output=1e6)) == LONGEST_ANSWER
    assert largest_cost(question(parameters={"max_completion_tokens": 7}), Price(input=0, output=1e6)) == 7


def test_the_run_stops_in_the_middle_over_real_http_with_the_money_kept(
    options: Callable[..., EndpointOptions], question: Question
) -> None:
    server, purse, price = FaultyServer(lambda _: "yes"), Purse(0.01), Price(input=10, output=10)

    async def play() -> list[Reply]:
        async with server.listening() as url, Endpoint(options(at_once=4), None, price, url=url) as endpoint:
            model = Budgeted(endpoint, purse, price)
            return await asyncio.gather(
                *(model.ask(question(f"number {i}", parameters={"max_tokens": 20})) for i in range(300))
            )

    replies = asyncio.run(play())

    bought = [reply for reply in replies if reply.error is None]
    assert 0 < len(bought) < 300
    assert server.answered == len(bought)
    assert purse.spent == pytest.approx(sum(reply.cost_usd for reply in bought))
    assert 0.008 < purse.spent <= 0.01
    assert purse.exhausted
