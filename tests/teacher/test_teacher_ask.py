from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.core.errors import UserError
from overproof.core.protocols import Ask, Reply
from overproof.core.types import Completion, Message, Price, PromptId
from overproof.models.budget import Budgeted, Purse
from overproof.models.cached import Cached
from overproof.models.fake import FakeModel
from overproof.teacher.ask import HOPELESS, Progress, ask


def calls(n: int) -> list[tuple[PromptId, Ask]]:
    return [(PromptId(f"p{i}"), Ask(messages=(Message(role="user", content=str(i)),), sample=i % 2)) for i in range(n)]


def echo(each: Ask) -> str:
    return f"to {each.messages[-1].content}"


class Counting:
    """Answers after some turns of the loop; knows how many were under way at once."""

    identity = "counting|counting"

    def __init__(self, fail_at: int | None = None) -> None:
        self.under_way = self.most = self.calls = 0
        self.half_way = asyncio.Event()
        self.fail_at = fail_at

    async def ask(self, each: Ask) -> Reply:
        self.calls += 1
        if self.calls == 50:
            self.half_way.set()
        if self.calls == self.fail_at:
            raise UserError("the key was refused")
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            for _ in range(int(each.messages[-1].content) % 5):
                await asyncio.sleep(0)
        finally:
            self.under_way -= 1
        return Reply(text=echo(each), cost_usd=0.01)


@given(n=st.integers(0, 60), at_once=st.integers(1, 9))
def test_each_ask_gets_its_own_answer_in_its_own_place(n: int, at_once: int) -> None:
    model = Counting()

    answered = asyncio.run(ask(model, calls(n), at_once=at_once))

    assert [(each.prompt_id, each.sample, each.text) for each in answered] == [
        (f"p{i}", i % 2, f"to {i}") for i in range(n)
    ]
    assert model.most <= at_once


def test_a_completion_says_where_its_answer_came_from(tmp_path: Path) -> None:
    with Cached(FakeModel(echo, name="big", cost_usd=0.5), tmp_path / "a.jsonl") as model:
        [bought] = asyncio.run(ask(model, calls(1)))
        [hit] = asyncio.run(ask(model, calls(1)))

    assert (bought.source, bought.cost_usd, bought.model, bought.finish_reason) == ("asked", 0.5, "big", "stop")
    assert (hit.source, hit.cost_usd, hit.model, hit.text) == ("cache", 0.0, "big", bought.text)


def test_a_row_that_failed_is_there_with_its_reason() -> None:
    answered = asyncio.run(ask(FakeModel({"0": "yes"}), calls(3)))

    assert [each.error is None for each in answered] == [True, False, False]
    assert answered[1] == Completion(
        prompt_id=PromptId("p1"),
        sample=1,
        model="fake",
        source="asked",
        error="the fake model has no answer to this",
    )


def test_when_all_fail_the_asking_stops_and_says_how() -> None:
    model = FakeModel({})

    with pytest.raises(UserError, match=f"the first {HOPELESS} asks all failed, the last one so: the fake model"):
        asyncio.run(ask(model, calls(500), at_once=4))

    assert len(model.asked) < HOPELESS + 4


def test_an_empty_purse_is_no_failure_of_the_model() -> None:
    seen: list[Progress] = []

    answered = asyncio.run(ask(Budgeted(FakeModel(echo), Purse(0.0), Price(input=1, output=1)), calls(60), seen.append))

    assert {each.error for each in answered} == {"budget"}
    assert (seen[-1].unaffordable, seen[-1].failed) == (60, 0)


def test_what_stops_the_model_stops_the_asking_as_itself() -> None:
    model = Counting(fail_at=10)

    with pytest.raises(UserError, match="the key was refused"):
        asyncio.run(ask(model, calls(200), at_once=3))

    assert model.calls < 20
    assert model.under_way == 0


def test_called_off_it_leaves_nothing_running_and_all_that_was_answered_in_the_cache(tmp_path: Path) -> None:
    """As Ctrl-C does: the task is cancelled in the middle, and the next run asks only for the rest."""
    path = tmp_path / "answers.jsonl"
    before = Counting()

    async def stopped() -> None:
        with Cached(before, path) as model:
            asking = asyncio.create_task(ask(model, calls(100), at_once=4))
            await before.half_way.wait()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(stopped())
    after = Counting()
    with Cached(after, path) as model:
        answered = asyncio.run(ask(model, calls(100)))

    assert [each.text for each in answered] == [f"to {i}" for i in range(100)]
    assert 100 <= before.calls + after.calls <= 104  # at most those under way are asked twice


def test_progress_is_told_now_and_then_and_at_the_end() -> None:
    seen: list[Progress] = []
    ticks = iter(range(1000))

    asyncio.run(ask(Counting(), calls(50), seen.append, at_once=3, clock=lambda: next(ticks) * 0.03))

    assert 5 < len(seen) < 30
    assert [each.done for each in seen] == sorted(each.done for each in seen)
    last = seen[-1]
    assert (last.done, last.total, last.bought) == (50, 50, 50)
    assert last.usd == pytest.approx(0.5)
    assert last.rate == pytest.approx(50 / last.elapsed_s)
    assert last.eta_s == 0


def test_nothing_to_ask_is_no_fault() -> None:
    seen: list[Progress] = []

    assert asyncio.run(ask(FakeModel({}), [], seen.append)) == []
    assert (seen[-1].done, seen[-1].total, seen[-1].eta_s) == (0, 0, None)
