"""The encoder student beyond what all promise: what is read once, in which precision, with how many layers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pytest
from numpy.typing import NDArray

import tiny_encoder
from lessons import LABELS, TAUGHT, TUNED_ON, train, tune
from overproof.core.protocols import Workshop
from overproof.models.encoders import runtime, tokens
from overproof.models.encoders.runtime import Encoder
from overproof.students import encoder_fit
from overproof.students.encoder import EncoderKind
from overproof.students.encoder_fit import Versions
from overproof.students.fitting import matter
from overproof.students.static import Static

for module in ("onnx", "onnxruntime", "tokenizers"):
    pytest.importorskip(module)

WIDTH = 8
Precision = Literal["int8", "fp32"]


class Remembering:
    """An encoder that puts the texts it was told about where it was told, and all others in one place."""

    width = WIDTH
    tokenizer_json = tiny_encoder.tokenizer().encode()

    def __init__(self, places: dict[str, int], precision: Precision = "fp32", fails_at: int = -1) -> None:
        self.places, self.precision, self.fails_at = places, precision, fails_at
        self.read: list[str] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self.fails_at in range(len(self.read), len(self.read) + len(texts)):
            raise KeyboardInterrupt
        self.read += texts
        rows = np.zeros((len(texts), WIDTH), np.float32)
        rows[np.arange(len(texts)), [self.places.get(text, 0) for text in texts]] = 1
        return rows


def meant(pairs: Sequence[tuple[str, str]]) -> dict[str, int]:
    return {text: 1 + LABELS.index(answer) for text, answer in pairs}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoders")
    tiny_encoder.install(folder)
    return folder


def workshop(folder: Path, told: list[tuple[str, int, int]] | None = None) -> Workshop:
    return Workshop(folder, folder, lambda *what: told.append(what) if told is not None else None)


def read(encoder: Remembering, folder: Path, told: list[tuple[str, int, int]] | None = None) -> encoder_fit.Rows:
    given = matter(train(), tune(), LABELS)
    return encoder_fit.read(cast("Encoder", encoder), "a key", given, workshop(folder, told))


class Counting:
    """A tokenizer that keeps what it was given to cut."""

    def __init__(self, real: Any, cut: list[str]) -> None:  # noqa: ANN401 - a Tokenizer, which may be missing here
        self.real, self.cut, self.post_process = real, cut, real.post_process

    def encode(self, text: str, **options: bool) -> object:
        self.cut.append(text)
        return self.real.encode(text, **options)


def test_a_text_is_cut_into_tokens_once(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its encoder and what its tokens say by themselves share them."""
    made, cut = tokens.tokenizer, list[str]()
    EncoderKind(model="tiny").fit(train(), tune(), LABELS, 0, Workshop(tmp_path, home)).save(tmp_path / "student")
    for module, name in ((tokens, "tokenizer"), (runtime, "framing")):
        monkeypatch.setattr(module, name, lambda data, limit=None: Counting(made(data, limit), cut))
    student = EncoderKind(model="tiny").load(tmp_path / "student")
    cut.clear()  # a new encoder looks how wide it is

    student.predict_one("charged twice")
    student.probabilities(["no login", "no parcel"])

    assert cut == ["charged twice", "no login", "no parcel"]


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_fit, "PART", 4)
    places = meant([*TAUGHT, *TUNED_ON])
    killed, resumed, whole = Remembering(places, fails_at=10), Remembering(places), Remembering(places)
    with pytest.raises(KeyboardInterrupt):
        read(killed, tmp_path / "one")

    found, expected = read(resumed, tmp_path / "one"), read(whole, tmp_path / "other")

    assert len(killed.read) == 8
    assert killed.read + resumed.read == whole.read
    assert np.array_equal(found.train, expected.train)
    assert np.array_equal(found.tune, expected.tune)


def test_what_was_read_in_one_precision_is_not_taken_for_the_other(tmp_path: Path) -> None:
    read(Remembering({}, "int8"), tmp_path)
    other = Remembering({}, "fp32")

    read(other, tmp_path)

    assert len(other.read) == len(TAUGHT) + len(TUNED_ON)


def test_it_tells_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_fit, "PART", 6)
    told: list[tuple[str, int, int]] = []

    read(Remembering({}), tmp_path, told)

    assert told == [("reading with fp32", done, 15) for done in (6, 12, 15)]


def settled(eight: dict[str, int], tmp_path: Path) -> str:
    """Return the precision chosen where fp32 knows what every text means, and 8 bits know what `eight` says."""
    strangers = [(f"{'ab'[i % 2]}{i}", LABELS[i % 3]) for i in range(12)]  # of tune: no token tells
    encoders = {
        "fp32": Remembering(meant([*TAUGHT, *strangers])),
        "int8": Remembering(
            eight | {text: eight.get("strangers", 0) and place for text, place in meant(strangers).items()}, "int8"
        ),
    }
    versions = Versions("a key", lambda precision: cast("Encoder", encoders[precision]))
    given = matter(train(), tune(strangers), LABELS)

    return encoder_fit.student(EncoderKind(), given, versions, workshop(tmp_path)).encoder.precision


def test_eight_bits_are_kept_where_they_lose_nothing(tmp_path: Path) -> None:
    assert settled(meant(TAUGHT) | {"strangers": 1}, tmp_path) == "int8"


def test_eight_bits_are_given_up_where_tune_shows_that_they_lose(tmp_path: Path) -> None:
    assert settled({}, tmp_path) == "fp32"


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_a_precision_that_was_asked_for_is_the_one_used(home: Path, tmp_path: Path, precision: Precision) -> None:
    kind = EncoderKind(model="tiny", precision=precision)
    student = kind.fit(train(), tune(), LABELS, 0, Workshop(tmp_path / "scratch", home))

    student.save(tmp_path / "saved")

    assert kind.load(tmp_path / "saved").encoder.precision == precision
    assert student.origin.precise is None


def test_what_8_bits_cost_is_on_record(home: Path, tmp_path: Path) -> None:
    kind = EncoderKind(model="tiny")
    kind.fit(train(), tune(), LABELS, 0, Workshop(tmp_path / "scratch", home)).save(tmp_path / "saved")

    origin = kind.load(tmp_path / "saved").origin

    assert origin.precise is not None
    assert (origin.model, origin.precise.texts) == ("tiny", len(TUNED_ON))
    assert 0 <= origin.precise.agreement <= 1


def test_fewer_layers_make_a_smaller_student_that_reads_otherwise(home: Path, tmp_path: Path) -> None:
    one, both, all_there_are = (
        EncoderKind(model="tiny", precision="fp32", layers=layers).fit(
            train(), tune(), LABELS, 0, Workshop(tmp_path, home)
        )
        for layers in (1, 2, None)
    )

    assert one.size_bytes < both.size_bytes == all_there_are.size_bytes
    assert not np.allclose(one.probabilities(["lost card"]), both.probabilities(["lost card"]))
    assert np.array_equal(both.probabilities(["lost card"]), all_there_are.probabilities(["lost card"]))


def test_what_training_was_about_is_less_new_than_the_rest() -> None:
    taught = meant(TAUGHT)
    encoder = Remembering(taught)
    given = matter(train(), tune(), LABELS)

    centres = encoder_fit.centres(given.train, encoder.embed(given.train.texts))

    assert np.array_equal(centres, np.eye(WIDTH, dtype=np.float32)[1:4])


def test_a_static_student_finds_new_what_training_never_held(home: Path, tmp_path: Path) -> None:
    student = Static(model="tiny").fit(train(), tune(), LABELS, 0, Workshop(tmp_path, home))

    assert student.novelty(["my card", "", "my ; ;"]) == pytest.approx([0, 1, 1 / 2])


def test_pairs_of_tokens_see_word_order(home: Path, tmp_path: Path) -> None:
    """Two orders of the same words are one bag of tokens, and two of pairs."""
    pairs = [("my card", "login"), ("my card", "login"), ("card my", "billing"), ("card my", "billing")]
    plain, paired = (
        Static(model="tiny", pairs=on).fit(train(pairs), tune(pairs), LABELS, 0, Workshop(tmp_path, home))
        for on in (False, True)
    )

    assert [paired.predict_one(text)[0] for text, _ in pairs] == [answer for _, answer in pairs]
    assert np.allclose(*plain.probabilities(["my card", "card my"]))
