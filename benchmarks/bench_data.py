"""The prompt set: how well near duplicates are found on real text, and how long it takes.

    python benchmarks/bench_data.py [DATA]        # DATA: the folder that holds banking77/ (default: ../shared/data)

On the help desk log of the demo, texts of one ticket belong together and texts of two do not; on Banking77, texts of
two intents do not, and nobody knows which of one intent do.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl

from overproof.prompts.units import near_duplicates

SIMILARITIES = (0.8, 0.7, 0.6, 0.5)


def helpdesk() -> pl.DataFrame:
    """Return the distinct triage texts with their tickets: `text`, `truth`."""
    rows = []
    with gzip.open(str(files("overproof.demo").joinpath("history.jsonl.gz")), "rt", encoding="utf-8") as lines:
        for line in lines:
            request = json.loads(line)["request"]
            if request["metadata"]["app"] == "triage":
                rows.append((request["messages"][-1]["content"], request["metadata"]["ticket"]))
    return pl.DataFrame(rows, schema=["text", "truth"], orient="row").unique(maintain_order=True)


def banking77(data: Path) -> pl.DataFrame:
    """Return texts with their intents: `text`, `truth`."""
    rows = []
    for name in ("train", "test"):
        with gzip.open(data / "banking77" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            rows += [(row["text"], row["intent"]) for row in map(json.loads, lines)]
    return pl.DataFrame(rows, schema=["text", "truth"], orient="row")


def judged(texts: pl.DataFrame, similarity: float) -> tuple[float, int, int]:
    """Return the share of texts with another of their truth, texts beside another truth, and the largest cluster."""
    table = texts.with_columns(cluster=pl.Series(near_duplicates(texts["text"], similarity)))
    table = table.with_columns(
        siblings=pl.len().over("truth"),
        together=pl.len().over("truth", "cluster"),
        others=pl.len().over("cluster"),
    )
    changed = table.filter(pl.col("siblings") > 1)
    found = changed.select((pl.col("together") > 1).mean()).item()
    wrong = table.filter(pl.col("others") > pl.col("together")).height
    largest = table["others"].max()
    return float(found), wrong, int(largest) if isinstance(largest, int) else 0


def variations(n: int) -> Iterable[str]:
    """Yield `n` invented texts, a third of them with a word changed."""
    rng = np.random.default_rng(0)
    for _ in range(n * 2 // 3):
        words = rng.integers(0, 20_000, 12).tolist()
        yield " ".join(f"w{word}" for word in words)
    for _ in range(n - n * 2 // 3):
        words[int(rng.integers(0, 12))] = int(rng.integers(0, 20_000))
        yield " ".join(f"w{word}" for word in words)


def main() -> None:
    """Print one line for each similarity, then the time."""
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "shared" / "data"
    texts = helpdesk()
    print(f"help desk, {texts.height} distinct texts; Banking77, 13,083 texts")
    print(
        "similarity  help desk: changed found / beside another ticket's   Banking77: beside another intent's / largest"
    )
    for similarity in SIMILARITIES:
        found, wrong, _ = judged(texts, similarity)
        line = f"{similarity:10}  {found:24.3f} / {wrong:<28}"
        if (data / "banking77").is_dir():
            _, apart, largest = judged(banking77(data), similarity)
            line += f"{apart:22} / {largest}"
        print(line)
    many = pl.Series(list(variations(100_000)))
    began = time.perf_counter()
    near_duplicates(many, 0.7)
    print(f"near duplicates of 100,000 texts: {time.perf_counter() - began:.2f} s")


if __name__ == "__main__":
    main()
