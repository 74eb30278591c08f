"""A plan prices the very calls a baseline will make, and before it can know them, not too few."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import toy_logs
from overproof.core.errors import UserError
from overproof.models.fake import FaultyServer
from overproof.pipeline import asking
from overproof.pipeline.candidates import baselines_to_buy, evaluation_prompts
from overproof.pipeline.plan import plan
from overproof.pipeline.project import Project
from overproof.pipeline.run import run
from toy_logs import CONTRACT

FEW_SHOT = """
[[baselines]]
kind = "majority"

[[baselines]]
kind = "near_answer_cache"

[[baselines]]
kind = "few_shot"
model = "small"
base_url = "{url}"
price = {{ input = 0.5, output = 1.5 }}

[budget]
usd = 5
"""


def copying(body: Mapping[str, Any]) -> str:
    """Answer as the last example does."""
    return next((str(turn["content"]) for turn in reversed(body["messages"]) if turn["role"] == "assistant"), "other")


def change(folder: Path, one: str, other: str) -> None:
    """Write `other` into the contract where `one` stands."""
    path = folder / "overproof.toml"
    path.write_text(path.read_text("utf-8").replace(one, other), "utf-8")


def test_a_run_buys_what_the_plan_said_and_the_next_one_nothing(tmp_path: Path) -> None:
    server = FaultyServer(copying, models=("small",))

    def play(url: str) -> None:
        folder = toy_logs.project(tmp_path / "toy", toy_logs.rows(900), CONTRACT + FEW_SHOT.format(url=url))
        before = plan(folder)
        run(folder)
        project = Project(folder)
        prompts = evaluation_prompts(project).height

        assert before.answers_to_buy == server.answered == prompts
        assert asking.spent(project) < before.usd < 1.5 * asking.spent(project)
        assert baselines_to_buy(project) == (0, 0.0)

        change(folder, "alpha = 0.10", "alpha = 0.12")
        assert plan(folder).answers_to_buy == 0
        run(folder)
        assert server.answered == prompts

        change(folder, 'kind = "few_shot"', 'kind = "few_shot"\nexamples = 2')
        assert plan(folder).answers_to_buy == prompts  # other examples, another question

    async def serve() -> None:
        async with server.listening() as url:
            await asyncio.to_thread(play, url)

    asyncio.run(asyncio.wait_for(serve(), 120))


@pytest.mark.parametrize(("hard", "outcome"), [(0.0, "baseline"), (0.3, "released")])
def test_the_near_answer_cache_wins_where_it_keeps_every_promise_and_only_there(
    tmp_path: Path, hard: float, outcome: str
) -> None:
    contract = CONTRACT + '\n[[baselines]]\nkind = "near_answer_cache"\n'
    folder = toy_logs.project(tmp_path / "toy", toy_logs.rows(900, hard=hard), contract)

    found = run(folder).decision

    assert found.outcome == outcome
    assert (found.winner == "near_answer_cache") == (outcome == "baseline")


def test_an_encoder_that_is_not_there_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERPROOF_MODELS", str(tmp_path / "none"))
    contract = CONTRACT + '\n[[baselines]]\nkind = "near_answer_cache"\nembedder = "minilm"\n'
    folder = toy_logs.project(tmp_path / "toy", toy_logs.rows(900), contract)

    with pytest.raises(UserError, match="no encoder is called 'minilm' here; there are: none"):
        run(folder)
