"""Measure the near-answer cache's search: time for 10,000 texts among 100,000, and how often the nearest is right.

    python benchmarks/bench_near.py [--data ../shared/data] [--encoder minilm] [--items 100000] [--queries 10000]

The texts are made of halves of real ones; vectors of an encoder's width are drawn by chance, for time does not depend
on what they mean. Accuracy is on Banking77 (10,003 to look among, 3,080 asked), where gold stands in for the teacher;
the encoder is left out where it is not installed. Times are of the processor: run with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import statistics
from pathlib import Path
from time import process_time

import numpy as np

from overproof.core.errors import UserError
from overproof.models.embed import WORDS, Rows, Words, embedder
from overproof.models.neighbours import Neighbours
from overproof.pipeline.encoders import home

WIDTH = 384
"""Of the vectors drawn by chance: as wide as those of a small encoder."""
SINGLE = 300
"""Texts looked up one at a time."""


def read(path: Path) -> tuple[list[str], list[str]]:
    """Return texts and gold labels."""
    with gzip.open(path, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    return [row["text"] for row in rows], [row["intent"] for row in rows]


def mixed(texts: list[str], n: int) -> list[str]:
    """Return `n` texts, each the first half of one and the second half of another."""
    rng = random.Random(0)
    pairs = ((rng.choice(texts).split(), rng.choice(texts).split()) for _ in range(n))
    return [" ".join([*one[: len(one) // 2 + 1], *other[len(other) // 2 :]]) for one, other in pairs]


def speed(name: str, rows: Rows, items: int) -> None:
    """Print how long it takes to look up the rows after the first `items` among those."""
    index, queries = Neighbours(rows[:items]), rows[items:]
    for k in (1, 5):
        began = process_time()
        index.nearest(queries, k)
        took = process_time() - began
        print(f"{name:8}{queries.shape[0]:>8,} among {items:,}, {k} nearest{took:>8.1f} s CPU")


def accuracy(name: str, data: Path) -> None:
    """Print how often the nearest training text of Banking77 has the right label, and what one lookup takes."""
    (known, labels), (asked, gold) = read(data / "train.jsonl.gz"), read(data / "test.jsonl.gz")
    try:
        model = embedder(name, known, home())
    except UserError as missing:
        print(f"{name:8}left out: {missing}")
        return
    index = Neighbours(model.embed(known))
    near = index.nearest(model.embed(asked), 1)
    right = np.array(labels)[near.places[:, 0]] == np.array(gold)
    surest = right[np.argsort(-near.similarity[:, 0], kind="stable")]
    shares = ", ".join(
        f"{surest[: int(len(surest) * share)].mean():.3f} of the nearest {share:.0%}" for share in (0.25, 0.5)
    )
    took = []
    for text in asked[:SINGLE]:
        began = process_time()
        index.nearest(model.embed([text]), 1)
        took.append(process_time() - began)
    print(f"{name:8}Banking77 {right.mean():.4f} right; {shares}; {1000 * statistics.median(took):.2f} ms CPU a lookup")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).parent.parent.parent / "shared" / "data")
    parser.add_argument("--encoder", default="minilm")
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=10_000)
    options = parser.parse_args()
    banking, total = options.data / "banking77", options.items + options.queries
    for name in (WORDS, options.encoder):
        accuracy(name, banking)
    texts = mixed(read(banking / "train.jsonl.gz")[0], total)
    began = process_time()
    words = Words.learn(texts[: options.items]).embed(texts)
    print(f"words   {total:,} texts turned into rows{process_time() - began:>8.1f} s CPU")
    speed("words", words, options.items)
    drawn = np.random.default_rng(0).standard_normal((total, WIDTH), np.float32)
    speed("encoder", drawn / np.linalg.norm(drawn, axis=1, keepdims=True), options.items)


if __name__ == "__main__":
    main()
