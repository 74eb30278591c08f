"""On real requests with human gold: as right as the best lexical peers."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from lessons import train, tune
from overproof.core.chance import draw
from overproof.students.linear import Linear


def read(file: Path) -> list[tuple[str, str]]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [(row["text"], row["intent"]) for row in map(json.loads, lines)]


@pytest.mark.parametrize(
    ("kind", "at_least"),
    [(Linear(), 0.885), (Linear(characters=(2, 5)), 0.90)],
    ids=["words", "both"],
)
def test_it_is_right_on_banking77(shared_data: Path, kind: Linear, at_least: float) -> None:
    pairs, asked = (read(shared_data / "banking77" / f"{name}.jsonl.gz") for name in ("train", "test"))
    to_tune = [draw("tune", text) < 0.1 for text, _ in pairs]
    labels = tuple(sorted({label for _, label in pairs}))
    student = kind.fit(
        train(pair for pair, tuned in zip(pairs, to_tune, strict=True) if not tuned),
        tune(pair for pair, tuned in zip(pairs, to_tune, strict=True) if tuned),
        labels,
        seed=0,
    )

    found = np.array(labels)[student.probabilities([text for text, _ in asked]).argmax(axis=1)]

    assert np.mean(found == [label for _, label in asked]) >= at_least
