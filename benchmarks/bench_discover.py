"""Measure `discover` on many rows without reading them, and on the help desk's history from reading to the probe.

    python benchmarks/bench_discover.py [--rows 1000000] [--no-probe] [--data DATA]

DATA is the folder that holds helpdesk/ (default: ../shared/data); without it that part is left out.
The rows are made up: a triage prompt in two versions, an extraction, a prompt with a template in the user's turn and
77 labels, a prompt whose instructions hold a document, tool calls with varying tools, and free text, with a fifth of
exact repeats. Prints seconds of the wall and of the processor for every step, and the confusion of tasks.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import polars as pl

from overproof.core.tables import schema
from overproof.core.types import Exchange
from overproof.discovery import discover as discovery
from overproof.discovery.describe import Help
from overproof.discovery.grouping import group
from overproof.discovery.measure import with_costs
from overproof.discovery.requests import parts
from overproof.filters.refusals import declines
from overproof.pipeline.discover import discover
from overproof.pipeline.labels import labels_in
from overproof.prompts.units import near_duplicates
from overproof.students.linear import Linear

WORDS = [
    f"{a}{b}{c}" for a in ("ba", "do", "ki", "lu", "me", "po", "ra", "su") for b in ("n", "r", "st") for c in "aeiou"
]
SIGNS = [f"sign{a}{b}" for a in "bcdfghkl" for b in "mnprstvwxz"]
"""Words that say a label begin so."""
TRIAGE = "You triage support tickets for a hosted shop builder. Answer with exactly one of: {}."
LABELS = [f"label_{i}" for i in range(18)]
INTENTS = [f"intent_{i}" for i in range(77)]


def told(rng: random.Random, label: int, labels: int, size: int = 30) -> str:
    """Return a text whose words say its label, mostly."""
    words = rng.choices(WORDS, k=size)
    for _ in range(3):
        said = label if rng.random() < 0.9 else rng.randrange(labels)
        words[rng.randrange(size)] = f"{SIGNS[said]}{rng.choice('aeio')}"
    return " ".join(words)


def call(rng: random.Random) -> tuple[str, list[dict[str, Any]], dict[str, Any], str]:
    """Return a task's name, the turns, parameters and the answer of one call."""
    draw = rng.random()
    if draw < 0.4:
        label = rng.randrange(18)
        system = TRIAGE.format(", ".join(LABELS)) + (" Be careful." if draw < 0.1 else "")
        return "triage", [turn("system", system), turn("user", told(rng, label, 18))], {"max_tokens": 8}, LABELS[label]
    if draw < 0.55:
        answer = {"category": rng.choice(LABELS), "priority": rng.choice(["low", "high"]), "note": told(rng, 0, 1, 5)}
        turns = [turn("system", "Read the ticket and answer with one JSON object: category, priority, note.")]
        return "extract", [*turns, turn("user", told(rng, 0, 1))], {"temperature": 0}, json.dumps(answer)
    if draw < 0.75:
        label = rng.randrange(77)
        asked = f"Which intent is this? Answer with its name.\n\nMessage: {told(rng, label, 77)}\nIntent:"
        return "intent", [turn("user", asked)], {"max_tokens": 16}, INTENTS[label]
    if draw < 0.85:
        document = " ".join(rng.choices(WORDS, k=120))
        system = f"You answer questions about a document and say so when it does not tell.\n\nDocument: {document}"
        return "document", [turn("system", system), turn("user", told(rng, 0, 1, 9))], {}, told(rng, 0, 1, 40)
    if draw < 0.92:
        name = f"tool_{rng.randrange(5000)}"
        tools = [{"type": "function", "function": {"name": name}}]
        called = {"tool_calls": [{"name": name, "arguments": {"n": rng.randrange(9)}}]}
        return "tools", [turn("user", told(rng, 0, 1, 12))], {"tools": tools}, json.dumps(called)
    return "free", [turn("user", told(rng, 0, 1, 25))], {}, told(rng, 0, 1, 60)


def turn(role: str, content: str) -> dict[str, Any]:
    """Return a message as a table of exchanges holds it."""
    return {"content": content, "extra": {}, "role": role}


def rows(count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield `count` rows of a table of `Exchange`, each with the name of its task."""
    rng = random.Random(7)
    encode = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode
    earlier: list[tuple[str, str, str, str]] = []
    for i in range(count):
        if earlier and rng.random() < 0.2:
            name, messages, parameters, answer = rng.choice(earlier)
        else:
            name, turns, options, answer = call(rng)
            messages, parameters = encode(turns), encode(options)
            if len(earlier) < 100_000:
                earlier.append((name, messages, parameters, answer))
        metadata = encode({"app": name, "tier": rng.choice(["free", "pro"]), "ticket": f"t{i}"})
        yield (
            name,
            {"id": f"r{i}", "source": f"log:{i}", "model": "gpt-4o", "messages": messages, "parameters": parameters}
            | {"answer": answer, "finish_reason": "stop", "status": 200, "metadata": metadata, "latency_ms": 300.0}
            | {"input_tokens": len(messages) // 4, "output_tokens": len(answer) // 4},
        )


def table(count: int) -> tuple[pl.DataFrame, pl.Series]:
    """Return a table of `Exchange` and the task each row was made for."""
    made = list(rows(count))
    exchanges = pl.DataFrame([row for _, row in made], schema=schema(Exchange))
    return exchanges, pl.Series("made", [name for name, _ in made])


def helpdesk(data: Path, *, probe: bool) -> None:
    """Print what is found in the help desk's history, and how long it takes."""
    log = data / "helpdesk" / "history.jsonl.gz"
    if not log.is_file():
        return
    wall, busy = perf_counter(), process_time()
    found = discover(str(log), probe=probe)
    print(f"{log.name}, {found.calls:,} calls: {perf_counter() - wall:.1f} s, processor {process_time() - busy:.1f} s")
    for task in found.tasks:
        print(f"  {task.name}: {task.kind}, {task.calls:,} calls, {len(task.labels)} labels")


def main() -> None:
    """Print how long each step takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--probe", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    options = parser.parse_args()
    helpdesk(options.data, probe=options.probe)
    exchanges, made = table(options.rows)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cluster = partial(near_duplicates, similarity=0.8)
    handed = Help(labels_in, declines, cluster, Linear() if options.probe else None)

    wall, busy = perf_counter(), process_time()
    found = discovery.discover(exchanges, handed)
    wall, busy = perf_counter() - wall, process_time() - busy
    print(f"discover, {options.rows:,} rows: {wall:.1f} s, processor {busy:.1f} s")
    print(f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before:,.0f} MB beside the table's")
    for task in found.record.tasks[:8]:
        print(f"  {task.says}")
    counts = pl.DataFrame({"made": made, "task": found.task}).group_by("made", "task").len()
    print(counts.sort("len", "made", descending=[True, False]).head(10))
    largest = counts.sort("len", descending=True).unique("task", keep="first")
    print(f"calls in a task whose most are of another kind: {options.rows - largest['len'].sum():,}")

    start = perf_counter()
    split = with_costs(exchanges).hstack(parts(exchanges, "bench"))
    apart = perf_counter()
    group(split)
    print(f"of which parts and costs {apart - start:.1f} s, grouping {perf_counter() - apart:.1f} s")


if __name__ == "__main__":
    main()
