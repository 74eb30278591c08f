"""Logs that grew: only what is new is read, and what comes of it is what reading everything would give."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from overproof.logs import chunks, stream
from overproof.logs.chunks import Chunk
from overproof.pipeline import files, kept
from overproof.pipeline.progress import Silent
from overproof.pipeline.project import Project
from overproof.pipeline.run import make
from overproof.pipeline.stages import STAGES
from toy_logs import CONTRACT


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make pieces of a few rows, so that a test's logs have many."""
    monkeypatch.setattr(chunks, "cut", partial(chunks.cut, size=1500))
    monkeypatch.setattr(stream, "LARGE", 900)
    monkeypatch.setattr(stream, "ROWS", 7)
    monkeypatch.setattr(files, "BLOCK", 512)


def row(i: int, **fields: Any) -> bytes:  # noqa: ANN401 - any field of a row
    said = {"id": f"r{i}", "timestamp": 1788782400 + i // 3, "input": f"question {i}", "output": "x", "plan": "pro"}
    return json.dumps(said | fields).encode() + b"\n"


def rows(first: int, last: int) -> bytes:
    return b"".join(row(i, **({"input": f"ann{i}@b.example"} if i % 9 == 0 else {})) for i in range(first, last))


def project(folder: Path, contract: str = CONTRACT, **written: bytes) -> Path:
    (folder / "logs").mkdir(parents=True)
    (folder / "overproof.toml").write_text(contract, "utf-8")
    for name, content in written.items():
        (folder / "logs" / f"{name}.jsonl").write_bytes(content)
    return folder


def made(folder: Path) -> Path:
    """Make the stage `logs` and return its artefact."""
    project = Project(folder)
    make(project, STAGES[0], Silent())
    assert project.fresh("logs")
    return project.folder("logs")


def read_anew(folder: Path) -> Path:
    """Make it in a copy of the project that has read nothing yet."""
    copy = folder.parent / f"{folder.name}-anew"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    shutil.copytree(folder / "logs", copy / "logs")
    shutil.copy(folder / "overproof.toml", copy / "overproof.toml")
    return made(copy)


def same(found: Path, expected: Path) -> None:
    assert_frame_equal(kept.exchanges(found), kept.exchanges(expected))
    assert_frame_equal(pl.read_parquet(found / "set_aside.parquet"), pl.read_parquet(expected / "set_aside.parquet"))
    assert (found / "summary.json").read_bytes() == (expected / "summary.json").read_bytes()


def taken(found: Path) -> set[str]:
    """Return the pieces whose bytes another artefact holds, too."""
    return {path.name for path in (found / kept.EXCHANGES).iterdir() if path.stat().st_nlink > 1}


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def test_of_a_log_that_grew_only_the_new_rows_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project(tmp_path / "p", a=rows(0, 100))
    before = {path.name for path in (made(folder) / kept.EXCHANGES).iterdir()}
    append(folder / "logs" / "a.jsonl", rows(100, 105))
    seen: list[int] = []
    original = chunks.read

    def read(chunk: Chunk, source: str, form: str) -> tuple[pl.DataFrame, pl.DataFrame]:
        seen.append(chunk.before)
        return original(chunk, source, form)

    monkeypatch.setattr(chunks, "read", read)

    found = made(folder)

    assert seen == [100]
    assert taken(found) == before
    monkeypatch.undo()
    same(found, read_anew(folder))


def grow(folder: Path, rng: random.Random) -> None:
    at = rng.choice(sorted((folder / "logs").glob("*.jsonl")))
    first = rng.randrange(200)
    append(at, rows(first, first + rng.randrange(1, 12)))


def add(folder: Path, rng: random.Random) -> None:
    first = rng.randrange(200)
    content = rows(first, first + rng.randrange(40))
    name = rng.choice("abcdefgh")
    if rng.random() < 0.3:
        (folder / "logs" / f"{name}.jsonl.gz").write_bytes(gzip.compress(content))
    else:
        (folder / "logs" / f"{name}.jsonl").write_bytes(content)


def tear(folder: Path, rng: random.Random) -> None:
    append(rng.choice(sorted((folder / "logs").glob("*.jsonl"))), row(rng.randrange(300))[: rng.randrange(1, 40)])


def change(folder: Path, rng: random.Random) -> None:
    at = rng.choice(sorted((folder / "logs").glob("*.jsonl")))
    lines = at.read_bytes().splitlines(keepends=True)
    if lines:
        lines[rng.randrange(len(lines))] = row(rng.randrange(300), output="y")
    at.write_bytes(b"".join(lines))


def shorten(folder: Path, rng: random.Random) -> None:
    at = rng.choice(sorted((folder / "logs").glob("*.jsonl")))
    with at.open("r+b") as file:
        file.truncate(rng.randrange(at.stat().st_size + 1))


def remove(folder: Path, rng: random.Random) -> None:
    found = sorted((folder / "logs").glob("*"))
    if len(found) > 1:
        rng.choice(found).unlink()


STEPS: list[Callable[[Path, random.Random], None]] = [grow, grow, grow, add, add, tear, change, shorten, remove]


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_to_the_files_it_is_as_if_all_were_read(tmp_path: Path, seed: int) -> None:
    """Rows repeat across files, ids are taken twice, lines break off: what is settled between rows is settled anew."""
    rng = random.Random(seed)
    contract = CONTRACT.replace("*.jsonl", "*.jsonl*")
    folder = project(tmp_path / "p", contract, a=rows(0, 40), b=rows(30, 60), c=b"")
    made(folder)
    for _ in range(8):
        for step in rng.choices(STEPS, k=rng.randint(1, 2)):
            if list((folder / "logs").glob("*.jsonl")):
                step(folder, rng)
        if not b"".join(path.read_bytes() for path in (folder / "logs").glob("*.jsonl")).strip():
            append(folder / "logs" / "a.jsonl", rows(0, 3))

        same(made(folder), read_anew(folder))


def test_where_rows_would_be_masked_otherwise_all_are_read(tmp_path: Path) -> None:
    folder = project(tmp_path / "p", a=rows(0, 60))
    made(folder)
    (folder / "overproof.toml").write_text(CONTRACT + "\n[privacy]\nredact = false\n", "utf-8")

    found = made(folder)

    assert not taken(found)
    assert kept.exchanges(found)["messages"].str.contains("@b.example").any()


def test_right_answers_that_changed_are_joined_to_every_row(tmp_path: Path) -> None:
    contract = CONTRACT + '\n[gold]\npath = "gold.jsonl"\non = "id"\nfield = "label"\n'
    folder = project(tmp_path / "p", contract, a=rows(0, 60))
    for label in ("x", "y"):
        (folder / "gold.jsonl").write_text("".join(f'{{"id": "r{i}", "label": "{label}"}}\n' for i in range(60)))

        assert set(kept.exchanges(made(folder))["gold"]) == {label}
    append(folder / "logs" / "a.jsonl", rows(60, 62))

    found = made(folder)

    assert taken(found)
    assert kept.exchanges(found)["gold"].null_count() == 2


def test_made_again_on_demand_all_is_read(tmp_path: Path) -> None:
    folder = project(tmp_path / "p", a=rows(0, 60))
    made(folder)
    project_again = Project(folder, again=["logs"])

    make(project_again, STAGES[0], Silent())

    assert not taken(project_again.folder("logs"))


def test_an_artefact_that_lost_a_piece_is_not_taken_from(tmp_path: Path) -> None:
    folder = project(tmp_path / "p", a=rows(0, 60))
    next((made(folder) / kept.EXCHANGES).iterdir()).unlink()
    append(folder / "logs" / "a.jsonl", rows(60, 62))

    found = made(folder)

    assert not taken(found)
    same(found, read_anew(folder))


def test_where_the_disk_has_no_links_pieces_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no links here")

    folder = project(tmp_path / "p", a=rows(0, 60))
    made(folder)
    append(folder / "logs" / "a.jsonl", rows(60, 62))
    monkeypatch.setattr(os, "link", refuse)

    same(made(folder), read_anew(folder))


def test_a_file_that_grew_is_known_by_its_beginning_its_old_end_and_some_blocks(tmp_path: Path) -> None:
    """What it costs: an edit in the middle of a file that grew in place, at the same length, can be missed."""
    folder, memory = project(tmp_path / "p", a=rows(0, 100)), tmp_path / "files.json"
    contract = Project(folder).contract
    files.fingerprint(contract, folder, memory)
    before = files.remembered(memory)["logs/a.jsonl"]
    append(folder / "logs" / "a.jsonl", rows(100, 101))
    grown = files.fingerprint(contract, folder, memory)

    memory.unlink()

    assert files.fingerprint(contract, folder, memory) == grown
    now = files.remembered(memory)["logs/a.jsonl"]
    assert files.same(before, now, folder / "logs" / "a.jsonl") == before.size
