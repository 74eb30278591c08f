"""A run killed in the middle of asking goes on where it was: all is answered, next to nothing is paid twice."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

import toy_logs
from overproof.models.fake import FaultName, FaultyServer
from overproof.pipeline import answers
from overproof.pipeline.project import Project
from toy_logs import CONTRACT, LABELS

AT_ONCE = 16
FAULTS: dict[FaultName, float] = {"busy": 0.08, "broken": 0.06, "hang": 0.03, "truncated": 0.06, "slow": 0.3}


def right(body: Mapping[str, Any]) -> str:
    """Answer as the toy's teacher does: by the word that tells the label."""
    text = str(body["messages"])
    return next((label for label in LABELS if label in text), "other")


def unanswered(folder: Path, url: str) -> Path:
    """Make a project half of whose calls another model answered: the teacher has to be asked for those."""
    made = [row | {"model": "small" if i % 2 else "big"} for i, row in enumerate(toy_logs.rows(1000))]
    reach = f'model = "big"\nbase_url = "{url}"\ntimeout_s = 0.5\nat_once = {AT_ONCE}\nceiling = 0'
    contract = CONTRACT.replace('model = "big"', reach) + "\n[budget]\nusd = 5\n"
    return toy_logs.project(folder, made, contract)


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    server = FaultyServer(right, FAULTS, in_a_row=1, slow_s=0.02, models=("big",))

    async def start(folder: Path) -> asyncio.subprocess.Process:
        command = (sys.executable, "-W", "error", "-m", "overproof", "run", "--project", str(folder))
        return await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )

    async def play() -> tuple[Path, int, int]:
        async with server.listening() as url:
            folder = unanswered(tmp_path / "toy", url)
            first = await start(folder)
            await server.until(answered=150)
            first.kill()
            await first.wait()
            paid = server.answered
            second = await start(folder)
            said, wrong = await second.communicate()
            assert second.returncode == 0, wrong.decode()
            assert b"Released" in said or b"Not proven" in said
            return folder, paid, server.answered

    folder, paid_before, paid = asyncio.run(asyncio.wait_for(play(), 120))

    project = Project(folder)
    spending = answers.spending(project)
    asked = answers.completions(project).filter(pl.col("source") != "log")
    ideal = asked.height
    assert 150 <= paid_before < ideal
    assert asked["error"].null_count() == ideal  # every prompt is answered
    assert ideal <= paid <= ideal + AT_ONCE
    assert spending.cached + spending.bought == ideal
    assert spending.usd < spending.usd_all_runs < 5
    assert set(server.faults) >= {"busy", "broken", "hang", "truncated"}
