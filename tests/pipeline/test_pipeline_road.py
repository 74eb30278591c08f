"""The whole road on a toy task, in seconds: from a log file to a release, and what a change costs."""

from __future__ import annotations

from pathlib import Path

import pytest

import toy_logs
from overproof.core.errors import UserError
from overproof.core.protocols import StudentKind
from overproof.pipeline.plan import plan
from overproof.pipeline.progress import Silent
from overproof.pipeline.project import Project
from overproof.pipeline.run import Outcome, make, run
from overproof.pipeline.stages import STAGES
from overproof.pipeline.status import status
from overproof.release import folder as releases
from overproof.release import ledger
from overproof.students.linear import Linear
from toy_logs import CONTRACT

KINDS: dict[str, StudentKind] = {"linear": Linear()}


def made(outcome: Outcome) -> list[str]:
    return [each.stage for each in outcome.stages if each.state == "made"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has been run once; tests that change it take a copy."""
    folder = toy_logs.project(tmp_path_factory.mktemp("road") / "toy", toy_logs.rows(3000))
    run(folder)
    return folder


def copy(project: Path, tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(project, tmp_path / "toy", copy_function=shutil.copy2))


def edit(project: Path, old: str, new: str) -> None:
    path = project / "overproof.toml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_a_good_student_is_released_and_can_be_loaded(project: Path) -> None:
    told = status(project)

    assert told.unfinished is None
    assert told.decision is not None
    assert told.decision.outcome == "released"
    assert told.decision.release is not None
    loaded = releases.load(project / told.decision.release, KINDS)
    unseen = toy_logs.rows(200, seed=99)
    said = loaded.answer({row["id"]: row["input"] for row in unseen})
    right = [each.answer == row["gold"] for each, row in zip(said, unseen, strict=True) if each.answer is not None]
    assert len(right) > 100
    assert sum(right) > 0.9 * len(right)


def test_the_report_stands_where_people_look(project: Path) -> None:
    page = (project / "report.html").read_text("utf-8")

    assert "words" in page
    assert "https://" not in page.replace("https://www.w3.org", "")


def test_a_run_with_nothing_to_do_makes_nothing(project: Path) -> None:
    assert made(run(project)) == []


def test_a_change_only_the_report_reads_makes_only_the_report(project: Path, tmp_path: Path) -> None:
    folder = copy(project, tmp_path)
    edit(folder, "[risk]", "[report]\nexamples = 2\n\n[risk]")

    assert made(run(folder)) == ["report"]


def test_undoing_a_change_costs_nothing(project: Path, tmp_path: Path) -> None:
    folder = copy(project, tmp_path)
    edit(folder, "[risk]", "[report]\nexamples = 2\n\n[risk]")
    run(folder)
    edit(folder, "[report]\nexamples = 2\n\n[risk]", "[risk]")

    assert made(run(folder)) == []


def test_a_new_student_leaves_its_neighbours_fitted(project: Path, tmp_path: Path) -> None:
    folder = copy(project, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in (folder / ".overproof" / "fitted").rglob("manifest.json")}
    edit(folder, "[risk]", '[[students]]\nkind = "linear"\nname = "phrases"\nwords = [1, 3]\n\n[risk]')

    ran = run(folder)

    after = {path: path.stat().st_mtime_ns for path in (folder / ".overproof" / "fitted").rglob("manifest.json")}
    assert made(ran) == ["students", "calibrate", "evaluate", "release", "report"]
    assert before.items() <= after.items()
    assert len(after) == len(before) + 1


def test_a_bar_changed_after_the_test_was_read_cannot_release(project: Path, tmp_path: Path) -> None:
    folder = copy(project, tmp_path)
    edit(folder, "at_least = 0.80", "at_least = 0.70")

    assert run(folder).decision.outcome == "exploratory"


def test_being_less_sure_after_the_test_was_read_cannot_release(project: Path, tmp_path: Path) -> None:
    folder = copy(project, tmp_path)
    edit(folder, "[proof]", "[proof]\nconfidence = 0.8")

    assert run(folder).decision.outcome == "exploratory"


def test_a_student_added_after_the_test_was_shown_cannot_release(project: Path, tmp_path: Path) -> None:
    folder = copy(project, tmp_path)
    edit(folder, "[risk]", '[[students]]\nkind = "linear"\nname = "phrases"\nwords = [1, 3]\n\n[risk]')

    assert run(folder).decision.outcome == "exploratory"


def test_fresh_traffic_can_prove_again(project: Path, tmp_path: Path) -> None:
    folder = copy(project, tmp_path)
    toy_logs.write(folder, toy_logs.rows(3000, seed=1, first=3000), "b.jsonl")

    ran = run(folder)

    assert ran.decision.outcome == "released"
    lines = ledger.load(folder / ".overproof" / "ledger.jsonl").entries
    shown = [line.outcome for line in lines if line.shown and line.family == "students"]
    assert shown == ["released", "released"]


def test_a_teacher_who_errs_at_random_is_no_reference_to_prove_against(tmp_path: Path) -> None:
    """A third of the teacher's answers are noise: no student agrees with that often enough."""
    folder = toy_logs.project(tmp_path / "toy", toy_logs.rows(1500, wrong=0.35))

    ran = run(folder)

    assert ran.decision.outcome == "not_proven"
    assert not (folder / "releases").exists()


def test_nothing_is_trained_before_the_terms_are_acknowledged(tmp_path: Path) -> None:
    folder = toy_logs.project(tmp_path / "toy", toy_logs.rows(50), CONTRACT.replace('terms = "acknowledged"', ""))

    with pytest.raises(UserError, match=r"teacher\.terms: read whether the terms of 'big' allow"):
        run(folder)

    assert not (folder / ".overproof").exists()


def test_a_plan_says_what_will_be_made_and_that_it_is_free(tmp_path: Path) -> None:
    folder = toy_logs.project(tmp_path / "toy", toy_logs.rows(300))

    found = plan(folder)

    assert [step.state for step in found.steps] == ["stale"] * 10
    assert (found.answers_to_buy, found.within_budget) == (0, True)
    assert not (folder / "report.html").exists()


def test_a_run_stopped_after_one_stage_was_made_anew_goes_on_with_all_that_follows(
    project: Path, tmp_path: Path
) -> None:
    folder = copy(project, tmp_path)
    filters = next(stage for stage in STAGES if stage.name == "filters")
    make(Project(folder), filters, Silent())  # and then the machine went down

    assert made(run(folder)) == ["baselines", "students", "calibrate", "evaluate", "release", "report"]
