"""The prompt set: how well near duplicates are found on real text, and how long it takes.

    python benchmarks/bench_data.py [DATA]        # DATA: the folder that holds banking77/ (default: ../shared/data)

On the help desk log of the demo, texts of one ticket belong together and texts of two do not; on Banking77, texts of
two intents do not, and nobody knows which of one intent do. Planted copies are invented, so every one is known.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

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


def planted(n: int) -> pl.DataFrame:
    """Return `n` invented texts of 24 to 46 words: `text`, `truth`. A fourth of them, the last, are changed copies.

    Words are about as unevenly frequent as those of a language.
    """
    rng = np.random.default_rng(0)
    frequent = np.cumsum(1 / np.arange(10, 20_010))
    vocabulary = np.array([f"{word:x}" for word in range(20_000)])
    originals = n * 3 // 4
    sizes = rng.integers(24, 47, originals)
    drawn = vocabulary[np.searchsorted(frequent, rng.random(sizes.sum()) * frequent[-1])]
    texts = [part.tolist() for part in np.split(drawn, np.cumsum(sizes)[:-1])]
    truth = [*range(originals), *rng.integers(0, originals, n - originals).tolist()]
    texts += [changed(texts[i], vocabulary, rng) for i in truth[originals:]]
    return pl.DataFrame({"text": [" ".join(words) for words in texts], "truth": truth})


def changed(words: list[str], vocabulary: NDArray[np.str_], rng: np.random.Generator) -> list[str]:
    """Return `words` with one to three of them replaced, dropped or added."""
    words = list(words)
    for _ in range(rng.integers(1, 4)):
        at, new = int(rng.integers(len(words))), str(vocabulary[rng.integers(len(vocabulary))])
        kind = rng.random()
        if kind < 0.5:
            words[at] = new
        elif kind < 0.75:
            del words[at]
        else:
            words.insert(at, new)
    return words


def main() -> None:
    """Print one line for each similarity, then how planted copies are found and how long it takes."""
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
    for n in (100_000, 1_000_000):
        many = planted(n)
        began, cpu = time.perf_counter(), time.process_time()
        clusters = near_duplicates(many["text"], 0.7)
        took, used = time.perf_counter() - began, time.process_time() - cpu
        of_originals = clusters[: n * 3 // 4]
        found = (clusters[n * 3 // 4 :] == of_originals[many["truth"].to_numpy()[n * 3 // 4 :]]).mean()
        joined = n * 3 // 4 - len(np.unique(of_originals))
        print(
            f"{n:,} planted texts: {took:.1f} s wall, {used:.1f} s CPU; {found:.4f} of the copies found, "
            f"{joined} originals joined to another"
        )


if __name__ == "__main__":
    main()
