"""`overproof discover`, as it is typed: a table that ends in money, the record as JSON, and the next step."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

LABELS = ("billing", "shipping", "other")
WORDS = [f"w{a}{b}" for a in "abcdefghijkl" for b in "klmnopqrst"]


def overproof(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "overproof", *args]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = random.Random(0)
    rows = [
        {
            "model": "gpt-4o",
            "system": "Say what the customer writes about: billing, shipping or other.",
            "input": " ".join([*rng.choices(WORDS, k=9), f"about{LABELS[i % 3]}"]),
            "output": LABELS[i % 3],
            "latency_ms": 400,
        }
        for i in range(1200)
    ]
    rows += [{"model": "gpt-4o", "input": f"Write a poem: {i}", "output": f"A poem, {i}"} for i in range(40)]
    path = tmp_path_factory.mktemp("discover")
    (path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_table_ends_in_money_and_the_next_step(folder: Path) -> None:
    ran = overproof("discover", "log.jsonl", cwd=folder)

    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert [line.split()[:1] for line in lines if "classify" in line or "generate " in line][:2] == [["1"], ["2"]]
    assert "of spend; a student could serve about" in ran.stdout
    assert lines[-1] == "Next: overproof init NAME --from log.jsonl --task 1"
    assert max(map(len, lines[:6])) <= 140


def test_the_record_is_json_and_init_takes_its_number(folder: Path) -> None:
    ran = overproof("discover", "log.jsonl", "--json", "--no-probe", cwd=folder)
    began = overproof("init", "new", "--from", "log.jsonl", "--task", "1", cwd=folder)

    record = json.loads(ran.stdout)
    assert [(task["kind"], task["calls"]) for task in record["tasks"]] == [("classify", 1200), ("generate", 40)]
    assert record["tasks"][0]["probe"] is None
    assert "3 labels, teacher 'gpt-4o', 1200 calls" in began.stdout
    assert overproof("plan", "--project", "new", cwd=folder).returncode == 0


def test_logs_that_are_not_there_are_one_sentence(folder: Path) -> None:
    ran = overproof("discover", "nothing.jsonl", cwd=folder)

    assert ran.returncode == 1
    assert ran.stderr.startswith("overproof: no file matches 'nothing.jsonl'")
