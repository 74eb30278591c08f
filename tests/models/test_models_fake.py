from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.core.protocols import Ask, Reply
from overproof.models.fake import FakeModel, FaultName, FaultyServer

Question = Callable[..., Ask]
SHARES: dict[FaultName, float] = {"busy": 0.3, "broken": 0.3, "hang": 0.3}


def test_it_answers_by_the_last_message_and_the_sample(question: Question) -> None:
    model = FakeModel({"a": "one", "b": ["two", "three"]}, cost_usd=0.5)

    async def play() -> list[Reply]:
        return [await model.ask(question(text, sample=i)) for text, i in [("a", 3), ("b", 0), ("b", 1), ("b", 2)]]

    replies = asyncio.run(play())

    assert [reply.text for reply in replies] == ["one", "two", "three", "two"]
    assert sum(reply.cost_usd for reply in replies) == 2.0
    assert len(model.asked) == 4


def test_what_it_does_not_know_is_a_row_that_failed(question: Question) -> None:
    reply = asyncio.run(FakeModel({}).ask(question("a")))

    assert reply.text is None
    assert reply.error


@given(request=st.text(max_size=8), in_a_row=st.integers(0, 5))
def test_every_request_is_answered_in_the_end_and_always_fares_the_same(request: str, in_a_row: int) -> None:
    fates = [
        [FaultyServer(lambda _: "", SHARES, in_a_row=in_a_row).fault(request, attempt) for attempt in range(9)]
        for _ in range(2)
    ]

    assert fates[0] == fates[1]
    assert fates[0][in_a_row:] == [None] * (9 - in_a_row)


def test_faults_come_in_the_shares_asked_for() -> None:
    server = FaultyServer(lambda _: "", {"busy": 0.2, "reset": 0.1})

    fates = [server.fault(str(i), 0) for i in range(4000)]

    assert fates.count("busy") / 4000 == pytest.approx(0.2, abs=0.03)
    assert fates.count("reset") / 4000 == pytest.approx(0.1, abs=0.03)


def test_more_faults_than_there_are_attempts_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 1"):
        FaultyServer(lambda _: "", {"busy": 0.7, "reset": 0.7})
