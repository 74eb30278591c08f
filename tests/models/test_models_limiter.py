from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from overproof.models.limiter import Gate, Pace

events = st.lists(st.one_of(st.just("answered"), st.integers(0, 5)), max_size=200)


@given(ceiling=st.integers(1, 64), events=events)
def test_the_limit_stays_between_one_and_the_ceiling(ceiling: int, events: list[str | int]) -> None:
    pace = Pace(ceiling)

    for event in events:
        before = pace.limit
        if isinstance(event, int):
            pace.pushed_back(pace.epoch - event)
        else:
            pace.succeeded()

        assert 1 <= pace.limit <= ceiling
        assert pace.limit >= before // 2


@given(ceiling=st.integers(2, 64), pushed=st.integers(1, 64))
def test_one_round_trip_halves_once_however_many_were_refused_in_it(ceiling: int, pushed: int) -> None:
    pace = Pace(ceiling)
    sent_in = pace.epoch

    for _ in range(pushed):
        pace.pushed_back(sent_in)

    assert pace.limit == ceiling // 2


@given(ceiling=st.integers(1, 32), cuts=st.integers(0, 8))
def test_answers_bring_the_limit_back_to_the_ceiling(ceiling: int, cuts: int) -> None:
    pace = Pace(ceiling)
    for _ in range(cuts):
        pace.pushed_back(pace.epoch)

    for _ in range(ceiling * (ceiling + 1) // 2):
        pace.succeeded()

    assert pace.limit == ceiling


@given(ceiling=st.integers(2, 32), cuts=st.integers(1, 4))
def test_recovery_is_slow_one_more_for_a_round_of_answers(ceiling: int, cuts: int) -> None:
    pace = Pace(ceiling)
    for _ in range(cuts):
        pace.pushed_back(pace.epoch)
    low = pace.limit

    for _ in range(low):
        pace.succeeded()

    assert pace.limit == min(ceiling, low + 1)


@given(
    ceiling=st.integers(1, 6),
    steps=st.lists(st.sampled_from(["enter", "leave", "call off", "push", "good"]), max_size=80),
)
def test_the_gate_never_lets_in_more_than_the_limit_and_forgets_no_place(ceiling: int, steps: list[str]) -> None:
    """Whatever comes, goes, and gives up waiting, in whatever order: at the end every place is free again."""

    async def play() -> None:
        pace = Pace(ceiling)
        gate = Gate(pace)
        guests: list[tuple[asyncio.Task[None], asyncio.Event]] = []
        entered: list[int] = []

        async def visit(number: int, may_go: asyncio.Event) -> None:
            async with gate:
                assert gate.inside <= ceiling
                entered.append(number)
                await may_go.wait()

        for step in steps:
            if step == "enter":
                may_go = asyncio.Event()
                guests.append((asyncio.create_task(visit(len(guests), may_go)), may_go))
            elif step == "leave" and guests:
                guests[len(entered) // 2 % len(guests)][1].set()
            elif step == "call off" and guests:
                guests[-1][0].cancel()
            elif step == "push":
                pace.pushed_back(pace.epoch)
            elif step == "good":
                pace.succeeded()
            before = gate.inside
            await asyncio.sleep(0)
            assert gate.inside <= max(before, pace.limit)

        assert entered == sorted(entered)  # first come, first served
        for _, may_go in guests:
            may_go.set()
        await asyncio.gather(*(task for task, _ in guests), return_exceptions=True)
        assert gate.inside == 0

    asyncio.run(play())


def test_a_place_handed_to_someone_called_off_at_that_moment_goes_to_the_next() -> None:
    async def play() -> list[str]:
        gate, seen = Gate(Pace(1)), []

        async def visit(name: str) -> None:
            async with gate:
                seen.append(name)

        await gate.__aenter__()
        second, third = asyncio.create_task(visit("second")), asyncio.create_task(visit("third"))
        await asyncio.sleep(0)
        await gate.__aexit__(None, None, None)  # hands the place to the second ...
        second.cancel()  # ... who is called off before taking it
        await asyncio.gather(second, third, return_exceptions=True)
        return seen

    assert asyncio.run(asyncio.wait_for(play(), 5)) == ["third"]
