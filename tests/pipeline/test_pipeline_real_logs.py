"""Logs as teams have them: `init` and `run` on real text in three forms, and on a file with broken rows."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest

import real_logs
import toy_logs
from overproof.contract import FILE
from overproof.pipeline import data
from overproof.pipeline.init import init
from overproof.pipeline.project import Project
from overproof.pipeline.run import Outcome, run

PRICE = "price = { input = 1.25, output = 10.0 }"


def started(folder: Path, logs: Path, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """Do what a new user does: init, acknowledge the terms, run."""
    monkeypatch.chdir(folder)
    init("project", str(logs), None, None)
    contract = folder / "project" / FILE
    contract.write_text(contract.read_text("utf-8").replace('terms = ""', f'terms = "acknowledged"\n{PRICE}'), "utf-8")
    return run(folder / "project")


def test_banking77_with_times_and_metadata(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = real_logs.banking77(shared_data)

    outcome = started(tmp_path, real_logs.write(tmp_path / "log.jsonl.gz", real_logs.openai(calls)), monkeypatch)

    summary = data.prompt_summary(Project(tmp_path / "project"))
    assert summary.exchanges == len(calls) == 13_083
    assert summary.windows == "time"
    assert outcome.decision.outcome == "released"


@pytest.mark.parametrize("form", ["pairs", "openai"])
def test_bitext_with_and_without_times_and_metadata(
    form: str, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = real_logs.bitext(shared_data)
    rows = real_logs.pairs(calls) if form == "pairs" else real_logs.openai(calls)

    outcome = started(tmp_path, real_logs.write(tmp_path / "log.jsonl.gz", rows), monkeypatch)

    summary = data.prompt_summary(Project(tmp_path / "project"))
    assert summary.exchanges == len(calls)
    assert summary.windows == ("unit hash" if form == "pairs" else "time")
    assert outcome.decision.outcome == "released"


def test_a_log_with_broken_rows_is_read_with_every_bad_row_accounted_for(tmp_path: Path) -> None:
    """One row in twenty is broken: cut off, in another encoding, without what is needed, or a duplicate."""
    rng = random.Random(3)
    good = toy_logs.rows(2000)
    lines, broken = [], 0
    for row in good:
        lines.append(json.dumps(row, ensure_ascii=False).encode())
        if rng.random() < 0.05:
            broken += 1
            lines.append(
                rng.choice(
                    (
                        lines[-1][:40],
                        json.dumps(row)[:-1].encode("utf-16"),
                        b'{"id": "no input"}',
                        b"[1, 2, 3]",
                        b"\x00\x01\x02",
                        lines[-1],
                    )
                )
            )
    folder = toy_logs.project(tmp_path / "toy", [])
    (folder / "logs" / "a.jsonl").unlink()
    with gzip.open(folder / "logs" / "b.jsonl.gz", "wb") as file:
        file.write(b"\n".join(lines) + b"\n")
    contract = folder / FILE
    contract.write_text(contract.read_text("utf-8").replace("logs/*.jsonl", "logs/*"), "utf-8")

    outcome = run(folder)

    summary = data.log_summary(Project(folder))
    (read,) = summary.files
    assert read.kept == 2000
    assert read.rows == read.kept + read.set_aside
    assert read.set_aside == sum(summary.reasons.values()) >= broken  # a UTF-16 row may hold more than one line's end
    assert all(reason for reason in summary.reasons)
    assert outcome.decision.outcome == "released"
