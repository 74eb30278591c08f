from __future__ import annotations

import subprocess
import sys
from typing import Any, cast

import msgspec
import numpy as np
import pytest

from lessons import LABELS, TAUGHT, TUNED_ON, train, tune
from overproof.core import plugins
from overproof.core.errors import ContractError, NotEnoughData
from overproof.core.protocols import Student, StudentKind
from overproof.students.linear import Linear

BOTH = pytest.mark.parametrize("kind", [Linear(), Linear(characters=(2, 4))], ids=lambda kind: kind.name)


def built(**options: Any) -> Linear:  # noqa: ANN401 - as TOML gives them
    return cast("Linear", plugins.build("students", {"kind": "linear", **options}, key="kind", where="students[0]"))


def test_the_contract_builds_it_from_plain_toml() -> None:
    assert built(words=[1, 2], characters=[2, 5]) == Linear(characters=(2, 5))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"character": [2, 5]}, "unknown field `character`.*options of 'linear'.*characters"),
        ({"words": [2, 1]}, r"words must be \[shortest, longest\]"),
        ({"words": [0, 1]}, r"words must be \[shortest, longest\]"),
        ({"characters": [2, 50]}, r"characters must be \[shortest, longest\]"),
        ({"characters": [2]}, "length 2"),
        ({"penalty": 0}, "penalty must lie between 0 and 1"),
        ({"min_count": 0}, "at least 1"),
    ],
)
def test_options_that_describe_no_student_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ContractError, match=says):
        built(**options)


def test_the_name_says_what_it_reads_unless_one_is_given() -> None:
    assert [Linear().name, Linear(characters=(2, 5)).name, Linear(name="tiny").name] == [
        "linear-words",
        "linear-words+chars",
        "tiny",
    ]


def test_the_plug_in_fits_its_seam() -> None:
    kind: StudentKind = Linear()
    student: Student = kind.fit(train(), tune(), LABELS, seed=0)

    assert student.labels == LABELS


def test_options_load_without_anything_heavy() -> None:
    """The contract imports the plug-in to check its options, and must start in milliseconds."""
    look = "import sys, overproof.students.linear; print(sorted({'numpy', 'scipy', 'polars'} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_neither_training_nor_serving_needs_scikit_learn() -> None:
    look = "import sys, overproof.students.linear_fit; print('sklearn' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout == "False\n"


def test_serving_needs_no_scipy() -> None:
    look = "import sys, overproof.students.linear_student; print(sorted({'scipy', 'polars'} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout == "[]\n"


@BOTH
def test_it_learns_what_it_is_taught(kind: Linear) -> None:
    student = kind.fit(train(), tune(), LABELS, seed=0)

    best = student.probabilities([text for text, _ in TAUGHT + TUNED_ON]).argmax(axis=1)

    assert [LABELS[at] for at in best] == [answer for _, answer in TAUGHT + TUNED_ON]


@BOTH
def test_the_same_examples_make_the_same_student(kind: Linear) -> None:
    texts = [text for text, _ in TAUGHT]
    one, other = (kind.fit(train(), tune(), LABELS, seed=seed).probabilities(texts) for seed in (0, 1))

    assert np.array_equal(one, other)


def test_training_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    Linear(characters=(2, 5)).fit(train(), tune(), LABELS, seed=0)

    assert capfd.readouterr() == ("", "")


def test_pieces_read_words_that_were_never_seen() -> None:
    unseen = ["passwordz", "parcells", "chargess"]
    plain, cut = (kind.fit(train(), tune(), LABELS, seed=0) for kind in (Linear(), Linear(characters=(2, 5))))

    assert [cut.predict_one(text)[0] for text in unseen] == ["login", "shipping", "billing"]
    assert len({plain.predict_one(text) for text in unseen}) == 1


def test_a_doubtful_example_teaches_doubt() -> None:
    """A vote of 2 to 1 is learned as a chance, not as a fact."""
    text = TAUGHT[0][0]
    sure = Linear(penalty=1e-5).fit(train(), tune(), LABELS, seed=0)
    torn = Linear(penalty=1e-5).fit(train(votes={text: {"billing": 0.5, "login": 0.5}}), tune(), LABELS, seed=0)

    assert torn.probabilities([text])[0, 1] > 10 * sure.probabilities([text])[0, 1]


def test_what_production_asks_often_weighs_more() -> None:
    pairs = [("it broke", "billing"), ("it broke", "login")]
    frame = train(pairs).frame
    often = frame.with_columns(weight=frame["prompt_id"].replace_strict({"p0": 1.0, "p1": 9.0}))

    student = Linear().fit(type(train())(often), tune([("it broke", "login"), ("it broke", "billing")]), LABELS, 0)

    assert student.predict_one("it broke")[0] == "login"


def test_a_label_that_was_never_seen_is_improbable_not_impossible() -> None:
    labels = (*LABELS, "weather")
    student = Linear().fit(train(), tune([*TUNED_ON, ("rain", "weather")]), labels, seed=0)

    chances = student.probabilities(["login please", "rain"])

    assert student.labels == labels
    assert np.all((chances[:, 3] > 0) & (chances[:, 3] < 1e-5))


def test_texts_without_a_word_get_the_share_each_label_has() -> None:
    student = Linear(characters=(2, 3)).fit(
        train([("", "login"), ("!?", "login"), ("...", "login"), ("", "billing")]),
        tune([("", "login"), ("", "login"), ("", "login"), ("", "billing")]),
        ("login", "billing"),
        seed=0,
    )

    assert student.predict_one("") == pytest.approx(("login", 0.75), abs=0.1)


@pytest.mark.parametrize("pairs", [[], TAUGHT[:4]], ids=["none", "one label"])
def test_too_few_labels_are_an_error_that_says_what_helps(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(NotEnoughData, match=r"at least two labels.*bring more logs"):
        Linear().fit(train(pairs), tune(), LABELS, seed=0)


@pytest.mark.parametrize("pairs", [[], [("rain", "weather")]], ids=["empty", "other labels only"])
def test_nothing_to_tune_on_is_an_error(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(NotEnoughData, match="tune holds no example"):
        Linear().fit(train(), tune(pairs), (*LABELS, "weather"), seed=0)


def test_it_cannot_be_tuned_on_what_it_learned_from() -> None:
    with pytest.raises(TypeError, match="may read tune only"):
        Linear().fit(train(), cast("Any", train()), LABELS, seed=0)


def test_a_given_penalty_is_the_one_used() -> None:
    crushed, free = (Linear(penalty=given).fit(train(), tune(), LABELS, seed=0) for given in (0.9, 1e-6))

    assert 10 * np.abs(crushed._weights).max() < np.abs(free._weights).max()


def test_it_survives_being_written_down() -> None:
    kind = Linear(characters=(2, 5), penalty=1e-5)

    assert msgspec.json.decode(msgspec.json.encode(kind), type=Linear) == kind
