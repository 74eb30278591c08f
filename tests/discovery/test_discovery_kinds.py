"""What kind of task answers come from, and the schema of those that are JSON."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.discovery.kinds import Nature, nature
from overproof.discovery.schemas import infer
from overproof.pipeline.labels import labels_in

LABELS = ("billing", "shipping", "other")
SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)


def of(answers: list[str]) -> Nature:
    return nature(pl.Series("answer", answers, dtype=pl.String), labels_in)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda i: LABELS[i % 3], "classify"),
        (lambda i: f"Category: {LABELS[i % 3].title()}.", "classify"),
        (lambda i: json.dumps({"label": LABELS[i % 3]}), "classify"),
        (lambda i: json.dumps({"label": LABELS[i % 3], "reason": f"because of {i}"}), "classify"),
        (lambda i: json.dumps({"category": LABELS[i % 3], "priority": "low"}), "extract"),
        (lambda i: f"```json\n{json.dumps({'name': f'n{i}', 'city': 'Bern'})}\n```", "extract"),
        (lambda i: f"Dear customer, number {i} is on its way.", "generate"),
        (lambda i: str(i * 37), "generate"),
        (lambda _: "yes", "classify"),
    ],
)
def test_answers_say_what_kind_of_task_they_come_from(answer: Any, kind: str) -> None:  # noqa: ANN401 - a lambda
    assert of([answer(i) for i in range(300)]).kind == kind


def test_labels_are_found_however_they_are_written() -> None:
    assert sorted(of([*LABELS, *(f"Label: {label.title()}" for label in LABELS)] * 20).labels) == sorted(LABELS)


def test_an_answer_of_another_form_is_none() -> None:
    labels, fields = of([*LABELS] * 20), of([json.dumps({"a": i, "b": i}) for i in range(50)])

    assert not labels.is_of_form("what do you mean?")
    assert fields.is_of_form('{"a": 1, "b": 2}')
    assert not fields.is_of_form('{"a": 1}')
    assert not fields.is_of_form("a is 1")


def test_a_schema_says_types_requirements_and_values() -> None:
    rows = [
        {"category": LABELS[i % 3], "amount": None if i % 2 else f"{i} EUR", "n": i if i % 3 else i + 0.5}
        | {"tags": ["x"] * (i % 3), "at": {"city": f"c{i}"}, "kind": None if i % 2 else "plain"}
        | ({"note": "rare"} if i % 4 == 0 else {})
        for i in range(200)
    ]

    assert infer(rows) == {
        "type": "object",
        "properties": {
            "category": {"type": "string", "enum": ["billing", "shipping", "other"]},
            "amount": {"type": ["string", "null"]},
            "n": {"type": "number"},
            "tags": {"type": "array", "items": {"type": "string", "enum": ["x"]}},
            "at": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
            "kind": {"anyOf": [{"type": "string", "enum": ["plain"]}, {"type": "null"}]},
            "note": {"type": "string", "enum": ["rare"]},
        },
        "required": ["category", "amount", "n", "tags", "at", "kind"],
    }


@given(st.lists(st.dictionaries(st.text(max_size=3), VALUES, max_size=4), min_size=1, max_size=30))
def test_a_schema_of_anything_names_only_keys_that_are_there(rows: list[dict[str, Any]]) -> None:
    schema = infer(rows)

    assert set(schema["required"]) <= set(schema["properties"]) <= {key for row in rows for key in row}
    assert all(any(key in row for row in rows) for key in schema["properties"])
