"""Measure the students on Banking77 beside their peers, in one run: accuracy against gold, speed, size, what is served.

python benchmarks/bench_students.py [--quick] [--fine-tune] [--only NAMES] [--data FOLDER] [--encoders FOLDER]

One thread for all; the peers learn from all of train, ours keep a tenth of it to tune on. scikit-learn serves by
`predict`, and torch layer by layer, as their users do. Seconds of training are processor time, of child processes too;
so is "cpu us", the mean of one request.
The second table is at alpha 5 %, delta 10 %, gold as the teacher (`halves.py`). Students that read with an encoder are
measured where "minilm" is installed (`overproof models add minilm`), those of torch where torch is.
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
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, cast

UNSET, ONE_THREAD = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"), ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
if any(name in os.environ for name in UNSET) or any(os.environ.get(name) != "1" for name in ONE_THREAD):
    kept = {name: value for name, value in os.environ.items() if name not in UNSET}
    os.execve(sys.executable, [sys.executable, *sys.argv], {**kept, **dict.fromkeys(ONE_THREAD, "1")})

import numpy as np  # noqa: E402 - BLAS reads its settings when it is loaded
from numpy.typing import NDArray  # noqa: E402

from halves import SPLITS, served  # noqa: E402
from overproof.core import tables  # noqa: E402
from overproof.core.chance import draw  # noqa: E402
from overproof.core.protocols import Student, StudentKind, Workshop  # noqa: E402
from overproof.core.splits import Train, Tune  # noqa: E402
from overproof.core.types import Example, PromptId, SplitName, UnitId  # noqa: E402
from overproof.models.encoders import store  # noqa: E402
from overproof.pipeline import encoders  # noqa: E402
from overproof.students.cascade import Cascade  # noqa: E402
from overproof.students.encoder import EncoderKind  # noqa: E402
from overproof.students.linear import Linear  # noqa: E402
from overproof.students.static import Static  # noqa: E402

Pairs = list[tuple[str, str]]
Answer = Callable[[list[str]], list[str]]


class Fitted(NamedTuple):
    """Something that answers, whoever made it."""

    batch: Answer
    one: Callable[[str], object]
    size_bytes: int
    student: Student | None = None
    """None for peers."""


class Row(NamedTuple):
    """What was measured of it."""

    accuracy: float
    train_s: float
    cpu_us: float
    """Mean; p50 and p99 are of the wall clock, which other work on the machine stretches."""
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


class Ladder:
    """Our students, each fitted on the same examples; a cascade takes what was fitted before it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.fitted: dict[str, tuple[str, Student]] = {}

    def fit(self, kind: StudentKind, plugin: str) -> Callable[[Pairs], Fitted]:
        """Return how `kind` learns."""

        def fit(pairs: Pairs) -> Fitted:
            labels = tuple(sorted({label for _, label in pairs}))
            train, tune = divided(pairs)
            with TemporaryDirectory() as scratch:
                if isinstance(kind, Cascade):
                    plugins, parts = zip(*(self.fitted[name] for name in kind.of), strict=True)
                    student = cast("Student", kind.combine(parts, plugins, tune))
                else:
                    student = kind.fit(train, tune, labels, 0, Workshop(Path(scratch), self.home))
            self.fitted[kind.name] = plugin, student
            return Fitted(
                lambda texts: [labels[at] for at in student.probabilities(texts).argmax(axis=1)],
                student.predict_one,  # type: ignore[attr-defined]  # beyond the seam, but all of ours have it
                student.size_bytes,
                student,
            )

        return fit


def divided(pairs: Pairs) -> tuple[Train, Tune]:
    """Return what is learned from, and a tenth that is tuned on."""
    tuned = [pair for pair in pairs if draw("tune", pair[0]) < 0.1]
    learned = [pair for pair in pairs if draw("tune", pair[0]) >= 0.1]
    return Train(tables.frame(examples(learned, "train"), Example)), Tune(
        tables.frame(examples(tuned, "tune"), Example)
    )


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


def torch(folder: Path) -> Callable[[Pairs], Fitted]:
    """Return how the peer learns: the encoder in torch, layer by layer in fp32, below logistic regression."""

    def fit(pairs: Pairs) -> Fitted:
        import torch as t
        from sklearn.linear_model import LogisticRegression
        from transformers import BertConfig, BertModel

        from overproof.models.encoders.tokens import tokenizer

        t.set_num_threads(1)
        network = BertModel(BertConfig.from_dict(store.config(folder)), add_pooling_layer=False).eval()
        weights = {name: t.from_numpy(each) for name, each in store.arrays(folder, store.WEIGHTS).items()}
        network.load_state_dict(weights, strict=False)
        words = tokenizer(store.content(folder, store.read(folder), store.TOKENIZER), 256)
        words.enable_padding()

        def embed(texts: list[str]) -> NDArray[np.float32]:
            read = words.encode_batch(texts)
            ids, mask = (t.tensor([getattr(each, name) for each in read]) for name in ("ids", "attention_mask"))
            with t.inference_mode():
                state = network(input_ids=ids, attention_mask=mask).last_hidden_state * mask[..., None]
                mean = state.sum(1) / mask.sum(1, keepdim=True)
            return cast("NDArray[np.float32]", t.nn.functional.normalize(mean).numpy())

        def batches(texts: list[str]) -> NDArray[np.float32]:
            return np.concatenate([embed(texts[start : start + 64]) for start in range(0, len(texts), 64)])

        model = LogisticRegression(C=20, max_iter=200).fit(batches([text for text, _ in pairs]), [y for _, y in pairs])
        return Fitted(
            lambda texts: list(model.predict(batches(texts))),
            lambda text: model.predict(embed([text])),
            sum(each.nbytes for each in store.arrays(folder, store.WEIGHTS).values()) + len(pickle.dumps(model)),
        )

    return fit


def cpu() -> float:
    """Return the processor seconds this process and its children have used."""
    return sum(os.times()[:4])


def measure(fit: Callable[[Pairs], Fitted], train: Pairs, test: Pairs) -> tuple[Row, Fitted]:
    """Fit on `train`, answer `test` singly and together."""
    began = cpu()
    fitted = fit(train)
    train_s = cpu() - began
    texts = [text for text, _ in test]
    for text in texts[:50]:
        fitted.one(text)
    single = np.zeros(min(len(texts), 2000))
    busy = time.thread_time()
    for i, text in enumerate(texts[: len(single)]):
        at = time.perf_counter()
        fitted.one(text)
        single[i] = time.perf_counter() - at
    busy = (time.thread_time() - busy) / len(single)
    speeds = []
    for _ in range(3):
        at = time.perf_counter()
        found = fitted.batch(texts)
        speeds.append(len(texts) / (time.perf_counter() - at))
    right = float(np.mean([answer == gold for answer, (_, gold) in zip(found, test, strict=True)]))
    p50, p99 = np.quantile(single, [0.5, 0.99]) * 1e6
    return Row(right, train_s, busy * 1e6, p50, p99, sorted(speeds)[1], fitted.size_bytes / 1e6), fitted


def entered(home: Path, *, fine_tune: bool) -> dict[str, Callable[[Pairs], Fitted]]:
    """Return everything that can be measured here, by name, in order."""
    ladder = Ladder(home)
    kinds: list[tuple[StudentKind, str]] = [(Linear(), "linear"), (Linear(characters=(2, 5)), "linear")]
    if (home / "minilm").is_dir():
        kinds += [
            (Static(), "static"),
            (EncoderKind(name="encoder int8", precision="int8"), "encoder"),
            (EncoderKind(name="encoder fp32", precision="fp32"), "encoder"),
            (Cascade(of=("linear-words+chars", "encoder int8")), "cascade"),
            (Cascade(name="cascade static", of=("static", "encoder int8")), "cascade"),
        ]
        kinds += [(EncoderKind(fine_tune=True, layers=each), "encoder") for each in (1, 3, None) if fine_tune]
    peers = {"tfidf+logreg": sklearn("logreg"), "tfidf+svc": sklearn("svc")}
    if (home / "minilm").is_dir() and find_spec("torch") and find_spec("transformers"):
        peers["minilm torch+logreg"] = torch(home / "minilm")
    return {**{kind.name: ladder.fit(kind, plugin) for kind, plugin in kinds}, **peers}


def main() -> None:
    """Print a row for each, what of the traffic each may serve, then ours as ratios to the lexical peers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a fifth of train")
    parser.add_argument("--fine-tune", action="store_true", help="fine-tuned students too: minutes each")
    parser.add_argument("--only", nargs="+", help="names of rows; a cascade needs its parts")
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data" / "banking77")
    parser.add_argument("--encoders", type=Path, default=encoders.home())
    options = parser.parse_args()
    train, test = read(options.data / "train.jsonl.gz"), read(options.data / "test.jsonl.gz")
    train = train[::5] if options.quick else train
    test.sort(key=lambda pair: draw("order", pair[0]))  # the file goes by label, and the first are asked one by one
    measure(sklearn("svc"), train[::10], test[:100])  # so that no one pays for another's imports
    measure(Ladder(options.encoders).fit(Linear(), "linear"), train[::10], test[:100])
    fits = entered(options.encoders, fine_tune=options.fine_tune)
    fits = {name: fit for name, fit in fits.items() if not options.only or name in options.only}
    print(f"Banking77, {len(train):,} train, {len(test):,} test, accuracy against gold, one thread")
    print(f"{'':24}{'accuracy':>9}{'train cpu s':>12}{'cpu us':>9}{'p50 us':>9}{'p99 us':>9}{'rows/s':>10}{'MB':>7}")
    rows, students = {}, {}
    for name, fit in fits.items():
        rows[name], fitted = measure(fit, train, test)
        students[name] = fitted.student
        print(f"{name:24}{line(rows[name])}", flush=True)
    print(
        f"\nserved at alpha 5 %, delta 10 %, {2 * SPLITS} halves: mean (sd), wrong of it, halves beyond alpha, unlike"
    )
    _, tune = divided(train)
    for name, student in students.items():
        if student is not None:
            found = served(student, tune, [text for text, _ in test], [gold for _, gold in test])
            print(
                f"{name:24}{found.coverage:9.3f} ({found.spread:.3f}){found.risk:8.4f}{found.beyond:8.2f}"
                f"{found.unlike:8.2f}",
                flush=True,
            )
    print()
    for mine in [name for name, student in students.items() if student is not None]:
        for peer in [name for name, student in students.items() if student is None and _alike(mine, name)]:
            print(f"{mine} beside {peer}: {ratios(rows[mine], rows[peer])}")


def _alike(mine: str, peer: str) -> bool:
    """Return whether both read whole texts, or both do not."""
    return mine.startswith(("encoder", "cascade")) == peer.startswith("minilm")


def line(row: Row) -> str:
    """Return a row of the table."""
    return (
        f"{row.accuracy:9.4f}{row.train_s:12.2f}{row.cpu_us:9.1f}{row.p50_us:9.1f}{row.p99_us:9.1f}{row.rows_s:10,.0f}"
        f"{row.size_mb:7.2f}"
    )


def ratios(mine: Row, its: Row) -> str:
    """Return how ours stands to a peer."""
    return (
        f"accuracy {mine.accuracy - its.accuracy:+.4f}, training {its.train_s / mine.train_s:.2f}x as fast, "
        f"one request {its.p50_us / mine.p50_us:.1f}x, batches {mine.rows_s / its.rows_s:.2f}x, "
        f"size {mine.size_mb / its.size_mb:.2f}x"
    )


if __name__ == "__main__":
    main()
