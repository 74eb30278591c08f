"""A cheaper model off the shelf, asked what the teacher was asked."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from overproof.baselines.endpoint import OffTheShelf
from overproof.core import tables
from overproof.core.errors import ContractError, UserError
from overproof.core.plugins import build
from overproof.core.protocols import Ask, Asking, Baseline, Means, Model, Reply
from overproof.core.splits import Train
from overproof.core.types import EndpointOptions, Example, Message, Prediction, Price, Prompt, PromptId, UnitId
from overproof.models.cached import Cached
from overproof.tasks.classify import Classify

TASK = Classify(labels=("a", "b"))
PRICE = Price(input=1.0, output=10.0)
MINI = OffTheShelf(model="mini", base_url="http://localhost/v1", price=PRICE, send_metadata=("ticket",), at_once=3)


class Scripted:
    """Answers by the content of the last message, and keeps what it was asked."""

    identity = "scripted|mini"

    def __init__(self, replies: dict[str, Reply] | None = None) -> None:
        self.replies = replies or {}
        self.asked: list[Ask] = []
        self.under_way = self.most = 0

    async def ask(self, ask: Ask) -> Reply:
        self.asked.append(ask)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        text = ask.messages[-1].content
        return self.replies.get(text) or Reply(
            text=text, input_tokens=1000, output_tokens=10, cost_usd=0.0011, latency_ms=7.0
        )


class Refusing:
    identity = "refusing|mini"

    async def ask(self, ask: Ask) -> Reply:
        raise UserError("the key was refused")


def prompt(text: str, i: int = 0) -> Prompt:
    return Prompt(
        id=PromptId(f"p{i}"),
        input=text,
        messages=(Message(role="system", content="be brief"), Message(role="user", content=text)),
        parameters={"temperature": 0.5},
        metadata={"ticket": "t1", "tier": "pro"},
        unit=UnitId("u"),
    )


def said(model: Model | None, *texts: str, baseline: OffTheShelf = MINI) -> list[Prediction]:
    prompts = tables.frame([prompt(text, i) for i, text in enumerate(texts)], Prompt)
    table = asyncio.run(baseline.answer(prompts, Train(tables.frame([], Example)), TASK, model, Means()))
    assert table.schema == tables.schema(Prediction)
    return list(tables.records(table, Prediction))


def test_it_asks_what_the_teacher_was_asked() -> None:
    model = Scripted()
    said(model, "a")

    (ask,) = model.asked
    asked = prompt("a")
    assert ask == Ask(
        messages=asked.messages, parameters={"temperature": 0.5}, metadata={"ticket": "t1"}, about=asked.id
    )


def test_what_can_be_read_is_answered_and_the_rest_is_not() -> None:
    found = said(Scripted(), "a", "Category: b", "no idea")

    assert [(each.answer, each.confidence) for each in found] == [("a", 1.0), ("b", 1.0), (None, 0.0)]
    assert [(each.cost_usd, each.latency_ms) for each in found] == [(0.0011, 7.0)] * 3


def test_a_failed_call_has_no_answer() -> None:
    (found,) = said(Scripted({"a": Reply(text=None, error="503 after 6 tries")}), "a")

    assert (found.answer, found.confidence, found.cost_usd, found.latency_ms) == (None, 0.0, 0.0, None)


def test_answers_keep_their_order_with_few_under_way() -> None:
    texts = ["a", "b"] * 20
    model = Scripted()

    assert [each.answer for each in said(model, *texts)] == texts
    assert model.most == 3


def test_no_prompts_need_no_answers() -> None:
    assert said(Scripted()) == []


def test_an_answer_from_the_cache_counts_at_its_price(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with Cached(Scripted(), path) as model:
        bought = said(model, "a")
    with Cached(Scripted(), path) as model:
        again = said(model, "a")

    assert bought == again
    assert again[0].cost_usd == pytest.approx(0.0011)


def test_a_cached_answer_without_tokens_is_estimated_and_one_without_price_is_free() -> None:
    model = Scripted({"a": Reply(text="a", cached=True)})
    unpriced = OffTheShelf(model="nobody-sells-this", base_url="http://localhost/v1")

    assert 0 < said(model, "a")[0].cost_usd < 1e-4
    assert said(model, "a", baseline=unpriced)[0].cost_usd == 0.0


def test_what_stops_every_row_stops_the_run_as_it_is() -> None:
    with pytest.raises(UserError, match="the key was refused"):
        said(Refusing(), "a", "b", "a", "b")


def test_an_endpoint_that_fails_from_the_start_is_given_up_after_25_asks() -> None:
    model = Scripted({"a": Reply(text=None, error="503 after 6 tries")})

    with pytest.raises(UserError, match="first 25 asks all failed, the last one so: 503"):
        said(model, *["a"] * 100)
    assert len(model.asked) < 50
    assert [each.answer for each in said(model, "b", *["a"] * 99)] == ["b"] + [None] * 99


def test_money_that_runs_out_is_not_taken_for_a_broken_endpoint() -> None:
    found = said(Scripted({"a": Reply(text=None, error="budget")}), *["a"] * 30)

    assert {each.answer for each in found} == {None}


def test_it_cannot_be_asked_without_a_model() -> None:
    with pytest.raises(UserError, match="'mini' asks a model"):
        said(None, "a")


def test_its_endpoint_carries_every_option() -> None:
    assert MINI.endpoint == EndpointOptions(
        model="mini", base_url="http://localhost/v1", price=PRICE, send_metadata=("ticket",), at_once=3
    )


def test_it_is_called_by_its_model_unless_named() -> None:
    table = {"kind": "endpoint", "model": "mini", "base_url": "replay:helpdesk"}
    plain: Baseline = build("baselines", table, key="kind", where="baselines[0]")
    named: Baseline = build("baselines", {**table, "name": "small"}, key="kind", where="baselines[0]")

    assert (plain.name, named.name) == ("mini", "small")


def test_it_says_beforehand_what_it_will_ask() -> None:
    model = Scripted()
    said(model, "a", "b")
    prompts = tables.frame([prompt("a", 0), prompt("b", 1)], Prompt)

    assert isinstance(MINI, Asking)
    assert MINI.asks(prompts, None, TASK, Means()) == model.asked


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"base_url": None}, "base_url"),
        ({"at_once": 0}, ">= 1 - at `$.at_once`"),
        ({"attempts": 0}, ">= 1 - at `$.attempts`"),
        ({"timeout_s": 0.0}, "> 0.0 - at `$.timeout_s`"),
        ({"price": {"input": -1.0, "output": 1.0}}, ">= 0.0 - at `$.price.input`"),
    ],
)
@pytest.mark.parametrize("kind", ["endpoint", "few_shot"])
def test_options_that_allow_no_call_are_refused(kind: str, options: dict[str, object], says: str) -> None:
    table = {"kind": kind, "model": "mini", "base_url": "http://localhost/v1"} | options

    with pytest.raises(ContractError, match=re.escape(says)):
        build("baselines", {name: value for name, value in table.items() if value is not None}, key="kind", where="b")
