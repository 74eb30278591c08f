"""A release answers exactly as it was evaluated: the same student, confidence, shifts and threshold, in any process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lessons import LABELS, TAUGHT, TUNED_ON, train, tune
from overproof.core.types import Calibration, Candidate, Confidence
from overproof.release.folder import load, write_release
from overproof.students.linear import Linear
from overproof.students.predict import predict
from overproof.tasks.classify import Classify
from overproof.tasks.scoring import route, score

HEAD = Confidence(
    kind="head",
    features=("top", "margin", "entropy", "novelty", "length"),
    centre=(0.5, 1.0, 0.7, 0.2, 3.0),
    scale=(0.7, 0.9, 0.3, 0.3, 0.5),
    weights=(0.9, 0.3, -0.2, -0.4, 0.1),
    intercept=0.8,
)
SHIFTS = {"hard": -0.7, "easy": 0.4}
TEXTS = [text for text, _ in TAUGHT + TUNED_ON] + ["", "zyx wvu", "charged zyx", "password " * 30, "Schließung 退款 👍"]
SLICES = [
    ["all", *(["hard"] if i % 2 else []), *(["easy"] if i % 3 else []), *(["vip"] if i % 7 == 0 else [])]
    for i in range(len(TEXTS))
]

ANSWER = """
import json, sys
from pathlib import Path
from overproof.release.folder import load
texts, slices = json.loads(sys.stdin.read())
release = load(Path(sys.argv[1]))
whole = release.answer(texts, slices)
assert whole == tuple(
    each.__class__(prompt_id=whole[i].prompt_id, answer=each.answer, confidence=each.confidence)
    for i, (text, named) in enumerate(zip(texts, slices)) for each in release.answer([text], [named])
)
print(json.dumps([[each.answer, each.confidence] for each in whole]))
"""


def calibration(confidence: Confidence, threshold: float) -> Calibration:
    return Calibration(
        candidate="linear",
        reference="gold",
        alpha=0.05,
        delta=0.05,
        confidence=confidence,
        threshold=threshold,
        shifts=SHIFTS,
        coverage=0.5,
        risk=0.0,
        answered_units=100,
        errors=0,
        p_value=0.0,
        always_teacher=("vip",),
        ece=0.0,
        brier=0.0,
    )


@pytest.mark.parametrize("kind", [Linear(), Linear(characters=(2, 4))], ids=["words", "both"])
@pytest.mark.parametrize("confidence", [Confidence(), HEAD], ids=["top", "head"])
@pytest.mark.parametrize("threads", ["1", "3"])
def test_it_answers_as_it_was_evaluated(tmp_path: Path, kind: Linear, confidence: Confidence, threads: str) -> None:
    student = kind.fit(train(), tune(), LABELS, seed=0)
    prompts = pl.DataFrame({"id": [f"p{i}" for i in range(len(TEXTS))], "input": TEXTS})
    predicted = predict(student, prompts, 0.03, confidence)
    laid_out = prompts.select(
        pl.col("id").alias("request_id"),
        pl.col("id").alias("prompt_id"),
        unit="id",
        slices=pl.Series(SLICES, dtype=pl.List(pl.String)),
        reference=pl.lit("login"),
        teacher=pl.lit("login"),
        teacher_cost=pl.lit(1.0),
    )
    scored = score(laid_out, predicted, Classify(labels=LABELS), "gold", SHIFTS)
    threshold = float(np.median(scored["confidence"].to_numpy()))  # one of them stands exactly at it
    proven = calibration(confidence, threshold)
    routed = route(scored, threshold, proven.always_teacher)
    identity = write_release(
        tmp_path / "r",
        Candidate(name="linear", family="student", kind="linear", calibration=proven),
        labels=student.labels,
        contract_toml=b"",
        lineage={},
        save=student.save,
        redact=False,
    )
    ran = subprocess.run(
        [sys.executable, "-c", ANSWER, str(tmp_path / "r")],
        input=json.dumps([TEXTS, SLICES]),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
    )
    served = json.loads(ran.stdout)
    evaluated = routed.select(answer=pl.when("answered").then("predicted"), sure="own_confidence").rows()

    assert load(tmp_path / "r", expected_id=identity).record.calibration == proven
    assert served == [list(row) for row in evaluated]
    assert 0 < sum(answer is not None for answer, _ in served) < len(served)
