"""Nobody gets to release after having seen the test, by any road; and nobody who has not is stopped."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

import toy_logs
from overproof.core.errors import UserError
from overproof.pipeline import data, memory
from overproof.pipeline.plan import plan
from overproof.pipeline.project import Project
from overproof.pipeline.run import Outcome, run
from overproof.release import folder as releases
from overproof.release import ledger
from toy_logs import CONTRACT


def edit(folder: Path, old: str, new: str) -> None:
    path = folder / "overproof.toml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def made(outcome: Outcome) -> list[str]:
    return [each.stage for each in outcome.stages if each.state == "made"]


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = toy_logs.project(tmp_path_factory.mktemp("honesty") / "toy", toy_logs.rows(3000))
    assert run(folder).decision.outcome == "released"
    return folder


@pytest.fixture
def project(released: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(released, tmp_path / "toy", copy_function=shutil.copy2))


def test_a_slice_without_a_promise_only_describes(project: Path) -> None:
    """It changes nothing that was decided, so it may be added after the test was read."""
    edit(project, "[[bars]]", '[[slices]]\nname = "free"\nwhere = "tier = \'free\'"\n\n[[bars]]')

    assert run(project).decision.outcome == "released"
    assert "free" in (project / "report.html").read_text("utf-8")


def test_a_slice_with_a_promise_is_a_new_promise(project: Path) -> None:
    edit(project, "[[bars]]", '[[slices]]\nname = "free"\nwhere = "tier = \'free\'"\ncritical = true\n\n[[bars]]')

    assert run(project).decision.outcome == "exploratory"


@pytest.mark.parametrize("seed", ["other", "another"])
def test_dealing_the_test_anew_finds_the_same_test(project: Path, seed: str) -> None:
    """Once a decision has read it, no option moves a request into or out of the test."""
    before = data.requests(Project(project)).filter(pl.col("split") == "test")["id"].to_list()
    edit(project, "[risk]", f'[prompts]\nseed = "{seed}"\ntest_share = 0.3\n\n[risk]')

    outcome = run(project)

    after = data.requests(Project(project)).filter(pl.col("split") == "test")["id"].to_list()
    assert sorted(before) == sorted(after)
    assert outcome.decision.outcome == "exploratory"


def test_making_a_stage_anew_makes_all_that_follows_from_it(project: Path) -> None:
    outcome = run(project, again=["filters"])

    assert made(outcome) == ["filters", "baselines", "students", "calibrate", "evaluate", "release", "report"]
    assert outcome.decision.outcome == "released"  # the same contents are the same decision


def test_measuring_again_until_it_fits_is_exploratory(tmp_path: Path) -> None:
    """Where a time is promised, other times are another question, and the table has been shown."""
    contract = CONTRACT + "\n[targets]\nlatency_p95_ms = 0.000001\n"
    folder = toy_logs.project(tmp_path / "toy", toy_logs.rows(3000), contract)
    assert run(folder).decision.outcome == "not_proven"

    assert run(folder, again=["students"]).decision.outcome == "exploratory"


def test_a_prompt_set_from_before_the_first_decision_is_not_revived_after_it(tmp_path: Path) -> None:
    folder = toy_logs.project(tmp_path / "toy", toy_logs.rows(1500))
    edit(folder, "[risk]", "[prompts]\ntest_share = 0.8\n\n[risk]")
    plan(folder)
    edit(folder, "test_share = 0.8", "test_share = 0.3")
    run(folder)
    fixed = memory.assignments(Project(folder))
    assert fixed is not None
    edit(folder, "test_share = 0.3", "test_share = 0.8")

    run(folder)

    now = data.requests(Project(folder)).select(request_id="id", now="split")
    moved = fixed.join(now, on="request_id").filter(pl.col("split") != pl.col("now"))
    assert moved.is_empty()


def test_a_slip_in_a_plug_in_costs_nothing(tmp_path: Path) -> None:
    contract = CONTRACT.replace('kind = "linear"', 'kind = "liner"', 1)
    folder = toy_logs.project(tmp_path / "toy", toy_logs.rows(600), contract)
    with pytest.raises(UserError, match="no student is called 'liner'"):
        run(folder)

    assert not Project(folder).ledger.exists()


def test_a_lost_ledger_is_not_an_empty_one(project: Path) -> None:
    Project(project).ledger.unlink()

    with pytest.raises(UserError, match=r"ledger\.jsonl is gone"):
        run(project, again=["evaluate"])


def one_label_mostly(n: int) -> list[dict[str, object]]:
    """Traffic that needs no student: one answer is nearly always right."""
    return [
        row | ({} if i % 25 == 0 else {"output": "billing", "gold": "billing"})
        for i, row in enumerate(toy_logs.rows(n))
    ]


def test_a_proven_baseline_stops_the_run_and_past_the_gate_everybody_is_told(tmp_path: Path) -> None:
    folder = toy_logs.project(tmp_path / "toy", one_label_mostly(3000))

    stopped = run(folder)
    went_on = run(folder, past_gate=True)

    assert stopped.decision.outcome == "baseline"
    assert stopped.decision.winner == "majority"
    assert [each.stage for each in stopped.stages if each.state == "left out"] == [
        "students",
        "calibrate",
        "evaluate",
        "release",
    ]
    assert went_on.decision.outcome == "released"  # the students had been planned before the gate's table was shown
    assert made(went_on) == ["students", "calibrate", "evaluate", "release", "report"]
    assert str(went_on.decision.winner) in (folder / "report.html").read_text("utf-8")
    outcomes = [line.outcome for line in ledger.load(Project(folder).ledger).entries if line.shown]
    assert outcomes[0] == "baseline"
    assert outcomes[-1] == "released"


def test_students_thought_of_after_the_gates_table_cannot_release(tmp_path: Path) -> None:
    folder = toy_logs.project(tmp_path / "toy", one_label_mostly(3000))
    run(folder)
    edit(folder, "[risk]", '[[students]]\nkind = "linear"\nname = "phrases"\nwords = [1, 3]\n\n[risk]')

    assert run(folder, past_gate=True).decision.outcome == "exploratory"


def test_answers_to_the_evaluation_window_are_not_learned_from(tmp_path: Path) -> None:
    """One input is answered in one way before the cut and in another after it: only the former is a label."""
    made_rows = toy_logs.rows(1200)
    changed = [
        row | {"input": "the very same question about an invoice", "output": "billing" if i < 600 else "other"}
        if i % 40 == 0
        else row
        for i, row in enumerate(made_rows)
    ]
    folder = toy_logs.project(tmp_path / "toy", changed)

    run(folder)

    train, tune = data.examples(Project(folder))
    learned = pl.concat([train.frame, tune.frame]).filter(pl.col("input").str.contains("very same"))
    assert learned["answer"].to_list() == ["billing"]
    assert learned["votes"].to_list() == ['{"billing":1}']


def test_a_plan_says_that_a_changed_promise_would_only_explore(project: Path) -> None:
    assert plan(project).notes == ()
    edit(project, "at_least = 0.80", "at_least = 0.70")

    (note,) = plan(project).notes

    assert "until fresh traffic this run is exploratory" in note


def test_a_plan_says_how_many_requests_would_count_as_wrong(tmp_path: Path) -> None:
    made_rows = [row | {"model": "small"} if i % 5 == 0 else row for i, row in enumerate(toy_logs.rows(600))]
    folder = toy_logs.project(tmp_path / "toy", made_rows)

    (note,) = plan(folder).notes

    assert "60 of 300 evaluation requests, 30 of 143 in test, have no usable answer of 'big' and would count" in note
    assert "(60 answered by 'small'): write teacher.base_url" in note
    assert "add \"model = 'big'\" to task.where" in note
    assert not Project(folder).ledger.exists()


def test_a_plan_gives_no_advice_that_cannot_help_where_the_teachers_own_calls_failed(tmp_path: Path) -> None:
    made_rows = [
        row | {"output": None, "error": "503"} if i % 10 == 0 else row for i, row in enumerate(toy_logs.rows(600))
    ]
    made_rows[-3] |= {"output": "no label at all"}
    folder = toy_logs.project(tmp_path / "toy", made_rows)

    (note,) = plan(folder).notes

    assert "31 of 300 evaluation requests" in note
    assert (
        "the worst case (30 failed, 1 cut off or not readable): write teacher.base_url so that it can be asked" in note
    )
    assert "task.where" not in note


def test_the_id_of_a_release_can_be_noted(project: Path) -> None:
    decision = run(project).decision

    assert decision.release is not None
    assert releases.load(project / decision.release, expected_id=decision.release_id).id == decision.release_id
