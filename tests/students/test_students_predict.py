from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from lessons import LABELS
from overproof.core import tables
from overproof.core.types import Confidence, Prediction
from overproof.students.predict import predict


class Always:
    """A student of one opinion."""

    labels = LABELS
    size_bytes = 0

    def probabilities(self, inputs: Sequence[str]) -> NDArray[np.float32]:
        return np.tile(np.array([0.2, 0.7, 0.1], dtype=np.float32), (len(inputs), 1))

    def novelty(self, inputs: Sequence[str]) -> NDArray[np.float32]:
        return np.array([float(text == "new") for text in inputs], dtype=np.float32)

    def save(self, folder: object) -> None:
        """Have nothing to keep."""


def prompts(*texts: str) -> pl.DataFrame:
    return pl.DataFrame(
        {"id": [f"p{i}" for i in range(len(texts))], "input": list(texts)}, schema={"id": pl.String, "input": pl.String}
    )


def test_the_likeliest_label_is_the_answer_and_its_chance_the_confidence() -> None:
    found = predict(Always(), prompts("a", "b"), core_hour_usd=0.036)

    assert found["prompt_id"].to_list() == ["p0", "p1"]
    assert found["answer"].to_list() == ["login", "login"]
    assert found["confidence"].to_list() == pytest.approx([0.7, 0.7])


def test_with_a_head_the_confidence_is_its_chance_of_being_right() -> None:
    head = Confidence(
        kind="head",
        features=("top", "novelty"),
        centre=(0.0, 0.0),
        scale=(1.0, 1.0),
        weights=(1.0, -1.0),
        intercept=0.5,
    )
    found = predict(Always(), prompts("old", "new"), core_hour_usd=0.036, confidence=head)
    odds = np.log(0.7 / 0.3) + 0.5 - np.array([0.0, 1.0])

    assert found["answer"].to_list() == ["login", "login"]
    assert found["confidence"].to_list() == pytest.approx(list(1 / (1 + np.exp(-odds))))
    assert (found["latency_ms"] > 0).all()


def test_it_costs_the_core_it_keeps_busy() -> None:
    found = predict(Always(), prompts("a", "b", "c"), core_hour_usd=0.036)

    assert (found["latency_ms"] > 0).all()
    assert found["cost_usd"].to_list() == pytest.approx([ms * 1e-8 for ms in found["latency_ms"]])


def test_no_prompt_is_no_prediction() -> None:
    found = predict(Always(), prompts(), core_hour_usd=0.036)

    assert found.height == 0
    assert found.schema == tables.schema(Prediction)
