"""Measure the linear students on Banking77 beside scikit-learn, in one run: accuracy against gold, speed, size.

python benchmarks/bench_students.py [--quick] [--data FOLDER]

One thread for all; the peers learn from all of train, ours keep a tenth of it to tune on. scikit-learn serves by
`predict`, as its users do. Seconds of training are processor time.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import pickle
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

UNSET, ONE_THREAD = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"), ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
if any(name in os.environ for name in UNSET) or any(os.environ.get(name) != "1" for name in ONE_THREAD):
    kept = {name: value for name, value in os.environ.items() if name not in UNSET}
    os.execve(sys.executable, [sys.executable, *sys.argv], {**kept, **dict.fromkeys(ONE_THREAD, "1")})

import numpy as np  # noqa: E402 - BLAS reads its settings when it is loaded

from overproof.core import tables  # noqa: E402
from overproof.core.chance import draw  # noqa: E402
from overproof.core.splits import Train, Tune  # noqa: E402
from overproof.core.types import Example, PromptId, SplitName, UnitId  # noqa: E402
from overproof.students.linear import Linear  # noqa: E402

Pairs = list[tuple[str, str]]
Answer = Callable[[list[str]], list[str]]


class Fitted(NamedTuple):
    """Something that answers, whoever made it."""

    batch: Answer
    one: Callable[[str], object]
    size_bytes: int


class Row(NamedTuple):
    """What was measured of it."""

    accuracy: float
    train_s: float
    p50_us: float
    p99_us: float
    rows_s: float
    size_mb: float


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


def ours(kind: Linear) -> Callable[[Pairs], Fitted]:
    """Return how `kind` learns."""

    def fit(pairs: Pairs) -> Fitted:
        labels = tuple(sorted({label for _, label in pairs}))
        tuned = [pair for pair in pairs if draw("tune", pair[0]) < 0.1]
        learned = [pair for pair in pairs if draw("tune", pair[0]) >= 0.1]
        train, tune = examples(learned, "train"), examples(tuned, "tune")
        student = kind.fit(Train(tables.frame(train, Example)), Tune(tables.frame(tune, Example)), labels, seed=0)
        return Fitted(
            lambda texts: [labels[at] for at in student.probabilities(texts).argmax(axis=1)],
            student.predict_one,
            student.size_bytes,
        )

    return fit


def sklearn(classifier: str) -> Callable[[Pairs], Fitted]:
    """Return how the peer learns: TF-IDF of word 1-2-grams below a linear classifier."""

    def fit(pairs: Pairs) -> Fitted:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.svm import LinearSVC

        head = LogisticRegression(C=20, max_iter=200) if classifier == "logreg" else LinearSVC(C=1)
        vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, dtype=np.float32)
        model = make_pipeline(vectors, head).fit([text for text, _ in pairs], [label for _, label in pairs])
        return Fitted(
            lambda texts: list(model.predict(texts)), lambda text: model.predict([text]), len(pickle.dumps(model))
        )

    return fit


def measure(fit: Callable[[Pairs], Fitted], train: Pairs, test: Pairs) -> Row:
    """Fit on `train`, answer `test` singly and together."""
    began = time.process_time()
    fitted = fit(train)
    train_s = time.process_time() - began
    texts = [text for text, _ in test]
    for text in texts[:50]:
        fitted.one(text)
    single = np.zeros(min(len(texts), 2000))
    for i, text in enumerate(texts[: len(single)]):
        at = time.perf_counter()
        fitted.one(text)
        single[i] = time.perf_counter() - at
    speeds = []
    for _ in range(3):
        at = time.perf_counter()
        found = fitted.batch(texts)
        speeds.append(len(texts) / (time.perf_counter() - at))
    right = float(np.mean([answer == gold for answer, (_, gold) in zip(found, test, strict=True)]))
    p50, p99 = np.quantile(single, [0.5, 0.99]) * 1e6
    return Row(right, train_s, p50, p99, sorted(speeds)[1], fitted.size_bytes / 1e6)


def main() -> None:
    """Print a row for each, then ours as ratios to the peers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a fifth of train")
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data" / "banking77")
    options = parser.parse_args()
    train, test = read(options.data / "train.jsonl.gz"), read(options.data / "test.jsonl.gz")
    train = train[::5] if options.quick else train
    measure(sklearn("svc"), train[::10], test[:100])  # so that no one pays for another's imports
    measure(ours(Linear()), train[::10], test[:100])
    kinds = (Linear(), Linear(characters=(2, 5)))
    fits = {**{kind.name: ours(kind) for kind in kinds}, "tfidf+logreg": sklearn("logreg"), "tfidf+svc": sklearn("svc")}
    print(f"Banking77, {len(train):,} train, {len(test):,} test, accuracy against gold, one thread")
    print(f"{'':20}{'accuracy':>9}{'train cpu s':>12}{'p50 us':>9}{'p99 us':>9}{'rows/s':>10}{'MB':>7}")
    rows = {}
    for name, fit in fits.items():
        rows[name] = row = measure(fit, train, test)
        print(
            f"{name:20}{row.accuracy:9.4f}{row.train_s:12.2f}{row.p50_us:9.1f}{row.p99_us:9.1f}{row.rows_s:10,.0f}"
            f"{row.size_mb:7.2f}",
            flush=True,
        )
    print()
    for kind in kinds:
        for peer in ("tfidf+logreg", "tfidf+svc"):
            mine, its = rows[kind.name], rows[peer]
            print(
                f"{kind.name} beside {peer}: accuracy {mine.accuracy - its.accuracy:+.4f}, "
                f"training {its.train_s / mine.train_s:.2f}x as fast, one request {its.p50_us / mine.p50_us:.0f}x, "
                f"batches {mine.rows_s / its.rows_s:.2f}x, size {mine.size_mb / its.size_mb:.2f}x"
            )


if __name__ == "__main__":
    main()
