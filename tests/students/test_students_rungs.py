"""What every student that reads with an encoder promises, whichever it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rungs
from lessons import LABELS, TAUGHT, train, tune
from overproof.core import plugins
from overproof.core.errors import ContractError, NotEnoughData, ReleaseCorrupt, UserError
from overproof.core.protocols import Combining, OnEncoder, Student, Workshop
from overproof.students.encoder import EncoderKind
from overproof.students.static import Static

for module in ("onnx", "onnxruntime", "tokenizers"):
    pytest.importorskip(module)

FITTING = pytest.mark.parametrize("kind", [Static(model="tiny"), EncoderKind(model="tiny")], ids=lambda kind: kind.name)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of encoders with "tiny" in it."""
    import tiny_encoder

    folder = tmp_path_factory.mktemp("encoders")
    tiny_encoder.install(folder)
    return folder


@pytest.fixture(scope="module", params=list(rungs.KINDS))
def name(request: pytest.FixtureRequest) -> str:
    return cast("str", request.param)


@pytest.fixture(scope="module")
def student(name: str, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Student:
    return rungs.fit(name, home, tmp_path_factory.mktemp("scratch"))


@pytest.fixture(scope="module")
def saved(name: str, student: Student, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / name
    student.save(folder)
    return folder


@pytest.fixture
def workshop(home: Path, tmp_path: Path) -> Workshop:
    return Workshop(tmp_path / "scratch", home)


def files(folder: Path) -> dict[str, bytes]:
    return {each.relative_to(folder).as_posix(): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


words = st.sampled_from([*sorted({word for text in rungs.TEXTS for word in text.split(" ")}), "xyz", "ÄÖ"])
asked = st.lists(st.lists(words, max_size=8).map(" ".join), max_size=4)
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)


@given(texts=asked)
@SHARED
def test_chances_are_positive_and_sum_to_one(student: Student, texts: list[str]) -> None:
    chances = student.probabilities(texts)

    assert chances.shape == (len(texts), len(LABELS))
    assert chances.dtype == np.float32
    assert np.all(chances > 0)
    assert chances.sum(axis=1) == pytest.approx(np.ones(len(texts)), abs=1e-5)


@given(texts=asked)
@SHARED
def test_novelty_lies_between_nothing_new_and_all_new(student: Student, texts: list[str]) -> None:
    novelty = student.novelty(texts)

    assert novelty.shape == (len(texts),)
    assert novelty.dtype == np.float32
    assert np.all((novelty >= 0) & (novelty <= 1))


@given(texts=asked)
@SHARED
def test_a_batch_is_answered_exactly_as_one_by_one(student: Student, texts: list[str]) -> None:
    together = student.probabilities(texts)

    for row, text in enumerate(texts):
        alone = student.probabilities([text])[0]
        assert np.array_equal(together[row], alone)
        assert student.predict_one(text) == (LABELS[alone.argmax()], float(alone.max()))  # type: ignore[attr-defined]  # beyond the seam


def test_it_learns_what_it_is_taught(student: Student) -> None:
    best = student.probabilities([text for text, _ in TAUGHT]).argmax(axis=1)

    assert [LABELS[at] for at in best] == [answer for _, answer in TAUGHT]


@pytest.mark.parametrize("threads", ["1", "2"])
def test_it_says_the_same_in_another_process_on_any_number_of_threads(
    name: str, student: Student, saved: Path, threads: str
) -> None:
    there = subprocess.run(
        [sys.executable, rungs.__file__, str(saved), name],
        env={**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "PYTHONHASHSEED": threads},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert there == rungs.said(student) + "\n"


@pytest.mark.parametrize("threads", ["1", "2"])
def test_it_is_fitted_the_same_in_another_process_on_any_number_of_threads(
    name: str, saved: Path, home: Path, tmp_path: Path, threads: str
) -> None:
    subprocess.run(
        [sys.executable, rungs.__file__, str(home), str(tmp_path / "scratch"), name, str(tmp_path / "there")],
        env={**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "PYTHONHASHSEED": threads},
        check=True,
    )

    assert files(tmp_path / "there") == files(saved)


def test_it_comes_back_the_same_after_saving(name: str, student: Student, saved: Path, tmp_path: Path) -> None:
    loaded = rungs.KINDS[name].load(saved)
    loaded.save(tmp_path / "again")

    assert rungs.said(loaded) == rungs.said(student)
    assert files(tmp_path / "again") == files(saved)


def test_its_size_is_about_what_lies_on_disk(student: Student, saved: Path) -> None:
    """The encoder's few lines of JSON are not counted."""
    assert student.size_bytes == pytest.approx(sum(map(len, files(saved).values())), abs=2000)


def test_a_release_may_hold_all_its_files(saved: Path) -> None:
    from overproof.release.folder import HARMLESS

    assert {Path(each).suffix for each in files(saved)} <= HARMLESS


@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255), pick=st.integers(0, 10))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_changed_byte_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, saved: Path, place: float, flip: int, pick: int
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    shutil.copytree(saved, folder, dirs_exist_ok=True)
    damaged = sorted(files(folder))[pick % len(files(folder))]
    data = bytearray((folder / damaged).read_bytes())
    data[int(place * len(data))] ^= flip
    (folder / damaged).write_bytes(bytes(data))

    with pytest.raises(ReleaseCorrupt):
        rungs.KINDS[saved.name].load(folder)


def test_a_missing_file_is_noticed(name: str, saved: Path, tmp_path: Path) -> None:
    for number, missing in enumerate(files(saved)):
        folder = shutil.copytree(saved, tmp_path / str(number))
        (folder / missing).unlink()

        with pytest.raises(ReleaseCorrupt):
            rungs.KINDS[name].load(folder)


def test_several_threads_may_ask_at_once(student: Student) -> None:
    expected = student.probabilities(rungs.TEXTS)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: student.probabilities(rungs.TEXTS), range(12)))

    assert all(np.array_equal(answer, expected) for answer in answers)


def test_nothing_asked_is_nothing_answered(student: Student) -> None:
    assert student.probabilities([]).shape == (0, len(LABELS))
    assert student.novelty([]).shape == (0,)


@FITTING
def test_a_doubtful_example_teaches_doubt(kind: Static | EncoderKind, workshop: Workshop) -> None:
    """A vote of 1 to 1 is learned as a chance, not as a fact."""
    text = TAUGHT[0][0]
    torn_votes = {text: {"billing": 0.5, "login": 0.5}}
    sure, torn = (kind.fit(train(votes=votes), tune(), LABELS, 0, workshop) for votes in ({}, torn_votes))

    assert torn.probabilities([text])[0, 1] > 3 * sure.probabilities([text])[0, 1]


@FITTING
def test_what_production_asks_often_weighs_more(kind: Static | EncoderKind, workshop: Workshop) -> None:
    frame = train([("it broke", "billing"), ("it broke", "login")]).frame
    often = frame.with_columns(weight=frame["prompt_id"].replace_strict({"p0": 1.0, "p1": 9.0}))
    asked_about = tune([("it broke", "login"), ("it broke", "billing")])

    student = kind.fit(type(train())(often), asked_about, LABELS, 0, workshop)

    assert student.predict_one("it broke")[0] == "login"


@FITTING
def test_a_label_that_was_never_seen_is_improbable_not_impossible(
    kind: Static | EncoderKind, workshop: Workshop
) -> None:
    student = kind.fit(train(), tune(), (*LABELS, "weather"), 0, workshop)

    chances = student.probabilities(["login please", "rain"])

    assert np.all((chances[:, 3] > 0) & (chances[:, 3] < 1e-5))


@FITTING
def test_the_seed_changes_nothing(kind: Static | EncoderKind, workshop: Workshop) -> None:
    one, other = (kind.fit(train(), tune(), LABELS, seed, workshop) for seed in (0, 1))

    assert rungs.said(one) == rungs.said(other)


@FITTING
@pytest.mark.parametrize("pairs", [[], TAUGHT[:4]], ids=["none", "one label"])
def test_too_few_labels_are_an_error_that_says_what_helps(
    kind: Static | EncoderKind, workshop: Workshop, pairs: list[tuple[str, str]]
) -> None:
    with pytest.raises(NotEnoughData, match=r"at least two labels.*bring more logs"):
        kind.fit(train(pairs), tune(), LABELS, 0, workshop)


@FITTING
def test_nothing_to_tune_on_is_an_error(kind: Static | EncoderKind, workshop: Workshop) -> None:
    with pytest.raises(NotEnoughData, match="tune holds no example"):
        kind.fit(train(), tune([]), LABELS, 0, workshop)


@FITTING
def test_it_cannot_be_tuned_on_what_it_learned_from(kind: Static | EncoderKind, workshop: Workshop) -> None:
    with pytest.raises(TypeError, match="may read tune only"):
        kind.fit(train(), cast("Any", train()), LABELS, 0, workshop)


@FITTING
def test_texts_without_a_word_are_learned_by_their_label_alone(kind: Static | EncoderKind, workshop: Workshop) -> None:
    empty = [("", "login"), (" ", "login"), ("", "login"), ("", "billing")]

    student = kind.fit(train(empty), tune(empty), ("login", "billing"), 0, workshop)

    assert student.predict_one("") == pytest.approx(("login", 0.75), abs=0.12)


@FITTING
def test_an_encoder_that_is_not_there_is_an_error_that_lists_those_that_are(
    kind: Static | EncoderKind, workshop: Workshop
) -> None:
    other = type(kind)(model="nowhere")

    with pytest.raises(UserError, match=r"no encoder is called 'nowhere' here; there are: tiny"):
        other.fit(train(), tune(), LABELS, 0, workshop)
    with pytest.raises(UserError, match="fit it with a Workshop"):
        kind.fit(train(), tune(), LABELS, 0)


@FITTING
def test_training_says_nothing(
    kind: Static | EncoderKind, workshop: Workshop, capfd: pytest.CaptureFixture[str]
) -> None:
    kind.fit(train(), tune(), LABELS, 0, workshop)

    assert capfd.readouterr() == ("", "")


def test_the_contract_builds_each_from_plain_toml() -> None:
    built = [
        plugins.build("students", {"kind": "static", "penalty": 1e-4}, key="kind", where="students[0]"),
        plugins.build("students", {"kind": "encoder", "layers": 3}, key="kind", where="students[1]"),
        plugins.build("students", {"kind": "cascade", "of": ["a", "b"]}, key="kind", where="students[2]"),
    ]

    assert [each.name for each in built] == ["static", "encoder-3-layers", "cascade"]
    assert [isinstance(each, OnEncoder) for each in built] == [True, True, False]
    assert [isinstance(each, Combining) for each in built] == [False, False, True]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"kind": "static", "penalty": 0}, "penalty"),
        ({"kind": "static", "dimension": 8}, "unknown field `dimension`.*options of 'static'"),
        ({"kind": "encoder", "layers": 0}, "layers"),
        ({"kind": "encoder", "precision": "int4"}, "precision"),
        ({"kind": "cascade", "of": ["a"]}, "length 2"),
        ({"kind": "cascade", "of": ["a", "a"]}, "must name two other students"),
        ({"kind": "cascade", "of": ["a", "cascade"]}, "must name two other students"),
    ],
)
def test_options_that_describe_no_student_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ContractError, match=says):
        plugins.build("students", options, key="kind", where="students[0]")


@pytest.mark.parametrize("module", ["static", "encoder", "cascade"])
def test_options_load_without_anything_heavy(module: str) -> None:
    """The contract imports the plug-in to check its options, and must start in milliseconds."""
    look = f"import sys, overproof.students.{module}; print(sorted({{'numpy', 'scipy', 'polars'}} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("module", ["static_student", "encoder_student", "cascade_student"])
def test_serving_needs_no_scipy_and_no_torch(module: str) -> None:
    look = (
        f"import sys, overproof.students.{module}; "
        "print(sorted({'scipy', 'polars', 'torch', 'transformers', 'sklearn'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.fixture
def without_tokenizers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)


@pytest.mark.usefixtures("without_tokenizers")
def test_a_machine_without_the_packages_gets_one_sentence_naming_the_extra(name: str, saved: Path) -> None:
    with pytest.raises(UserError, match=r"needs the extra `encoder`: pip install"):
        rungs.KINDS[name].load(saved)
