from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lessons import LABELS, TAUGHT, TUNED_ON, train, tune
from overproof.core.errors import ReleaseCorrupt
from overproof.students.linear import Linear
from overproof.students.linear_student import TENSORS, VOCABULARY, LinearStudent

KINDS = [Linear(), Linear(characters=(2, 4)), Linear(words=(2, 3), characters=(3, 3))]
TEXTS = [*(text for text, _ in TAUGHT + TUNED_ON), "", "never seen parcells", "Schließung für übermorgen 退款 👍"]


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: f"{kind.words}-{kind.characters}")
def student(request: pytest.FixtureRequest) -> LinearStudent:
    kind: Linear = request.param
    return kind.fit(train(), tune(), (*LABELS, "weather"), seed=0)


words = st.sampled_from([*sorted({word for text in TEXTS for word in text.split()}), "xyz", "ÄÖ", "\ud800"])
asked = st.lists(st.lists(words, max_size=8).map(" ".join), max_size=5)
SHARED_STUDENT = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@given(texts=asked)
@SHARED_STUDENT
def test_chances_are_positive_and_sum_to_one(student: LinearStudent, texts: list[str]) -> None:
    chances = student.probabilities(texts)

    assert chances.shape == (len(texts), len(student.labels))
    assert chances.dtype == np.float32
    assert np.all(chances > 0)
    assert chances.sum(axis=1) == pytest.approx(np.ones(len(texts)), abs=1e-5)


@given(texts=asked)
@SHARED_STUDENT
def test_a_batch_is_answered_exactly_as_one_by_one(student: LinearStudent, texts: list[str]) -> None:
    together = student.probabilities(texts)

    for row, text in enumerate(texts):
        alone = student.probabilities([text])[0]
        assert np.array_equal(together[row], alone)
        assert student.predict_one(text) == (student.labels[alone.argmax()], float(alone.max()))


@given(texts=asked)
@SHARED_STUDENT
def test_novelty_is_a_share_and_the_same_alone_as_among_others(student: LinearStudent, texts: list[str]) -> None:
    found = student.novelty(texts)

    assert found.dtype == np.float32
    assert ((found >= 0) & (found <= 1)).all()
    assert found.tolist() == [float(student.novelty([text])[0]) for text in texts]


def test_what_it_was_taught_is_not_new_and_what_it_never_saw_is(student: LinearStudent) -> None:
    assert student.novelty([text for text, _ in TAUGHT]).max() == 0
    assert student.novelty(["zyx wvu", ""]).tolist() == [1.0, 1.0]
    known, half = student.novelty(["charged", "charged zyxw"])

    assert known == 0
    assert 0.5 <= half < 1


def test_novelty_survives_saving(student: LinearStudent, tmp_path: Path) -> None:
    student.save(tmp_path)

    assert np.array_equal(Linear().load(tmp_path).novelty(TEXTS), student.novelty(TEXTS))


def test_the_folded_tables_say_what_the_weights_say(student: LinearStudent) -> None:
    """Serving adds up table rows; training multiplies matrices. Both must be one model."""
    from overproof.students.linear_fit import design

    full = np.vstack([student._weights.astype(np.float32), student._bias])
    logits = design(student._lexicon, student._scale, TEXTS).logits(full)[:, : len(LABELS)] / student._temperature
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    assert student.probabilities(TEXTS)[:, : len(LABELS)] == pytest.approx(expected, abs=1e-4)


def test_it_comes_back_the_same_after_saving(student: LinearStudent, tmp_path: Path) -> None:
    student.save(tmp_path / "fitted")
    loaded = Linear().load(tmp_path / "fitted")

    assert loaded.labels == student.labels
    assert loaded.size_bytes == student.size_bytes
    assert np.array_equal(loaded.probabilities(TEXTS), student.probabilities(TEXTS))


@pytest.mark.parametrize("threads", ["1", "4"])
def test_another_process_answers_the_same(student: LinearStudent, tmp_path: Path, threads: str) -> None:
    student.save(tmp_path)
    ask = (
        "import sys, json; from pathlib import Path; from overproof.students.linear import Linear\n"
        "texts = json.loads(sys.stdin.read())\n"
        "sys.stdout.write(Linear().load(Path(sys.argv[1])).probabilities(texts).tobytes().hex())"
    )
    other = subprocess.run(
        [sys.executable, "-c", ask, str(tmp_path)],
        input=json.dumps(TEXTS),
        env={**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "PYTHONHASHSEED": threads},
        capture_output=True,
        text=True,
        check=True,
    )

    assert other.stdout == student.probabilities(TEXTS).tobytes().hex()


@pytest.mark.parametrize("threads", ["1", "4"])
def test_training_elsewhere_writes_the_same_bytes(tmp_path: Path, threads: str) -> None:
    """So the key of what was made from a student does not depend on the machine's load or on Python's hash seed."""
    Linear(characters=(2, 4)).fit(train(), tune(), LABELS, seed=0).save(tmp_path / "here")
    teach = (
        "import sys; from pathlib import Path; from lessons import LABELS, train, tune\n"
        "from overproof.students.linear import Linear\n"
        "Linear(characters=(2, 4)).fit(train(), tune(), LABELS, seed=0).save(Path(sys.argv[1]))"
    )
    subprocess.run(
        [sys.executable, "-c", teach, str(tmp_path / "there")],
        env={
            **os.environ,
            "OMP_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            "PYTHONHASHSEED": threads,
            "PYTHONPATH": str(Path(__file__).parents[1]),
        },
        check=True,
    )

    for name in (TENSORS, VOCABULARY):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()


def test_its_size_is_what_lies_on_disk(student: LinearStudent, tmp_path: Path) -> None:
    student.save(tmp_path)

    assert student.size_bytes == sum(file.stat().st_size for file in tmp_path.iterdir())


@pytest.mark.parametrize("name", [TENSORS, VOCABULARY])
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_changed_byte_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, name: str, place: float, flip: int
) -> None:
    folder = tmp_path_factory.mktemp("student")
    Linear(penalty=1e-3).fit(train(), tune(), LABELS, seed=0).save(folder)
    data = bytearray((folder / name).read_bytes())
    data[int(place * len(data))] ^= flip
    (folder / name).write_bytes(bytes(data))

    with pytest.raises(ReleaseCorrupt, match="linear"):
        Linear().load(folder)


@pytest.mark.parametrize("name", [TENSORS, VOCABULARY])
def test_a_missing_or_cut_file_is_noticed(student: LinearStudent, tmp_path: Path, name: str) -> None:
    student.save(tmp_path)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(ReleaseCorrupt, match="linear"):
        Linear().load(tmp_path)

    (tmp_path / name).unlink()

    with pytest.raises(ReleaseCorrupt, match="no linear student that can be read"):
        Linear().load(tmp_path)


def test_weights_of_another_student_are_noticed(tmp_path: Path) -> None:
    for folder, penalty in (("one", 1e-3), ("other", 1e-4)):
        Linear(penalty=penalty).fit(train(), tune(), LABELS, seed=0).save(tmp_path / folder)
    (tmp_path / "one" / TENSORS).write_bytes((tmp_path / "other" / TENSORS).read_bytes())

    with pytest.raises(ReleaseCorrupt, match="not the ones that were saved together"):
        Linear().load(tmp_path / "one")


def test_several_threads_may_ask_at_once(student: LinearStudent) -> None:
    expected = student.probabilities(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: student.probabilities(TEXTS), range(40)))

    assert all(np.array_equal(answer, expected) for answer in answers)
