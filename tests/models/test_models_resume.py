"""Killed in the middle and started again: nothing paid for is lost, nothing is bought twice."""

from __future__ import annotations

import asyncio
import sys
import textwrap
from pathlib import Path

import pytest

from overproof.models import journal
from overproof.models.fake import FaultName, FaultyServer

PROMPTS = 300
AT_ONCE = 16
SHARES: dict[FaultName, float] = {
    "busy": 0.08,
    "broken": 0.08,
    "truncated": 0.08,
    "garbage": 0.05,
    "reset": 0.08,
    "slow": 0.3,
}
CHILD = f"""
    import asyncio, sys
    from pathlib import Path
    from overproof.core.protocols import Ask
    from overproof.core.types import EndpointOptions, Message, Price
    from overproof.models.budget import Budgeted, Purse
    from overproof.models.cached import Cached
    from overproof.models.endpoint import Endpoint
    from overproof.teacher.ask import ask

    async def main(url, path):
        price = Price(input=1.0, output=2.0)
        options = EndpointOptions(model="fake", base_url="http://models.test/v1", at_once={AT_ONCE}, attempts=6)
        asks = [(str(i), Ask(messages=(Message(role="user", content=str(i)),))) for i in range({PROMPTS})]
        async with Endpoint(options, None, price, url=url, first_pause_s=0.005) as endpoint:
            with Cached(Budgeted(endpoint, Purse(5.0), price), Path(path)) as model:
                answered = await ask(model, asks)
        assert [each.text for each in answered] == [f"to {{i}}" for i in range({PROMPTS})]
        print(sum(each.source == "cache" for each in answered), sum(each.cost_usd for each in answered))

    asyncio.run(main(*sys.argv[1:]))
"""


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    server = FaultyServer(lambda body: f"to {body['messages'][-1]['content']}", SHARES, slow_s=0.02)

    async def start(url: str) -> asyncio.subprocess.Process:
        command = (sys.executable, "-W", "error", "-c", textwrap.dedent(CHILD), url, str(path))
        return await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)

    async def play() -> tuple[int, int, str]:
        async with server.listening() as url:
            first = await start(url)
            await server.until(answered=PROMPTS // 3)
            first.kill()
            await first.wait()
            paid, kept = server.answered, len(journal.read(path))
            second = await start(url)
            said, _ = await second.communicate()
            assert second.returncode == 0
            return paid, kept, said.decode()

    paid_before, kept, said = asyncio.run(asyncio.wait_for(play(), 60))
    found, cost = said.split()

    entries = journal.read(path)
    assert PROMPTS // 3 <= paid_before < PROMPTS  # it was in the middle
    assert int(found) == kept  # all that was kept was used
    assert len(entries) == len({entry.key for entry in entries}) == PROMPTS
    lost = server.answered - PROMPTS
    assert 0 <= lost <= AT_ONCE  # at most the answers that were on their way when it was killed
    assert sum(entry.cost_usd for entry in entries[kept:]) == pytest.approx(float(cost))
