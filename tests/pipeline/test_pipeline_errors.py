"""Whatever is wrong with a project is told in one sentence that says what to do; nothing is left half-written."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import toy_logs
from overproof.contract import parse
from overproof.core.errors import UserError
from overproof.pipeline.files import fingerprint
from toy_logs import CONTRACT, rows

Rows = list[dict[str, Any]]


def overproof(*args: str, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "overproof", *args],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def asking(contract: str, budget: str = "usd = 100") -> str:
    """The same contract with a teacher that can be asked, at an address where nobody listens."""
    reach = 'model = "big"\nbase_url = "http://127.0.0.1:9/v1"\napi_key_env = "TOY_KEY"'
    return contract.replace('model = "big"', reach) + f"\n[budget]\n{budget}\n"


def without(key: str) -> Callable[[Rows], Rows]:
    return lambda made: [row | {key: None} for row in made]


def same(made: Rows) -> Rows:
    return made


def one_label(made: Rows) -> Rows:
    return [row | {"output": "billing"} for row in made]


def of_another_model(made: Rows) -> Rows:
    return [row | {"model": "small"} for row in made]


def repeats_that_disagree(made: Rows) -> Rows:
    return [row | {"input": made[i // 2]["input"], "output": ("billing", "other")[i % 2]} for i, row in enumerate(made)]


CASES: dict[str, tuple[str, Callable[[Rows], Rows], str]] = {
    "a misspelt key": (
        CONTRACT.replace("alpha", "alhpa"),
        same,
        "overproof.toml, risk: does not know 'alhpa'; did you mean 'alpha'? Known here: alpha",
    ),
    "a log that is not there": (
        CONTRACT.replace("logs/*.jsonl", "lgos/*.jsonl"),
        same,
        "logs: no file matches 'lgos/*.jsonl' in ",
    ),
    "an empty slice": (
        CONTRACT.replace("tier = 'pro'", "tier = 'gold'"),
        same,
        "the 1st [[slices]] (\"pro\"): none of 600 requests matches \"tier = 'gold'\"; tier is one of 'free', 'pro'",
    ),
    "a slice over nothing known": (
        CONTRACT.replace("tier = 'pro'", "teir = 'pro'"),
        same,
        "overproof.toml, the 1st [[slices]] (\"pro\"), where: the condition \"teir = 'pro'\" speaks of 'teir'",
    ),
    "a task over nothing known": (
        CONTRACT.replace("[task]\n", "[task]\nwhere = \"teir = 'pro'\"\n"),
        same,
        "overproof.toml, task.where: the condition \"teir = 'pro'\" speaks of 'teir'",
    ),
    "a log that is empty": (CONTRACT, lambda _: [], "could be read (logs/a.jsonl): there is no row in it"),
    "a slice that reaches out": (
        CONTRACT.replace("tier = 'pro'", "read_csv('/etc/passwd') = 'x'"),
        same,
        "read_csv",
    ),
    "one answer only": (CONTRACT, one_label, "only one label, 'billing' among the train examples"),
    "a teacher who never answered": (
        CONTRACT,
        of_another_model,
        "no logged call was answered by 'big' (models there: 'small')",
    ),
    "gold that is nowhere": (
        CONTRACT.replace('reference = "teacher"', 'reference = "gold"'),
        without("gold"),
        "proof.reference: is 'gold', but none of 300 requests of the evaluation window has a right answer",
    ),
    "a price nobody knows": (
        CONTRACT.replace("price = { input = 3.0, output = 15.0 }\n", ""),
        same,
        "what 'big' costs is not known",
    ),
    "a bar above the ceiling": (
        CONTRACT.replace("at_least = 0.80", "at_least = 0.95"),
        repeats_that_disagree,
        "0.95 on 'all' is above the ceiling: the teacher agrees with itself on 0 of",
    ),
    "a budget that is too small": (asking(CONTRACT, "usd = 0.000001"), of_another_model, "the budget is $0.00"),
    "a key that is not set": (asking(CONTRACT), of_another_model, "set the environment variable TOY_KEY"),
    "an unknown student": (
        CONTRACT.replace('kind = "linear"', 'kind = "liner"', 1),
        same,
        """overproof.toml, the 1st [[students]] ("words"), kind: no student is called 'liner'""",
    ),
    "two students of one name": (
        CONTRACT.replace('name = "words+characters"', 'name = "words"'),
        same,
        "two students are called 'words'",
    ),
    "an unknown rule": (CONTRACT + '\n[[filters]]\nrule = "lable_set"\n', same, "no rule is called 'lable_set'"),
    "an option no rule has": (
        CONTRACT + '\n[[filters]]\nrule = "max_length"\nlimit = 3\n',
        same,
        'the 1st [[filters]] ("max_length")',
    ),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.replace(" ", "-"))
def test_a_fault_is_one_sentence_and_leaves_nothing_half_written(case: str, tmp_path: Path) -> None:
    contract, change, says = CASES[case]
    folder = toy_logs.project(tmp_path / "toy", change(rows(600)), contract)

    ran = overproof("run", cwd=folder)

    assert ran.returncode == 1, ran.stdout + ran.stderr
    told = [line for line in ran.stderr.splitlines() if line.startswith("overproof: ")]
    assert len(told) == 1, ran.stderr
    assert "Traceback" not in ran.stderr
    assert says in told[0]
    assert ran.stdout == ""
    assert not (folder / "report.html").exists()
    assert not (folder / "releases").exists()
    assert [path for path in folder.rglob(".*") if path.name != ".overproof"] == []


def test_a_command_line_that_makes_no_sense_is_exit_code_2(tmp_path: Path) -> None:
    ran = overproof("run", "--past-the-gate", cwd=tmp_path)

    assert ran.returncode == 2
    assert "--past-gate" in ran.stderr


def test_a_folder_without_a_contract_says_how_to_write_one(tmp_path: Path) -> None:
    ran = overproof("run", cwd=tmp_path)

    assert ran.returncode == 1
    assert "overproof init NAME --from LOGS" in ran.stderr


@pytest.mark.parametrize("torn", [b"", b'{"logs/a.jsonl": [1, 2', b'{"logs/a.jsonl": [1, 2, 3]}', b"\xff\xfe"])
def test_a_memory_of_files_that_cannot_be_read_is_made_again(tmp_path: Path, torn: bytes) -> None:
    folder = toy_logs.project(tmp_path / "toy", rows(10))
    memory, contract = tmp_path / "files.json", parse(CONTRACT.encode())
    first = fingerprint(contract, folder, memory)
    whole = memory.read_bytes()
    memory.write_bytes(torn)

    assert fingerprint(contract, folder, memory) == first
    assert memory.read_bytes() == whole


def test_right_answers_that_are_not_there_are_told_with_their_place(tmp_path: Path) -> None:
    contract = CONTRACT + '\n[gold]\npath = "glod.jsonl"\non = "id"\nfield = "gold"\n'
    folder = toy_logs.project(tmp_path / "toy", rows(10), contract)

    with pytest.raises(UserError, match=r"gold.path: no file matches 'glod.jsonl' in "):
        fingerprint(parse(contract.encode()), folder, tmp_path / "files.json")
