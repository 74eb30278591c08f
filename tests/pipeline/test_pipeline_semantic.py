"""`prompts.semantic` on the road: an installed encoder compares, is part of the key, and is missed in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

import tiny_encoder
import toy_logs
from overproof.core.errors import UserError
from overproof.pipeline import data, encoders
from overproof.pipeline.progress import Silent
from overproof.pipeline.project import Project
from overproof.pipeline.run import make, run
from overproof.pipeline.stages import NAMES, STAGES

ASKED = toy_logs.CONTRACT + '\n[prompts]\nsemantic = 0.9\nembedder = "tiny"\n'


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for module in ("onnx", "onnxruntime", "tokenizers"):
        pytest.importorskip(module)
    folder = tmp_path_factory.mktemp("encoders")
    tiny_encoder.install(folder)
    return folder


def made(folder: Path, contract: str) -> Project:
    """Return a project whose prompt set is made."""
    toy_logs.project(folder, toy_logs.rows(300), contract)
    project = Project(folder)
    for stage in STAGES[:2]:
        make(project, stage, Silent())
    return project


def test_inputs_of_one_meaning_share_a_unit(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(encoders.VARIABLE, str(home))
    told = data.prompt_summary(made(tmp_path / "a", ASKED))
    plain = data.prompt_summary(made(tmp_path / "b", toy_logs.CONTRACT))

    assert told.units < plain.units
    assert [note for note in told.notes if note.startswith("inputs whose embeddings (tiny) have a cosine of 0.9")]


def test_a_run_without_the_encoder_ends_in_a_sentence_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("onnxruntime", "tokenizers"):
        pytest.importorskip(module)
    monkeypatch.setenv(encoders.VARIABLE, str(tmp_path / "none"))
    toy_logs.project(tmp_path / "toy", toy_logs.rows(30), ASKED)

    with pytest.raises(UserError, match="no encoder is called 'tiny' here; there are: none"):
        run(tmp_path / "toy")
    assert not Project(tmp_path / "toy").fresh("logs")


def test_another_encoder_of_that_name_makes_the_prompt_set_anew(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy_logs.project(tmp_path / "toy", toy_logs.rows(30), ASKED)
    keys = []
    for place in (home, tmp_path / "none"):
        monkeypatch.setenv(encoders.VARIABLE, str(place))
        keys.append(Project(tmp_path / "toy").keys)

    assert [name for name in NAMES if keys[0][name] == keys[1][name]] == ["logs"]


@pytest.mark.parametrize("value", ["0.5", "1.01", "true"])
def test_a_cosine_that_would_join_everything_or_nothing_is_refused(value: str, tmp_path: Path) -> None:
    toy_logs.project(tmp_path / "toy", [], toy_logs.CONTRACT + f"\n[prompts]\nsemantic = {value}\n")

    with pytest.raises(UserError, match="semantic"):
        _ = Project(tmp_path / "toy").contract
