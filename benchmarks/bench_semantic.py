"""Near duplicates by meaning: what `prompts.semantic` adds to those by words, what it joins wrongly, how long it takes.

    python benchmarks/bench_semantic.py [DATA]    # DATA: the folder of the data sets (default: ../shared/data)

It takes minilm (`overproof models add minilm`). Truth as in bench_data.py. Then candidates from hyperplanes are held
against all pairs, on every text of several data sets.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench_data import banking77, helpdesk
from overproof.models.encoders import bag, store
from overproof.pipeline import encoders
from overproof.prompts import semantic
from overproof.prompts.units import near_duplicates

COSINES = (0.98, 0.97, 0.96, 0.95, 0.93, 0.9)
TEXTS = {
    "banking77/train": "text",
    "banking77/test": "text",
    "snips/train": "text",
    "snips/validate": "text",
    "bitext_support/train": "text",
    "bitext_support/dev": "text",
    "bitext_support/test": "text",
    "mmlu_routing/mmlu": "prompt",
    "gsm8k_teachers/train_gold": "question",
    "gsm8k_teachers/test_outputs": "question",
}


def every_text(data: Path) -> pl.Series:
    """Return the distinct texts of several data sets."""
    found: set[str] = set()
    for name, key in TEXTS.items():
        with gzip.open(data / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            found |= {json.loads(line)[key] for line in lines}
    return pl.Series(sorted(found))


def judged(texts: pl.DataFrame, clusters: NDArray[np.int64]) -> str:
    """Return the share of texts that are beside another of their truth, texts beside another truth, and the largest."""
    table = texts.with_columns(cluster=pl.Series(clusters)).with_columns(
        siblings=pl.len().over("truth"), together=pl.len().over("truth", "cluster"), others=pl.len().over("cluster")
    )
    found = table.filter(pl.col("siblings") > 1).select((pl.col("together") > 1).mean()).item()
    wrong = table.filter(pl.col("others") > pl.col("together")).height
    return f"{float(found):.3f} / {wrong} / {int(table['others'].to_numpy().max())}"


def compared(texts: pl.Series, words: NDArray[np.int64], embed: semantic.Embed) -> None:
    """Print how many of the joins that all pairs give are found by hyperplanes."""
    exact = semantic.EXACT
    for cosine in COSINES:
        joins, took = [], []
        for semantic.EXACT in (len(texts), 0):
            began = time.perf_counter()
            joins.append(len(np.unique(words)) - len(np.unique(semantic.merged(texts, words, cosine, embed))))
            took.append(time.perf_counter() - began)
        print(f"{cosine:6}  {joins[1] / joins[0]:.4f} of {joins[0]:,} joins; {took[0]:.1f} s, {took[1]:.1f} s")
    semantic.EXACT = exact


def main() -> None:
    """Print one line for each cosine and set of texts, then how many joins are found without looking at all pairs."""
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "shared" / "data"
    embed = partial(bag.embed, store.find(encoders.home(), "minilm"))
    for name, texts in (("help desk", helpdesk()), ("Banking77", banking77(data))):
        print(f"{name}, {texts.height:,} texts: beside another of their own / beside another's / largest cluster")
        for similarity in (0.7, 0.6, 0.5):
            print(f"  words at {similarity}: {judged(texts, near_duplicates(texts['text'], similarity))}")
        words = near_duplicates(texts["text"], 0.7)
        for cosine in COSINES:
            clusters = semantic.merged(texts["text"], words, cosine, embed)
            print(f"  words at 0.7, semantic {cosine}: {judged(texts, clusters)}")
    mixed = every_text(data)
    print(f"{len(mixed):,} distinct texts: found by hyperplanes, of the joins that all pairs give; time of either way")
    compared(mixed, near_duplicates(mixed, 0.7), embed)


if __name__ == "__main__":
    main()
