"""On real requests with human gold: as right as the best lexical peers, and with an encoder clearly more so."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import rungs
from lessons import train, tune
from overproof.core.chance import draw
from overproof.core.protocols import Student, StudentKind, Workshop
from overproof.core.splits import Train, Tune
from overproof.students.cascade import Cascade
from overproof.students.encoder import EncoderKind
from overproof.students.linear import Linear
from overproof.students.static import Static


class Banking(NamedTuple):
    train: Train
    tune: Tune
    labels: tuple[str, ...]
    asked: list[tuple[str, str]]

    def right(self, student: Student) -> float:
        """Return the share of the test set's requests that it answers with their gold label."""
        best = student.probabilities([text for text, _ in self.asked]).argmax(axis=1)
        return float(np.mean(np.array(self.labels)[best] == [label for _, label in self.asked]))


@pytest.fixture(scope="module")
def banking(shared_data: Path) -> Banking:
    pairs, asked = (read(shared_data / "banking77" / f"{name}.jsonl.gz") for name in ("train", "test"))
    to_tune = [draw("tune", text) < 0.1 for text, _ in pairs]
    return Banking(
        train(pair for pair, tuned in zip(pairs, to_tune, strict=True) if not tuned),
        tune(pair for pair, tuned in zip(pairs, to_tune, strict=True) if tuned),
        tuple(sorted({label for _, label in pairs})),
        asked,
    )


def read(file: Path) -> list[tuple[str, str]]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [(row["text"], row["intent"]) for row in map(json.loads, lines)]


@pytest.mark.parametrize(
    ("kind", "at_least"),
    [(Linear(), 0.885), (Linear(characters=(2, 5)), 0.90)],
    ids=["words", "both"],
)
def test_it_is_right_on_banking77(banking: Banking, kind: Linear, at_least: float) -> None:
    assert banking.right(kind.fit(banking.train, banking.tune, banking.labels, seed=0)) >= at_least


def test_with_an_encoder_it_is_right_more_often(banking: Banking, minilm: Path, tmp_path: Path) -> None:
    """A static student beats every lexical one, a frozen encoder beats that, and a cascade costs nothing of it."""

    def fit(kind: StudentKind) -> Student:
        return kind.fit(banking.train, banking.tune, banking.labels, 0, Workshop(tmp_path / "scratch", minilm))

    words, static, encoder = fit(Linear(characters=(2, 5))), fit(Static()), fit(EncoderKind(precision="int8"))
    cascade = Cascade(of=("a", "b")).combine([words, encoder], ["linear", "encoder"], banking.tune)

    assert banking.right(static) >= 0.92
    assert banking.right(encoder) >= 0.93
    assert banking.right(cascade) >= 0.93
    assert cascade.answered > 0.5
    cascade.save(tmp_path / "cascade")
    assert said_elsewhere(tmp_path / "cascade", "cascade") == rungs.said(cascade) + "\n"


def said_elsewhere(folder: Path, name: str) -> str:
    """Return what a saved student says in another process that has two threads."""
    return subprocess.run(
        [sys.executable, rungs.__file__, str(folder), name],
        env={**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
