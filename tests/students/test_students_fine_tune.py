"""Fine-tuning as its callers see it: a process that trains, can be killed and taken up, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import pytest

import tiny_encoder
from lessons import LABELS, TAUGHT, train, tune
from overproof.core.errors import MissingExtra, UserError
from overproof.core.protocols import Workshop
from overproof.core.store import write_json
from overproof.models.encoders import store
from overproof.students import encoder_fit, fine_tune
from overproof.students.encoder import EncoderKind
from overproof.students.encoder_student import EncoderStudent
from overproof.students.fine_tune import TrainingFailed
from overproof.students.fine_tune_job import CHECKPOINT, TUNED
from overproof.students.fitting import matter

TEXTS = [*(text for text, _ in TAUGHT), "", "where is my money"]
KIND = EncoderKind(model="tiny", fine_tune=True, learning_rate=1e-3)


Tell = Callable[[str, int, int], None]


class Stop(Exception):
    """What a user who presses Ctrl-C looks like to the code."""


@dataclass
class Heard:
    """Listens to training, and stops it at its first step if asked."""

    stop: bool = False
    steps: list[int] = field(default_factory=list)

    def __call__(self, what: str, done: int, total: int) -> None:
        if what == "fine-tuning":
            self.steps.append(done)
            if self.stop:
                raise Stop


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take few steps on one thread, and keep a checkpoint after each."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(fine_tune, "LEAST_STEPS", 40)
    monkeypatch.setattr(fine_tune, "CHECKPOINT_S", 0)


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for module in ("onnx", "onnxruntime", "tokenizers"):
        pytest.importorskip(module)
    home = tmp_path_factory.mktemp("encoders")
    tiny_encoder.install(home)
    return home


def fit(kind: EncoderKind, scratch: Path, encoders: Path, heard: Tell | None = None) -> EncoderStudent:
    scratch.mkdir(exist_ok=True)
    return kind.fit(train(), tune(), LABELS, 0, Workshop(scratch=scratch, encoders=encoders, tell=heard or Heard()))


def running(scratch: Path) -> bool:
    """Return whether a process was started with this folder."""
    ran = subprocess.run(["ps", "-eo", "stat,args"], capture_output=True, text=True, check=True).stdout
    return any(str(scratch) in line and not line.startswith("Z") for line in ran.splitlines())


def goes_on(scratch: Path) -> bool:
    """Return whether a process with this folder goes on; it has a few seconds to notice that it should not."""
    for _ in range(100):
        if not running(scratch):
            return False
        time.sleep(0.1)
    return True


@pytest.mark.parametrize("missing", ["torch", "transformers"])
def test_without_torch_one_sentence_names_the_extra(
    missing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(fine_tune, "find_spec", lambda name: None if name == missing else object())

    with pytest.raises(
        MissingExtra, match=r"'encoder-tuned' needs the extra `train`: pip install 'overproof\[train\]'"
    ):
        fit(KIND, tmp_path, tmp_path)


def test_a_process_that_dies_says_what_it_died_of(
    encoders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "safetensors").mkdir()
    (tmp_path / "lib" / "safetensors" / "__init__.py").write_text("raise ImportError('this library is broken')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    monkeypatch.setattr(fine_tune, "find_spec", lambda name: object())

    with pytest.raises(TrainingFailed, match=r"(?s)exit code 1 .*this library is broken"):
        fit(KIND, tmp_path / "work", encoders)


def test_a_key_of_the_teacher_is_not_handed_on(encoders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "msgspec.py").write_text("import os; raise ImportError(sorted(os.environ))")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    monkeypatch.setenv("TEACHER_API_KEY", "secret")
    monkeypatch.setattr(fine_tune, "find_spec", lambda name: object())

    with pytest.raises(TrainingFailed, match="HF_HUB_OFFLINE") as failed:
        fit(KIND, tmp_path / "work", encoders)

    assert "TEACHER_API_KEY" not in str(failed.value)


@pytest.mark.parametrize("missing", ["torch", "transformers"])
def test_a_contract_is_refused_without_torch(missing: str, encoders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is bought, and only where something is to be trained."""
    monkeypatch.setattr(fine_tune, "find_spec", lambda name: None if name == missing else object())
    EncoderKind(model="tiny").check(encoders)

    with pytest.raises(MissingExtra, match=r"overproof\[train\]"):
        KIND.check(encoders)


def test_an_encoder_has_only_so_many_layers(encoders: Path) -> None:
    EncoderKind(model="tiny", layers=2).check(encoders)

    with pytest.raises(UserError, match="has 2 layers, and 'encoder-3-layers' wants 3"):
        EncoderKind(model="tiny", layers=3).check(encoders)


def test_an_encoder_without_weights_cannot_be_trained(encoders: Path, tmp_path: Path) -> None:
    info = store.read(encoders / "tiny")
    write_json(tmp_path / "tiny" / "encoder.json", msgspec.structs.replace(info, trainable=False))
    EncoderKind(model="tiny").check(tmp_path)

    for kind in (KIND, EncoderKind(model="tiny", layers=1)):
        with pytest.raises(UserError, match="came as an ONNX file: it cannot be trained or cut"):
            kind.check(tmp_path)


@pytest.fixture(scope="module")
def student(encoders: Path, tmp_path_factory: pytest.TempPathFactory) -> EncoderStudent:
    """A student whose training nobody disturbed."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setattr(fine_tune, "LEAST_STEPS", 40)
        return fit(KIND, tmp_path_factory.mktemp("undisturbed"), encoders)


def test_it_has_learned_its_lessons(student: EncoderStudent) -> None:
    answers = [student.predict_one(text)[0] for text, _ in TAUGHT]

    assert answers == [answer for _, answer in TAUGHT]
    assert student.origin.fine_tuned


def test_its_encoder_is_no_longer_the_installed_one(student: EncoderStudent, encoders: Path, tmp_path: Path) -> None:
    frozen = fit(EncoderKind(model="tiny"), tmp_path, encoders)

    assert np.abs(student.encoder.embed(TEXTS) - frozen.encoder.embed(TEXTS)).max() > 0.01


def test_a_killed_training_is_gone_on_from_and_ends_the_same(
    student: EncoderStudent, encoders: Path, tmp_path: Path
) -> None:
    killed, taken_up = Heard(stop=True), Heard()
    with pytest.raises(Stop):
        fit(KIND, tmp_path, encoders, killed)

    assert (tmp_path / CHECKPOINT).is_file()
    assert not (tmp_path / TUNED).is_file()
    assert not running(tmp_path)

    resumed = fit(KIND, tmp_path, encoders, taken_up)

    assert taken_up.steps[0] > killed.steps[-1] == 1
    assert taken_up.steps[-1] == 40
    assert np.array_equal(resumed.probabilities(TEXTS), student.probabilities(TEXTS))


def test_training_ends_with_its_parent(encoders: Path, tmp_path: Path) -> None:
    """Killed without warning, the parent can tell nobody; its end of the pipe is closed all the same."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    train_and_die = (
        "import os, signal, sys; from pathlib import Path; from test_students_fine_tune import KIND, fine_tune, fit\n"
        "fine_tune.LEAST_STEPS = 100_000\n"
        "die = lambda what, *_: os.kill(os.getpid(), signal.SIGKILL) if what == 'fine-tuning' else None\n"
        "fit(KIND, Path(sys.argv[1]), Path(sys.argv[2]), die)"
    )
    tests = Path(__file__).parent
    ran = subprocess.run(
        [sys.executable, "-c", train_and_die, str(tmp_path), str(encoders)],
        env={**os.environ, "PYTHONPATH": f"{tests.parent}{os.pathsep}{tests}"},
        check=False,
    )

    assert ran.returncode == -9
    assert not goes_on(tmp_path)


def test_what_was_trained_is_served_without_torch(student: EncoderStudent, tmp_path: Path) -> None:
    student.save(tmp_path)
    ask = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from pathlib import Path; from overproof.students.encoder import EncoderKind\n"
        "print(EncoderKind().load(Path(sys.argv[1])).probabilities(sys.argv[2:]).tobytes().hex())"
    )
    ran = subprocess.run([sys.executable, "-c", ask, str(tmp_path), *TEXTS], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == student.probabilities(TEXTS).tobytes().hex()


def test_of_two_heads_the_one_stays_that_tune_is_surer_of(student: EncoderStudent) -> None:
    """The one fitted after training, which reads tokens too, or the one that was trained along."""
    given = encoder_fit.shuffled(matter(train(), tune(), LABELS))
    right = fine_tune._with_head(student, given, np.vstack([student.head.weights, student.head.bias]))
    wrong = fine_tune._with_head(student, given, -np.vstack([student.head.weights, student.head.bias]))

    assert fine_tune._doubt(right, given) < fine_tune._doubt(wrong, given)
    assert not len(right.tokens.said)
