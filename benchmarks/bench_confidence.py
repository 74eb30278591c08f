"""Measure on Banking77 (gold as teacher) what a threshold answers at alpha 5 % and delta 10 %, by kind of confidence.

python benchmarks/bench_confidence.py [--data FOLDER] [--encoders FOLDER] [--splits 20]

The test set is cut in halves at random, again and again; each half calibrates once and is judged by once. "refuted":
how often the other half proves, by an exact test at 5 %, that more than alpha of what is answered is wrong. Halves of
one test set are no fresh worlds: the guarantee itself is measured in simulation (tests/calibrate). With --encoders (a
folder of installed encoders) the static and the frozen student too.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from overproof.calibrate import head
from overproof.calibrate.certify import Ahead, Drawn, choose
from overproof.core import tables
from overproof.core.chance import draw
from overproof.core.protocols import Student, StudentKind, Workshop
from overproof.core.splits import Train, Tune
from overproof.core.types import Confidence, Example, PromptId, SplitName, UnitId
from overproof.proof import binomial, thresholds
from overproof.proof.ledger import family_levels, spent
from overproof.students.linear import Linear
from overproof.tasks.answering import answers

ALPHA, DELTA = 0.05, 0.10
Pairs = list[tuple[str, str]]
Floats = NDArray[np.float64]


def read(file: Path) -> Pairs:
    """Return texts and their gold labels."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [(row["text"], row["intent"]) for row in map(json.loads, lines)]


def examples(pairs: Pairs, split: SplitName) -> list[Example]:
    """Return `pairs` as a student's examples."""
    return [
        Example(prompt_id=PromptId(f"p{i}"), unit=UnitId(f"u{i}"), split=split, input=text, answer=answer)
        for i, (text, answer) in enumerate(pairs)
    ]


def kinds(encoders: Path | None) -> Iterator[tuple[str, StudentKind]]:
    """Yield the students measured."""
    yield "words+characters", Linear(characters=(2, 5))
    if encoders is not None:
        from overproof.students.encoder import EncoderKind
        from overproof.students.static import Static

        yield "static", Static()
        yield "frozen encoder", EncoderKind()


def measure(student: Student, tune: Tune, test: Pairs, splits: int) -> None:
    """Print a line for each way to be sure."""
    inputs = tune.frame["input"].to_list()
    fitted = head.fit(tune, student.labels, student.probabilities(inputs), student.novelty(inputs))
    texts = [text for text, _ in test]
    for name, confidence in {"top": Confidence(), f"auto: {fitted.kind}": fitted}.items():
        said = answers(student, texts, confidence)
        right = np.array(student.labels)[said.best] == [label for _, label in test]
        tuned = answers(student, inputs, confidence).sure
        for again in (0.0, 0.9):
            found = np.array([*_halves(said.sure, right, tuned, splits, again)])
            coverage, risk, refuted = found.mean(axis=0)
            print(
                f"  {name:11} again {again}: answers {coverage:.3f} (sd {found[:, 0].std():.3f}), of that "
                f"{risk:.3f} wrong, refuted {refuted:.2f}",
                flush=True,
            )


def _halves(
    sure: Floats, right: NDArray[np.bool_], tuned: Floats, splits: int, again: float
) -> Iterator[tuple[float, float, bool]]:
    rng, level = np.random.default_rng(1), family_levels(spent(DELTA, 1)).students
    for _ in range(splits):
        order = rng.permutation(len(right))
        halves = order[: len(order) // 2], order[len(order) // 2 :]
        for here, there in (halves, halves[::-1]):
            grid = thresholds.grid_from_tune(tuned, len(here), 200, 50, binomial.least_units(ALPHA, DELTA / 2))
            drawn = Drawn(sure[here], ~right[here], {"all": np.arange(len(here))}, {})
            ahead = Ahead(level=level, units=len(there) / len(here), chance=again) if again else None
            chosen = choose(drawn, grid, tuned, alpha=ALPHA, delta=DELTA, start_units=200, ahead=ahead)
            answered = sure[there] >= (2.0 if chosen.threshold is None else chosen.threshold)
            n, errors = int(answered.sum()), int((~right[there])[answered].sum())
            refuted = float(binomial.tail(n - errors, n, 1 - ALPHA)) <= 0.05
            yield n / len(there), errors / max(n, 1), refuted


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data" / "banking77")
    parser.add_argument("--encoders", type=Path)
    parser.add_argument("--splits", type=int, default=20)
    given = parser.parse_args()
    pairs, test = read(given.data / "train.jsonl.gz"), read(given.data / "test.jsonl.gz")
    labels = tuple(sorted({label for _, label in pairs}))
    train = Train(tables.frame(examples([each for each in pairs if draw("tune", each[0]) >= 0.1], "train"), Example))
    tune = Tune(tables.frame(examples([each for each in pairs if draw("tune", each[0]) < 0.1], "tune"), Example))
    for name, kind in kinds(given.encoders):
        with TemporaryDirectory() as scratch:
            workshop = Workshop(Path(scratch), given.encoders or Path(scratch))
            student = kind.fit(train, tune, labels, 0, workshop)
            print(name)
            measure(student, tune, test, given.splits)


if __name__ == "__main__":
    main()
