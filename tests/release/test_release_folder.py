from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace
from numpy.typing import NDArray

from overproof.core import tables
from overproof.core.errors import ReleaseCorrupt, UserError
from overproof.core.protocols import Workshop
from overproof.core.splits import Train, Tune
from overproof.core.types import Calibration, Candidate, Confidence, Exchange, Message
from overproof.logs.redact import redact_table
from overproof.release.folder import CHECKSUMS, LoadedRelease, ReleaseRecord, load, write_release
from overproof.tasks.inputs import extract_column


class Toy:
    """A student that is surer of longer inputs."""

    size_bytes = 1

    def __init__(self, labels: tuple[str, ...]) -> None:
        self.labels = labels

    def probabilities(self, inputs: Sequence[str]) -> NDArray[np.float32]:
        sure = np.array([min(len(text) / 10, 1.0) for text in inputs], dtype=np.float32)
        return np.stack([sure, 1 - sure], axis=1)

    def novelty(self, inputs: Sequence[str]) -> NDArray[np.float32]:
        return np.array([float("new" in text) for text in inputs], dtype=np.float32)

    def save(self, folder: Path) -> None:
        (folder / "labels.json").write_text(json.dumps(self.labels))
        (folder / "weights").mkdir()
        (folder / "weights" / "w.npy").write_bytes(b"data")


class ToyKind:
    name = "toy"

    def fit(
        self, train: Train, tune: Tune, labels: tuple[str, ...], seed: int, workshop: Workshop | None = None
    ) -> Toy:
        raise AssertionError("nothing is fitted here")

    def load(self, folder: Path) -> Toy:
        return Toy(tuple(json.loads((folder / "labels.json").read_text())))


LABELS = ("a", "b")
KINDS = {"toy": ToyKind()}
CANDIDATE = Candidate(
    name="toy student",
    family="student",
    kind="toy",
    calibration=Calibration(
        candidate="toy student",
        reference="gold",
        alpha=0.05,
        delta=0.05,
        threshold=0.8,
        coverage=0.5,
        risk=0.0,
        answered_units=100,
        errors=0,
        p_value=0.0,
        always_teacher=("vip",),
        ece=0.0,
        brier=0.0,
    ),
)


def written(
    folder: str | Path, save: Callable[[Path], None] | None = None, kind: str = "toy", *, redact: bool = True
) -> str:
    return write_release(
        folder,
        replace(CANDIDATE, kind=kind),
        labels=LABELS,
        contract_toml=b'[task]\nname = "toy"\n',
        lineage={"prompts": "key"},
        save=save or Toy(LABELS).save,
        redact=redact,
    )


def opened(folder: str | Path) -> LoadedRelease:
    return load(folder, KINDS)


def test_what_was_written_is_loaded(tmp_path: Path) -> None:
    identity = written(tmp_path / "r")
    release = load(tmp_path / "r", KINDS, identity)

    assert release.id == identity
    assert release.record.calibration == CANDIDATE.calibration
    assert release.record.lineage == {"prompts": "key"}
    assert release.contract == b'[task]\nname = "toy"\n'


def test_it_answers_what_it_is_sure_of_and_leaves_the_rest_to_the_teacher(tmp_path: Path) -> None:
    written(tmp_path / "r")
    long, short = opened(tmp_path / "r").answer({"p1": "nine char", "p2": "short"})

    assert long.answer == "a"
    assert long.confidence == pytest.approx(0.9)
    assert short.answer is None


@pytest.mark.parametrize("name", ["release.json", "contract.toml", "student/labels.json", "student/weights/w.npy"])
def test_any_changed_file_is_found_and_named(tmp_path: Path, name: str) -> None:
    written(tmp_path / "r")
    path = tmp_path / "r" / name
    path.write_bytes(path.read_bytes() + b" ")

    with pytest.raises(ReleaseCorrupt, match=name):
        opened(tmp_path / "r")


@pytest.mark.parametrize("name", ["release.json", "contract.toml", "student/weights/w.npy"])
def test_any_missing_file_is_named(tmp_path: Path, name: str) -> None:
    written(tmp_path / "r")
    (tmp_path / "r" / name).unlink()

    with pytest.raises(ReleaseCorrupt, match=name):
        opened(tmp_path / "r")


def test_a_file_that_came_later_is_found(tmp_path: Path) -> None:
    written(tmp_path / "r")
    (tmp_path / "r" / "student" / "hook.py").write_text("print('hello')")

    with pytest.raises(ReleaseCorrupt, match=r"hook\.py"):
        opened(tmp_path / "r")


def test_files_and_checksums_exchanged_together_are_found_by_the_id(tmp_path: Path) -> None:
    identity = written(tmp_path / "r")
    written(tmp_path / "other", Toy(LABELS).save, kind="toy2")
    (tmp_path / "r").rename(tmp_path / "gone")
    (tmp_path / "other").rename(tmp_path / "r")

    with pytest.raises(ReleaseCorrupt, match=identity):
        load(tmp_path / "r", {**KINDS, "toy2": ToyKind()}, identity)


def listed(folder: Path, name: str) -> None:
    """Add a name to the checksums, as somebody would who wants it read."""
    files = json.loads((folder / CHECKSUMS).read_text())
    (folder / CHECKSUMS).write_text(json.dumps(files | {name: "0" * 32}))


@pytest.mark.parametrize(
    "name", ["../outside.json", "/etc/passwd", "student/../../outside.json", "a\\..\\b", "./x.json", ""]
)
def test_names_that_lead_outside_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside.json").write_text("{}")
    written(tmp_path / "r")
    listed(tmp_path / "r", name)

    with pytest.raises(ReleaseCorrupt, match="not a name inside"):
        opened(tmp_path / "r")


def test_a_link_is_refused_even_if_what_it_leads_to_is_right(tmp_path: Path) -> None:
    written(tmp_path / "r")
    file = tmp_path / "r" / "contract.toml"
    file.rename(tmp_path / "elsewhere.toml")
    file.symlink_to(tmp_path / "elsewhere.toml")

    with pytest.raises(ReleaseCorrupt, match="link"):
        opened(tmp_path / "r")


def test_a_linked_folder_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "r")
    (tmp_path / "r" / "student" / "weights").rename(tmp_path / "weights")
    (tmp_path / "r" / "student" / "weights").symlink_to(tmp_path / "weights")

    with pytest.raises(ReleaseCorrupt, match="link"):
        opened(tmp_path / "r")


@pytest.mark.parametrize("name", ["model.pkl", "model.pt", "hook.py", "lib.so", "no_suffix"])
def test_a_student_that_saves_what_could_be_code_is_not_released(tmp_path: Path, name: str) -> None:
    def save(folder: Path) -> None:
        (folder / name).write_bytes(b"x")

    with pytest.raises(UserError, match=name):
        written(tmp_path / "r", save)
    assert list(tmp_path.iterdir()) == []


def test_a_student_that_cannot_be_saved_leaves_nothing_behind(tmp_path: Path) -> None:
    def save(folder: Path) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        written(tmp_path / "r", save)
    assert list(tmp_path.iterdir()) == []


def test_a_release_is_never_overwritten(tmp_path: Path) -> None:
    written(tmp_path / "r")

    with pytest.raises(UserError, match="never overwritten"):
        written(tmp_path / "r")


@pytest.mark.parametrize("kind", ["os:system", "json:JSONDecoder", "unheard_of"])
def test_a_release_cannot_name_a_class_to_import(tmp_path: Path, kind: str) -> None:
    written(tmp_path / "r", kind=kind)

    with pytest.raises(UserError, match="not installed"):
        load(tmp_path / "r")
    with pytest.raises(UserError, match="allowed here: toy"):
        load(tmp_path / "r", KINDS)


def test_a_student_with_other_labels_than_recorded_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "r", Toy(("a", "z")).save)

    with pytest.raises(ReleaseCorrupt, match="labels"):
        opened(tmp_path / "r")


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no release"):
        opened(tmp_path / "r")


LOADER = """
import sys
from pathlib import Path
import numpy as np
from overproof.release.folder import load

class Student:
    labels = ("a", "b")
    def probabilities(self, inputs):
        return np.full((len(inputs), 2), 0.5)

class Kind:
    def load(self, folder):
        return Student()

release = load(Path(sys.argv[1]), {"toy": Kind()})
assert release.answer({"p": "text"})[0].answer is None
stages = ("logs", "prompts", "teacher", "filters", "baselines", "evaluate", "calibrate", "report", "pipeline", "cli")
print([name for name in sys.modules if name.startswith(tuple(f"overproof.{stage}" for stage in stages))])
print([name for name in ("polars", "scipy") if name in sys.modules])
"""


def test_loading_imports_no_stage_that_made_it_and_nothing_heavy(tmp_path: Path) -> None:
    written(tmp_path / "r")
    ran = subprocess.run(
        [sys.executable, "-c", LOADER, str(tmp_path / "r")], capture_output=True, text=True, check=False
    )

    assert (ran.stdout.splitlines(), ran.stderr) == (["[]", "[]"], "")


@pytest.mark.parametrize("broken", [b"\xff\xfe{}", b"{", b"[]"])
def test_checksums_that_cannot_be_read_are_a_corrupt_release(broken: bytes, tmp_path: Path) -> None:
    (tmp_path / "checksums.json").write_bytes(broken)

    with pytest.raises(ReleaseCorrupt):
        load(tmp_path)


def test_texts_alone_are_numbered(tmp_path: Path) -> None:
    written(tmp_path / "r")
    release = opened(tmp_path / "r")

    assert release.answer(["nine char", "short"]) == release.answer({"0": "nine char", "1": "short"})
    with pytest.raises(TypeError, match="list"):
        release.answer("nine char")


def test_a_folder_may_be_given_as_text(tmp_path: Path) -> None:
    identity = written(f"{tmp_path}/r")

    assert opened(f"{tmp_path}/r").id == identity


def test_it_says_which_slices_are_the_teachers(tmp_path: Path) -> None:
    written(tmp_path / "r")

    assert opened(tmp_path / "r").always_teacher == ("vip",)


# --- a threshold of its own for each critical slice, and a head ------------------------------------------------------

HEAD = Confidence(
    kind="head", features=("top", "novelty"), centre=(0.0, 0.0), scale=(1.0, 1.0), weights=(1.0, -4.0), intercept=0.0
)


PLAIN = Confidence()


def holding(shifts: dict[str, float], confidence: Confidence = PLAIN, left: tuple[str, ...] = ()) -> LoadedRelease:
    calibration = replace(CANDIDATE.calibration, shifts=shifts, confidence=confidence, always_teacher=left)
    record = ReleaseRecord(name="t", kind="t", labels=LABELS, calibration=calibration, verdicts=(), lineage={})
    return LoadedRelease("id", record, b"", Toy(LABELS))


def said(release: LoadedRelease, texts: list[str], slices: list[list[str]] | None = None) -> list[str | None]:
    return [each.answer for each in release.answer(texts, slices)]


def test_each_request_is_held_to_the_strictest_of_its_slices() -> None:
    release = holding({"hard": -2.0, "easy": 2.0})
    slices = [["all"], ["all", "hard"], ["easy"], ["easy", "hard"], ["of no concern"]]

    assert said(release, ["nine char"] * 5, slices) == ["a", None, "a", None, "a"]
    assert said(release, ["sevench"] * 5, slices) == [None, None, "a", None, None]


def test_without_slices_the_strictest_shift_is_held_against_everything() -> None:
    assert said(holding({"hard": -2.0, "easy": 2.0}), ["nine char"]) == [None]
    assert said(holding({"easy": 2.0}), ["sevench", "nine char"]) == [None, "a"]
    assert said(holding({}), ["nine char"]) == ["a"]


@given(
    st.dictionaries(st.sampled_from("pqrs"), st.floats(-3, 3), max_size=4),
    st.lists(st.tuples(st.text(min_size=1, max_size=12), st.lists(st.sampled_from("pqrst"), max_size=3)), max_size=8),
)
def test_what_is_answered_without_slices_is_answered_with_them(
    shifts: dict[str, float], asked: list[tuple[str, list[str]]]
) -> None:
    release, texts = holding(shifts), [text for text, _ in asked]
    without, told = said(release, texts), said(release, texts, [slices for _, slices in asked])

    assert all(one is None or one == other for one, other in zip(without, told, strict=True))


def test_told_the_slices_it_leaves_the_unproven_ones_to_the_teacher() -> None:
    assert said(holding({}, left=("vip",)), ["nine char"] * 2, [["vip", "all"], ["all"]]) == [None, "a"]


def test_confidence_is_the_chance_of_being_right_whatever_threshold_it_is_held_to() -> None:
    (hard,) = holding({"hard": -2.0}).answer(["nine char"], [["hard"]])

    assert hard.confidence == pytest.approx(0.9)


def test_a_head_decides_how_sure_it_is() -> None:
    old, new = holding({}, HEAD).answer(["nine char", "9 char new"])

    assert (old.answer, new.answer) == ("a", None)
    assert old.confidence == pytest.approx(0.9)


def test_slices_that_do_not_fit_the_inputs_are_refused() -> None:
    with pytest.raises(ValueError, match="2 inputs have slices for 1"):
        holding({}).answer(["a", "b"], [["x"]])
    with pytest.raises(TypeError, match="list"):
        holding({}).answer(["a"], ["vip"])


def test_nothing_asked_is_nothing_answered() -> None:
    assert holding({"hard": -1.0}, HEAD).answer([]) == ()


@pytest.mark.parametrize("broken", [replace(HEAD, weights=(1.0,)), replace(HEAD, features=("top", "mood"))])
def test_a_head_that_cannot_be_applied_is_a_corrupt_release(tmp_path: Path, broken: Confidence) -> None:
    calibration = replace(CANDIDATE.calibration, confidence=broken)
    write_release(
        tmp_path / "r",
        replace(CANDIDATE, calibration=calibration),
        labels=LABELS,
        contract_toml=b"",
        lineage={},
        save=Toy(LABELS).save,
    )

    with pytest.raises(ReleaseCorrupt, match="head"):
        opened(tmp_path / "r")


class Particular(Toy):
    """A student to whom any other text is another answer."""

    def probabilities(self, inputs: Sequence[str]) -> NDArray[np.float32]:
        drawn = [hashlib.sha256(text.encode()).digest()[:4] for text in inputs]
        share = np.array([int.from_bytes(each, "big") / 2**32 for each in drawn], dtype=np.float32)
        return np.stack([share, 1 - share], axis=1)


def particular(*, redact: bool = True) -> LoadedRelease:
    record = ReleaseRecord(
        name="p", kind="p", labels=LABELS, calibration=CANDIDATE.calibration, verdicts=(), lineage={}, redact=redact
    )
    return LoadedRelease("id", record, b"", Particular(LABELS))


def stored(text: str, earlier: tuple[Message, ...] = (), how: str = "last_user") -> str:
    """Return what the student would be given of a logged request."""
    asked = Exchange(
        id="r", source="f:1", messages=(*earlier, Message(role="user", content=text)), answer="z@z.example"
    )
    exchanges, _ = redact_table(tables.frame([asked], Exchange))
    found: str = extract_column(exchanges, how)[0]
    return found


PRIVATE = st.sampled_from(
    [
        "a@b.example",
        "order-anna@b.example-2024",
        "+44 7700 900461",
        "call 555-0142",
        "\n",
        "4111 1111 1111 1111",
        "DE89 3704 0044 0532 0130 00",
        "sk-abcdefghij0123456789",
        "password: hunter22",
        '"quoted" \\ ',
        "order 5523091",
        "[EMAIL_3]",
        "\u8bf7" * 4100,
    ]
)
TALK = (
    Message(role="system", content="mail x@y.example"),
    Message(role="user", content="c@d.example, +44 7700 900462"),
)


@given(st.lists(PRIVATE | st.text(max_size=8), min_size=1, max_size=5).map("x ".join).filter(str.strip))
@example("Where is it? ann@b.example, 07700 900461")
def test_a_release_sees_what_it_was_proven_on(text: str) -> None:
    """Answering the text as it came in is the student's answer to it as the logs keep it."""
    release = particular()
    seen = [stored(text), stored(text, TALK[:1], "all"), *([] if "[EMAIL_3]" in text else [stored(text, TALK)])]
    answered = release.answer([text] * len(seen))

    assert [each.confidence for each in answered] == pytest.approx(release.student.probabilities(seen).max(axis=1))


def test_a_release_proven_on_bare_texts_sees_bare_texts() -> None:
    text = "ann@b.example"
    bare, masked = particular(redact=False).student.probabilities([text, "[EMAIL_1]"]).max(axis=1)

    assert particular(redact=False).answer([text])[0].confidence == pytest.approx(bare)
    assert particular().answer([text])[0].confidence == pytest.approx(masked)
    assert bare != masked


@pytest.mark.parametrize("redact", [True, False])
def test_whether_texts_were_masked_is_part_of_the_release(tmp_path: Path, redact: bool) -> None:
    written(tmp_path / "r", redact=redact)

    assert opened(tmp_path / "r").record.redact is redact
