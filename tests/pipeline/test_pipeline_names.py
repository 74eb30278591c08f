"""`privacy.names`: masked in the logs, in bought answers and in what a release is asked, or nothing runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import toy_logs
from overproof.core.errors import MissingExtra
from overproof.pipeline import data, kept
from overproof.pipeline.project import Project
from overproof.pipeline.run import run
from overproof.release.folder import load
from overproof.tasks import names
from overproof.tasks.names import Names
from toy_logs import CONTRACT


@dataclass
class Result:
    entity_type: str
    start: int
    end: int


class Analyzer:
    """Knows one person and one place."""

    def analyze(self, *, text: str, language: str, entities: Sequence[str], score_threshold: float) -> list[Result]:
        known = (("PERSON", "Zora Quill"), ("LOCATION", "Quillham"))
        return [Result(kind, text.index(name), text.index(name) + len(name)) for kind, name in known if name in text]


@pytest.fixture
def _model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_opened", lambda _: Names(Analyzer(), ("en",)))
    monkeypatch.setattr(names, "_version", lambda _: "1.0")


def project(folder: Path) -> Path:
    rows = [row | {"input": f"{row['input']} says Zora Quill of Quillham"} for row in toy_logs.rows(1500)]
    return toy_logs.project(folder, rows, CONTRACT + "\n[privacy]\nnames = true\n")


@pytest.mark.usefixtures("_model")
def test_names_are_masked_in_the_logs_and_in_what_a_release_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project(tmp_path / "toy")

    outcome = run(folder)

    exchanges = kept.exchanges(Project(folder).folder("logs"))
    assert exchanges["messages"].str.contains("says [PERSON_1] of [ADDRESS_1]", literal=True).all()
    assert data.log_summary(Project(folder)).redacted == {"address": 1500, "person": 1500}
    release = load(folder / str(outcome.decision.release))
    assert release.record.names == {"en": "en_core_web_sm 1.0"}
    plain, masked = release.answer(["billinga Zora Quill", "billinga [PERSON_1]"])
    assert (plain.answer, plain.confidence) == (masked.answer, masked.confidence)

    def missing(_: str) -> str:
        raise MissingExtra("names", "masking names")

    monkeypatch.setattr(names, "_version", missing)
    with pytest.raises(MissingExtra):
        load(folder / str(outcome.decision.release))


def test_where_the_extra_is_missing_nothing_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> str:
        raise MissingExtra("names", "masking names")

    monkeypatch.setattr(names, "_version", missing)
    folder = project(tmp_path / "toy")

    with pytest.raises(MissingExtra):
        run(folder)
    assert not list((folder / ".overproof").glob("logs/*/*"))
