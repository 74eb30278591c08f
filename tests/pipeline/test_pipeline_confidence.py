"""Confidence and thresholds of slices on the whole road: fitted on tune, judged, released, entered in the ledger."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from msgspec.structs import replace

import toy_logs
from overproof.core.types import Calibration, Candidate
from overproof.evaluate.evaluate import routed_by
from overproof.pipeline import candidates, data, entering, judge
from overproof.pipeline.evidence import evidence_of
from overproof.pipeline.plugged import kinds_of, task_of
from overproof.pipeline.project import Project
from overproof.pipeline.run import run
from overproof.release.folder import load, write_release


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which a quarter of the inputs of `pro` tells nothing about the answer."""
    made = toy_logs.rows(3000)
    for row, hard in zip(made, toy_logs.rows(3000, seed=1, hard=0.25), strict=True):
        if row["metadata"]["tier"] == "pro":
            row |= {key: hard[key] for key in ("input", "output", "gold")}
    folder = toy_logs.project(tmp_path_factory.mktemp("confidence") / "toy", made)
    run(folder)
    return Project(folder)


def test_a_critical_slice_that_is_harder_has_a_stricter_threshold_of_its_own(project: Project) -> None:
    for each in judge.read_calibrated(project.folder("calibrate")):
        assert each.calibration.always_teacher == ()
        assert each.calibration.shifts["pro"] < -0.2


def test_the_confidence_of_a_candidate_is_that_of_its_predictions(project: Project) -> None:
    made = {each.name: each for each in candidates.entrants(project, "students")}

    assert all(
        each.calibration.confidence == made[each.entrant.name].confidence
        for each in judge.read_calibrated(project.folder("calibrate"))
    )


def test_what_would_be_released_answers_as_it_was_judged(project: Project, tmp_path: Path) -> None:
    """For every student of the run, on every request of the test: from the text and its slices alone."""
    texts = dict(data.prompts(project).select("id", "input").iter_rows())
    tested = data.requests(project).filter(pl.col("split") == "test")
    for i, each in enumerate(judge.read_calibrated(project.folder("calibrate"))):
        kind = next(kind for kind, _ in kinds_of(project.contract) if kind.name == each.entrant.name)
        assert each.entrant.model is not None
        student, _ = candidates.load_student(project, kind, each.entrant.model)
        write_release(
            tmp_path / str(i),
            Candidate(name=kind.name, family="student", kind="linear", calibration=each.calibration),
            labels=student.labels,
            contract_toml=b"",
            lineage={},
            save=student.save,
        )
        said = load(tmp_path / str(i)).answer(
            [texts[prompt] for prompt in tested["prompt_id"]], tested["slices"].to_list()
        )
        predicted = pl.read_parquet(project.folder("students") / each.entrant.predictions)
        judged = routed_by(evidence_of(project, "test"), predicted, each.calibration, task_of(project.contract))
        assert judged["request_id"].to_list() == tested["id"].to_list()
        expected = judged.select(answer=pl.when("answered").then("predicted"), sure="own_confidence").rows()

        assert [(one.answer, one.confidence) for one in said] == expected
        assert judged["answered"].any()


def test_another_shift_is_another_question_to_the_ledger(project: Project) -> None:
    (first, *_) = judge.judged_by(project.folder("students"), judge.read_calibrated(project.folder("calibrate")))

    def key(calibration: Calibration) -> str:
        return entering._key(project, "students", judge.promises_of(project), [(calibration, first[1])])

    assert key(first[0]) == key(replace(first[0], coverage=0.123))
    assert key(first[0]) != key(replace(first[0], shifts={"pro": -0.123}))
