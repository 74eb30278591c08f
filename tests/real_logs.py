"""Turn labelled data sets into the logs of a team whose teacher happened to be right."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

START = datetime(2026, 3, 2, tzinfo=UTC)


def rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def banking77(data: Path) -> list[tuple[str, str, dict[str, str]]]:
    """Return (text, label, metadata): shuffled within each part, the test part last, as the newest traffic."""
    rng = random.Random(0)
    parts = [rows(data / "banking77" / f"{name}.jsonl.gz") for name in ("train", "test")]
    for part in parts:
        rng.shuffle(part)
    return [(row["text"], row["intent"], {"channel": rng.choice(("app", "web"))}) for part in parts for row in part]


def bitext(data: Path) -> list[tuple[str, str, dict[str, str]]]:
    """Return (text, label, metadata) of all three parts, shuffled."""
    both = [row for name in ("train", "dev", "test") for row in rows(data / "bitext_support" / f"{name}.jsonl.gz")]
    random.Random(0).shuffle(both)
    found = []
    for row in both:
        text = row.get("text") or row.get("utterance")
        found.append((str(text), row["intent"], {"area": row["category"]}))
    return found


def openai(calls: list[tuple[str, str, dict[str, str]]]) -> Iterator[dict[str, Any]]:
    """Yield request/response pairs with times, users' metadata and token counts."""
    for i, (text, label, metadata) in enumerate(calls):
        yield {
            "id": f"req-{i}",
            "timestamp": (START + timedelta(minutes=5 * i)).isoformat(),
            "status": 200,
            "latency_ms": 600,
            "request": {
                "model": "big-1",
                "temperature": 0,
                "messages": [{"role": "system", "content": "Name the intent."}, {"role": "user", "content": text}],
                "metadata": metadata,
            },
            "response": {
                "model": "big-1",
                "usage": {"prompt_tokens": 60 + len(text) // 4, "completion_tokens": 4},
                "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": label}}],
            },
        }


def pairs(calls: list[tuple[str, str, dict[str, str]]]) -> Iterator[dict[str, Any]]:
    """Yield the plainest form there is: no time, no metadata, no model."""
    for text, label, _ in calls:
        yield {"input": text, "output": label}


def write(path: Path, lines: Iterator[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    return path
