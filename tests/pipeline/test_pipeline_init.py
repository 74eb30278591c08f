"""`init` finds the labels however they are written, and stops with a sentence where there are none."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toy_logs
from overproof.contract import parse
from overproof.core.errors import NotEnoughData, UserError
from overproof.pipeline.init import Started, init, task_name
from overproof.pipeline.labels import find_labels, unwrapped

LABELS = ("billing", "shipping", "account_closed", "other")
WRAPPINGS: tuple[Callable[[str], str], ...] = (
    lambda label: label,
    lambda label: f"Label: {label.title()}",
    lambda label: f"**Category:** `{label}`",
    lambda label: f'"{label}"',
    lambda label: json.dumps({"category": label}),
    lambda label: json.dumps({"category": label, "reason": "because it says so"}),
    lambda label: f"```json\n{json.dumps({'intent': label})}\n```",
    lambda label: f"<label>{label}</label>",
    lambda label: f"Final answer: {label.replace('_', ' ')}.",
)


def found(answers: list[str]) -> list[str]:
    return find_labels(pl.Series("answer", answers, dtype=pl.String))


def start(folder: Path, made: list[dict[str, Any]], where: str | None = None) -> Started:
    toy_logs.write(folder, made)
    return init(str(folder / "new"), str(folder / "logs" / "a.jsonl"), None, where)


@pytest.mark.parametrize("wrap", WRAPPINGS)
@pytest.mark.parametrize("label", LABELS)
def test_the_wrapping_comes_off(wrap: Callable[[str], str], label: str) -> None:
    assert unwrapped(wrap(label)).casefold().replace(" ", "_") == label


@pytest.mark.parametrize("text", ["billing: refund", "billing", "", '"', "Category:", '{"a": 1, "b": 2}', "N/A"])
def test_what_is_no_wrapping_stays(text: str) -> None:
    assert unwrapped(text) == text


@given(st.text(max_size=30))
def test_unwrapping_takes_any_text_and_never_adds(text: str) -> None:
    assert len(unwrapped(text)) <= len(text)


@given(st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(WRAPPINGS)), max_size=40))
def test_labels_are_those_that_stand_alone_however_the_rest_is_wrapped(
    odd: list[tuple[str, Callable[[str], str]]],
) -> None:
    answers = [label for label in LABELS for _ in range(10)] + [wrap(label) for label, wrap in odd]

    assert sorted(found(answers)) == sorted(LABELS)


def test_the_spelling_that_stands_alone_is_kept_even_when_a_wrapped_one_is_more_frequent() -> None:
    assert found(["Label: Shipping"] * 60 + ["shipping"] * 20 + ["billing"] * 40) == ["shipping", "billing"]


def test_the_most_frequent_spelling_is_kept() -> None:
    assert found(["Refund"] * 5 + ["refund"] * 9 + ["REFUND"] * 2 + ["other"] * 9) == ["refund", "other"]


def test_json_answers_give_their_category() -> None:
    answers = [json.dumps({"category": LABELS[i % 4], "reason": f"because of {i}"}) for i in range(400)]

    assert sorted(found(answers)) == sorted(LABELS)


def test_labels_with_a_colon_of_their_own_are_whole() -> None:
    assert sorted(found(["billing: refund", "billing: fee", "shipping: late"] * 20)) == [
        "billing: fee",
        "billing: refund",
        "shipping: late",
    ]


def test_refusals_slips_and_sentences_are_no_labels() -> None:
    answers = ["billing"] * 50 + ["other"] * 50
    answers += ["I'm sorry, I can't help with that."] * 20 + ["biling"] * 2 + ["The category is billing."] * 30

    assert sorted(found(answers)) == ["billing", "other"]


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        (
            [json.dumps({"name": f"n{i % 132}", "city": "Bern"}) for i in range(1500)],
            "not like labels: 132 different ones in 1,500 calls; `extract` and `generate` are not here yet",
        ),
        ([f"Thank you for writing, number {i}." for i in range(300)], "free text or JSON, not like labels: 300"),
        ([f"label {i % 600}" for i in range(6000)], "free text or JSON, not like labels: 600"),
        ([f"value {i % 100}" for i in range(400)], "100 labels in 400 calls are fewer than 5 calls for each"),
        (["billing"] * 100, "only one label, 'billing', in 100 calls"),
    ],
    ids=["json", "text", "too many", "too few calls", "one"],
)
def test_answers_that_are_no_small_set_stop_with_a_sentence(answers: list[str], says: str) -> None:
    with pytest.raises(NotEnoughData) as told:
        found(answers)

    assert says in str(told.value)


@pytest.mark.parametrize(("where", "calls"), [("tier = 'pro'", 200), ("model = 'big'", 400), ("tier LIKE 'p%'", 200)])
def test_where_is_read_as_slices_are(tmp_path: Path, where: str, calls: int) -> None:
    made = [row | {"metadata": {"tier": ("free", "pro")[i % 2]}} for i, row in enumerate(toy_logs.rows(400))]

    started = start(tmp_path, made, where)

    assert started.exchanges == calls
    assert parse((Path(started.path)).read_bytes()).task.where == where


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("tier = 'gold'", "no call matches \"tier = 'gold'\"; tier is one of 'free', 'pro'"),
        ("model = 'small'", "no call matches \"model = 'small'\"; model is one of 'big'"),
        ("length > 400", "speaks of 'length', which is not there; known names: model, tier"),
        ("\"it's\" = 'x'", "which is not there; known names: model, tier"),
        ("tier = ", "cannot read the condition"),
    ],
)
def test_a_where_that_selects_nothing_says_what_there_is(tmp_path: Path, where: str, says: str) -> None:
    made = [row | {"metadata": {"tier": ("free", "pro")[i % 2]}} for i, row in enumerate(toy_logs.rows(40))]

    with pytest.raises(UserError) as told:
        start(tmp_path, made, where)

    assert says in str(told.value)
    assert not (tmp_path / "new").exists()


def test_logs_that_cannot_be_read_are_told_without_a_contract_that_is_not_there(tmp_path: Path) -> None:
    strange, broken = tmp_path / "strange.jsonl", tmp_path / "broken.jsonl"
    strange.write_text('{"question": "x", "verdict": "y"}\n' * 30)
    broken.write_text("")
    faults = {
        str(strange): f"{strange} is in no format known here",
        str(broken): f"{broken} holds no call that can be read",
        str(tmp_path / "*.gz"): "no file matches",
        str(tmp_path): "is a folder; name its files",
    }

    for logs, says in faults.items():
        with pytest.raises(UserError) as told:
            init(str(tmp_path / "new"), logs, None, None)

        assert says in str(told.value)
        assert "overproof.toml" not in str(told.value)
        assert "[[logs]]" not in str(told.value)


def test_a_format_nobody_knows_is_answered_with_the_fields_that_are(tmp_path: Path) -> None:
    strange = tmp_path / "strange.jsonl"
    strange.write_text('{"question": "x", "verdict": "y"}\n')

    with pytest.raises(UserError, match="with `input` and `output`, or with `request` and `response`"):
        init(str(tmp_path / "new"), str(strange), None, None)


def test_a_file_that_is_no_json_is_told_in_one_sentence(tmp_path: Path) -> None:
    image = tmp_path / "image.jsonl"
    image.write_bytes(bytes(range(256)) * 10)

    with pytest.raises(UserError, match="is in no format known here"):
        init(str(tmp_path / "new"), str(image), None, None)


@pytest.mark.parametrize(("folder", "name"), [("a+b", "a-b"), (".hidden", "hidden"), ("x y", "x y"), ("...", "task")])
def test_the_task_is_called_after_the_folder(tmp_path: Path, folder: str, name: str) -> None:
    assert task_name(tmp_path / folder) == name


def test_a_price_is_needed_where_nobody_knows_one(tmp_path: Path) -> None:
    bare = [{"input": row["input"], "output": row["output"]} for row in toy_logs.rows(400)]

    unknown = start(tmp_path / "unknown", bare)
    listed = start(tmp_path / "listed", [row | {"model": "gpt-4o-mini"} for row in bare])

    assert [need for need in unknown.needs if "`price`" in need]
    assert not [need for need in listed.needs if "`price`" in need]
    assert "read once" in unknown.needs[-1]


ENGLISH = "I have been waiting for the refund of my last invoice since Monday, please have a look at {}"
GERMAN = "Ich warte seit Montag auf die Erstattung meiner letzten Rechnung, bitte sehen Sie nach bei {}"


@pytest.mark.parametrize(("german", "named"), [(0.2, ["en", "de"]), (0.02, []), (0.0, [])])
def test_languages_with_enough_traffic_are_named_if_there_are_two(
    tmp_path: Path, german: float, named: list[str]
) -> None:
    texts = [(GERMAN if i < german * 400 else ENGLISH).format(f"shop{i}") for i in range(400)]
    made = [row | {"input": text} for row, text in zip(toy_logs.rows(400), texts, strict=True)]

    written = Path(start(tmp_path, made).path).read_text("utf-8")

    assert re.findall(r'^# where = "language = \'(\w\w)\'"$', written, re.MULTILINE) == named
    assert all(f'# name = "language {each}"' in written for each in named)


def test_metadata_that_conditions_cannot_speak_of_names_no_slice(tmp_path: Path) -> None:
    hidden = {"topic": ("a", "b"), "language": ("x", "y"), "new": ("1", "2"), "tier": ("free", "pro")}
    made = [
        row | {"metadata": {key: values[i % 2] for key, values in hidden.items()}}
        for i, row in enumerate(toy_logs.rows(400))
    ]

    written = Path(start(tmp_path, made).path).read_text("utf-8")

    assert re.findall(r'^# where = "(\w+) =', written, re.MULTILINE) == ["tier", "tier"]
