"""A million rows: from a log to redacted records on disk, to the prompt set; its tasks; 1 % more rows; near duplicates.

    python benchmarks/bench_million.py [--rows 1000000] [--folder FOLDER] [--shapes pairs openai]

The logs are those of `generate_logs.py`, so every duplicate is known; FOLDER (a temporary one when left out) keeps them
for the next time. Each step runs in a process of its own: wall seconds, CPU seconds of all processes, and the sum of
the most memory each of them held. The near step is held against datasketch on the same texts in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import polars as pl

import generate_logs

CONTRACT = """
[task]
name = "sort"
labels = [{labels}]

[teacher]
model = "gpt-x"
also_answers_as = ["gpt-x-mini", "claude-y", "gpt-x-2026-01-15", "gpt-x-mini-2026-01-15", "claude-y-2026-01-15"]
terms = "acknowledged"

[[logs]]
path = "log.jsonl"

[[slices]]
name = "pro"
where = "plan = 'pro'"

[[students]]
kind = "linear"
name = "small"

[[students]]
kind = "linear"
name = "large"
"""
GROWTH = 0.01
PEER_ROWS = 100_000
"""Texts that datasketch is given: it takes minutes for a million."""


def used() -> float:
    """Return CPU seconds of this process and of those it started."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def measured(what: str, work: Callable[[], object]) -> dict[str, Any]:
    """Return what `work` took; called in a process that does nothing else."""
    from overproof.logs import workers

    cpu, began = used(), perf_counter()
    work()
    wall, cpu = perf_counter() - began, used() - cpu
    own, children = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    peak = own + children * min(workers.cores(), workers.MOST)
    return {"what": what, "wall": wall, "cpu": cpu, "mib": peak / 1024}


def stage(folder: Path, name: str) -> dict[str, Any]:
    """Make one stage of a project, from looking at the files to the artefact."""
    from overproof.pipeline import data, reading  # noqa: F401 - to import them is not what is measured
    from overproof.pipeline.progress import Silent
    from overproof.pipeline.project import Project
    from overproof.pipeline.run import make
    from overproof.pipeline.stages import NAMES, STAGES

    def work() -> None:
        make(Project(folder), STAGES[NAMES.index(name)], Silent())

    return measured(name, work)


def discovered(folder: Path) -> dict[str, Any]:
    """Find the tasks in the log, from reading it to the probe."""
    from overproof.pipeline.discover import discover

    return measured("discover", lambda: discover(str(folder / "log.jsonl")))


def inputs(folder: Path) -> pl.DataFrame:
    """Return texts with their truth, in the order of the log: `text`, `group`, `kind`."""
    from overproof.pipeline import kept
    from overproof.pipeline.project import Project
    from overproof.tasks.inputs import extract_column

    table = kept.exchanges(Project(folder).folder("logs"), ["messages", "parameters", "metadata"])
    told = [pl.col("metadata").str.json_path_match(f"$.{name}").alias(name) for name in ("group", "kind")]
    return table.select(extract_column(table, "last_user").alias("text"), *told)


def near(folder: Path) -> dict[str, Any]:
    """Find near duplicates among all texts, and judge what was found by the truth."""
    from overproof.prompts.units import near_duplicates

    texts = inputs(folder)
    found: list[pl.Series] = []
    told = measured("near", lambda: found.append(pl.Series("cluster", near_duplicates(texts["text"], 0.7))))
    return told | judged(texts.with_columns(found))


def judged(texts: pl.DataFrame) -> dict[str, float]:
    """Return the share of near copies that stand with their group's first text, and of texts beside another group's."""
    home = texts.group_by("group", maintain_order=True).agg(home=pl.col("cluster").first())
    copies = texts.filter(pl.col("kind") == "near").join(home, on="group")
    owner = texts.group_by("cluster").agg(owner=pl.col("group").mode().first())
    wrong = texts.join(owner, on="cluster").filter(pl.col("group") != pl.col("owner")).height
    recall = copies.filter(pl.col("cluster") == pl.col("home")).height / copies.height
    return {"recall": recall, "wrong": wrong / texts.height}


def peer(folder: Path) -> dict[str, Any]:
    """Find near duplicates among the first texts, here and with datasketch's MinHash LSH."""
    from datasketch import MinHash, MinHashLSH

    from overproof.prompts.units import near_duplicates

    texts = inputs(folder)["text"].head(PEER_ROWS)
    ours = measured("ours", lambda: near_duplicates(texts, 0.7))
    began, cpu = perf_counter(), used()
    pairs = ([f"{a} {b}".encode() for a, b in pairwise(words)] for words in map(str.split, texts))
    lsh = MinHashLSH(params=(16, 4), num_perm=64)
    for i, hashed in enumerate(MinHash.generator(pairs, num_perm=64)):
        if not lsh.query(hashed):
            lsh.insert(i, hashed, check_duplication=False)
    return {"ours": ours, "datasketch": {"wall": perf_counter() - began, "cpu": used() - cpu}}


STEPS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "logs": lambda folder: stage(folder, "logs"),
    "prompts": lambda folder: stage(folder, "prompts"),
    "discover": discovered,
    "near": near,
    "peer": peer,
}


def step(name: str, folder: Path) -> dict[str, Any]:
    """Run one step in a process of its own."""
    command = [sys.executable, __file__, "--step", name, "--folder", str(folder)]
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return dict(json.loads(ran.stdout))


def shown(told: dict[str, Any]) -> str:
    """Describe what a step took."""
    return f"{told['wall']:.1f} s wall, {told['cpu']:.1f} s CPU, {told['mib']:.0f} MiB at most"


def project(folder: Path, log: Path, rows: int) -> Path:
    """Return a new project on the first `rows` rows of a log."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    labels = ", ".join(f'"{label}"' for label in generate_logs.LABELS)
    (folder / "overproof.toml").write_text(CONTRACT.format(labels=labels), "utf-8")
    with log.open("rb") as given, (folder / "log.jsonl").open("wb") as out:
        for _, line in zip(range(rows), given, strict=False):
            out.write(line)
    return folder


def grown(folder: Path, log: Path, rows: int) -> None:
    """Append what stands in the log after its first `rows` rows."""
    with log.open("rb") as given, (folder / "log.jsonl").open("ab") as out:
        for i, line in enumerate(given):
            if i >= rows:
                out.write(line)


def run(home: Path, shape: generate_logs.Shape, rows: int) -> None:
    """Print one block of figures."""
    log, more = home / f"{shape}-{rows}.jsonl", rows + int(rows * GROWTH)
    if not log.exists():
        generate_logs.write(log, more, shape)
    folder = project(home / f"project-{shape}", log, rows)
    print(f"{shape}: {rows:,} rows, {(folder / 'log.jsonl').stat().st_size / 1e6:.0f} MB")
    first = step("logs", folder)
    print(f"  redacted records on disk: {shown(first)}")
    print(f"  prompt set: {shown(step('prompts', folder))}")
    found = step("near", folder)
    quality = f"{found['recall']:.4f} of the near copies found, {found['wrong']:.4%} of the texts beside another's"
    print(f"  near duplicates: {shown(found)}; {quality}")
    told = step("peer", folder)
    ours, theirs = told["ours"], told["datasketch"]
    took = f"{ours['wall']:.2f} s wall, {ours['cpu']:.2f} s CPU; datasketch {theirs['wall']:.1f}, {theirs['cpu']:.1f}"
    ratios = f"{theirs['wall'] / ours['wall']:.0f} and {theirs['cpu'] / ours['cpu']:.0f} times as fast"
    print(f"  of {PEER_ROWS:,}: {took}: {ratios}")
    print(f"  its tasks, from reading to the probe: {shown(step('discover', folder))}")
    grown(folder, log, rows)
    again = step("logs", folder)
    wall, cpu = (again[each] / first[each] for each in ("wall", "cpu"))
    took = f"{again['wall']:.2f} s wall, {again['cpu']:.2f} s CPU"
    print(f"  {GROWTH:.0%} more rows: {took}: {wall:.1%} and {cpu:.1%} of the first reading\n", flush=True)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--shapes", nargs="+", choices=("pairs", "openai"), default=["pairs", "openai"])
    parser.add_argument("--step", choices=tuple(STEPS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        print(json.dumps(STEPS[options.step](options.folder)))
        return
    with tempfile.TemporaryDirectory() as spare:
        for shape in options.shapes:
            run(options.folder or Path(spare), shape, options.rows)


if __name__ == "__main__":
    main()
