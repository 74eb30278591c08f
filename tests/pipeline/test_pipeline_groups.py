"""Group-aware proof on the whole road: customers are the units, too few are refused early, and it is a promise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

import toy_logs
from overproof.core.errors import NotEnoughData, UserError
from overproof.pipeline import data
from overproof.pipeline.plan import plan
from overproof.pipeline.project import Project
from overproof.pipeline.run import run
from toy_logs import CONTRACT

GROUPED = CONTRACT.replace('reference = "teacher"', 'reference = "teacher"\ngroup = "customer"')


def logged(customers: int, n: int = 3000) -> list[dict[str, Any]]:
    made = toy_logs.rows(n)
    return [row | {"metadata": row["metadata"] | {"customer": f"c{i * 7 % customers}"}} for i, row in enumerate(made)]


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = toy_logs.project(tmp_path_factory.mktemp("groups") / "toy", logged(500), GROUPED)
    run(folder)
    return folder


def test_a_run_decides_on_customers_and_says_so(decided: Path) -> None:
    project = Project(decided)
    summary = data.prompt_summary(project)
    judged = data.requests(project).filter(pl.col("split").is_in(["calibrate", "test"]))
    page = (decided / "report.html").read_text("utf-8")

    assert summary.joined_by == ("customer",)
    assert judged["unit"].str.starts_with("customer=").all()
    assert run(decided).decision.outcome == "released"
    assert "joined by customer" in page
    assert "are in no split: those would teach what is judged" in page


def test_nothing_is_said_of_days_for_more_days_bring_the_same_customers(tmp_path: Path) -> None:
    contract = GROUPED.replace("at_least = 0.80", "at_least = 0.985")
    folder = toy_logs.project(tmp_path / "toy", logged(500), contract)
    run(folder)
    story = msgspec.json.decode((Project(folder).folder("report") / "story.json").read_bytes())
    verdicts = [each for candidate in story["candidates"] for each in candidate["verdicts"]]

    assert any(each["more_units"] for each in verdicts)
    assert all(each.get("more_days") is None for each in verdicts)


def test_too_few_customers_are_told_before_anything_is_bought(tmp_path: Path) -> None:
    folder = toy_logs.project(tmp_path / "toy", logged(40, 600), GROUPED)

    with pytest.raises(
        NotEnoughData, match=r"proof.group: the 'customer' of these logs were dealt .*at least 1 to train,"
    ):
        plan(folder)


def test_a_misspelt_key_is_told(tmp_path: Path) -> None:
    contract = GROUPED.replace('group = "customer"', 'group = "costumer"')
    folder = toy_logs.project(tmp_path / "toy", logged(40, 600), contract)

    with pytest.raises(
        UserError, match="no request carries 'costumer' in its metadata; keys there: 'customer', 'tier'"
    ):
        plan(folder)


def test_to_promise_it_for_the_unseen_after_the_test_was_read_finds_nobody_unseen(tmp_path: Path) -> None:
    """Every customer has been judged by, so none is left to learn from: it takes others."""
    folder = toy_logs.project(tmp_path / "toy", logged(100), CONTRACT)
    run(folder)
    (folder / "overproof.toml").write_text(GROUPED, "utf-8")

    with pytest.raises(NotEnoughData, match="dealt 0 to train, 0 to tune"):
        run(folder)
