"""Tables on a terminal: whatever its width, no number is broken, and what is left out is counted."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import toy_logs
from overproof.cli import tables
from overproof.cli.tables import EDGES, FLOOR, TIGHT, fitted, table
from overproof.pipeline.plan import plan
from overproof.pipeline.run import run

NAMES = ("#", "task", "calls", "spend", "tokens")
ROWS = (("1", "solve-problem-step-by-step", "1,319", "16 % $6.20", "303,577"), ("2", "triage", "44,720", "-", "-"))


def on_terminal(columns: int, *args: str) -> str:
    """Run the command with a terminal for standard output, and return what it printed there."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-W", "error", "-m", "overproof", *args]
    env = os.environ | {"COLUMNS": str(columns)}
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL, env=env) as running:
        os.close(theirs)
        said = b""
        while True:
            try:
                said += (more := os.read(ours, 65536))
            except OSError:  # Linux: the other end is closed
                break
            if not more:
                break
    os.close(ours)
    assert running.returncode == 0
    return said.decode().replace("\r\n", "\n")


def narrow(monkeypatch: pytest.MonkeyPatch, columns: int | None) -> str:
    monkeypatch.setattr(tables, "terminal", lambda: columns)
    return table(NAMES, ROWS, left=("task",), texts=("task",), least=("tokens", "spend"))


@pytest.mark.parametrize(("columns", "gone"), [(80, 0), (56, 0), (46, 0), (45, 1), (34, 2)])
def test_words_are_shortened_first_then_columns_go_and_are_counted(
    monkeypatch: pytest.MonkeyPatch, columns: int, gone: int
) -> None:
    told = narrow(monkeypatch, columns).splitlines()
    drawn = [line for line in told if "more column" not in line]

    assert max(map(len, drawn)) <= columns
    assert [line.split()[0] for line in drawn[3:-1]] == ["1", "2"]  # one line for each row
    for row in ROWS:
        assert all(cell in "\n".join(drawn) for place, cell in enumerate(row[: 5 - gone]) if place != 1)
    says = {0: "", 1: "1 more column in", 2: "2 more columns in"}[gone]
    assert says in told[-1]
    assert (gone == 0) == (len(told) == len(drawn))


def test_without_a_terminal_nothing_is_left_out_or_coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    told = narrow(monkeypatch, None)

    assert all(cell in told for row in ROWS for cell in row)
    assert "\x1b" not in told


@given(st.lists(st.integers(1, 40), min_size=1, max_size=9), st.integers(20, 200), st.data())
def test_what_stays_fits_and_only_texts_are_narrower(widths: list[int], room: int, data: st.DataObject) -> None:
    named = {f"c{i}": width for i, width in enumerate(widths)}
    texts = data.draw(st.sets(st.sampled_from(sorted(named))))
    least = data.draw(st.lists(st.sampled_from(sorted(named)), unique=True, max_size=len(named) - 1))

    stay = fitted(named, texts, least, room)

    gone = [name for name in named if name not in stay]
    assert sorted(gone) == sorted(least[: len(gone)])
    assert all(width == named[name] or (name in texts and FLOOR <= width < named[name]) for name, width in stay.items())
    if len(gone) < len(least):
        assert sum(stay.values()) + TIGHT * (len(stay) - 1) + EDGES <= room


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = toy_logs.project(tmp_path_factory.mktemp("tables") / "toy", toy_logs.rows(600))
    run(folder)
    new = [row | {"input": f"{row['input']} zebra"} for row in toy_logs.rows(200, seed=3, first=600)]
    toy_logs.write(folder, new, "b.jsonl")
    plan(folder)
    return folder


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_no_table_is_wider_than_the_terminal(project: Path, columns: int) -> None:
    there = ("-p", str(project))
    for command in (("prompts", "list"), ("prompts", "diff"), ("plan",)):
        said = on_terminal(columns, *command, *there).splitlines()
        sentences = ("Before: ", "! and changed: ", "Careful: ")
        assert max(len(line) for line in said if not line.startswith(sentences)) <= columns, command
    key = on_terminal(columns, "prompts", *there).split()
    assert any(len(word) == 8 and word.isalnum() for word in key)

    logs = on_terminal(columns, "discover", "--no-probe", str(project / "logs" / "*.jsonl")).splitlines()
    assert max(map(len, logs[:5])) <= columns


def test_the_summary_of_a_run_is_drawn_for_the_terminal(project: Path) -> None:
    run(project)
    narrow, wide = (on_terminal(columns, "run", "-p", str(project)).splitlines() for columns in (80, 120))

    assert max(map(len, narrow[:-1])) <= 80  # the last line is a path
    assert 80 < max(map(len, wide[:-1])) <= 100
    assert narrow[0] == wide[0]
