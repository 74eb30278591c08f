"""Logs of an invented task, small enough to run the whole road in seconds: the truth is known."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

LABELS = ("billing", "shipping", "account", "other")
WORDS = {label: [f"{label}{stem}" for stem in "abcdefghijklmnopqrst"] for label in LABELS}
COMMON = [f"word{i}" for i in range(60)]
START = datetime(2026, 1, 5, tzinfo=UTC)

CONTRACT = """\
[task]
name = "toy"
labels = ["billing", "shipping", "account", "other"]

[teacher]
model = "big"
price = { input = 3.0, output = 15.0 }
terms = "acknowledged"

[[logs]]
path = "logs/*.jsonl"

[[slices]]
name = "pro"
where = "tier = 'pro'"
critical = true

[[bars]]
slice = "all"
at_least = 0.80

[risk]
alpha = 0.10

[proof]
reference = "teacher"

[[students]]
kind = "linear"
name = "words"

[[students]]
kind = "linear"
name = "words+characters"
characters = [2, 4]
"""


def rows(n: int, seed: int = 0, *, hard: float = 0.0, wrong: float = 0.0, first: int = 0) -> list[dict[str, Any]]:
    """Return `n` calls over thirty days in the plain form.

    A share `hard` of the inputs holds no word that tells its label; the teacher answers a share `wrong` at random.
    """
    rng = random.Random(seed)
    made = []
    for i in range(n):
        label = rng.choices(LABELS, weights=(4, 3, 2, 1))[0]
        telling = [] if rng.random() < hard else rng.sample(WORDS[label], 3)
        text = " ".join(rng.sample([*telling, *rng.sample(COMMON, 6)], len(telling) + 6))
        made.append(
            {
                "id": f"call-{first + i}",
                "timestamp": (START + timedelta(minutes=30 * (first + i))).isoformat(),
                "model": "big",
                "input": text,
                "output": rng.choice(LABELS) if rng.random() < wrong else label,
                "gold": label,
                "metadata": {"tier": rng.choice(("free", "free", "pro"))},
                "input_tokens": 100,
                "output_tokens": 2,
                "latency_ms": 400,
            }
        )
    return made


def write(folder: Path, made: list[dict[str, Any]], name: str = "a.jsonl") -> None:
    """Write rows as one log file of the project in `folder`."""
    path = folder / "logs" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in made), "utf-8")


def project(folder: Path, made: list[dict[str, Any]], contract: str = CONTRACT) -> Path:
    """Make a project with one log file and a contract, and return its folder."""
    write(folder, made)
    (folder / "overproof.toml").write_text(contract, "utf-8")
    return folder
