"""Whole commands: exit code, standard output, standard error, and the files they leave."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import toy_logs


def overproof(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "overproof", *args],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a log and a project that has been run."""
    folder = tmp_path_factory.mktemp("cli")
    made = [row | {"output": f"Category: {row['output']}"} for row in toy_logs.rows(1500)]  # something to recover
    toy_logs.project(folder / "toy", made)
    ran = overproof("run", "--project", "toy", cwd=folder)
    assert ran.returncode == 0, ran.stderr
    return folder


def test_help_lists_the_commands_in_the_order_people_use_them(tmp_path: Path) -> None:
    ran = overproof("--help", cwd=tmp_path)

    commands = re.findall(r"^  (\w+)  ", ran.stdout.split("Commands:")[1], re.MULTILINE)
    used = ["demo", "discover", "init", "plan", "run", "report", "status", "prompts", "schema", "forget", "models"]
    assert commands == used
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_run_talks_on_stderr_and_tells_on_stdout(tmp_path: Path) -> None:
    toy_logs.project(tmp_path / "toy", toy_logs.rows(1500))

    ran = overproof("run", "--project", "toy", cwd=tmp_path)

    assert ran.returncode == 0
    assert re.findall(r"^  (\w+) +\d+\.\d s$", ran.stderr, re.MULTILINE) == [
        "logs",
        "prompts",
        "teacher",
        "filters",
        "baselines",
        "students",
        "calibrate",
        "evaluate",
        "release",
        "report",
    ]
    assert "Overproof · toy · " in ran.stdout.splitlines()[0]
    assert ran.stdout.rstrip().endswith("report     toy/report.html")
    assert sorted(path.name for path in (tmp_path / "toy").iterdir()) == [
        ".overproof",
        "logs",
        "overproof.toml",
        "releases",
        "report.html",
    ]


def test_a_run_with_nothing_to_do_says_the_same_and_no_more(place: Path) -> None:
    first, second = (overproof("run", "--project", "toy", cwd=place) for _ in range(2))

    assert second.stdout == first.stdout
    assert second.stderr == ""


def test_json_is_the_record_itself(place: Path) -> None:
    outcome = json.loads(overproof("run", "--project", "toy", "--json", cwd=place).stdout)
    told = json.loads(overproof("status", "--project", "toy", "--json", cwd=place).stdout)
    planned = json.loads(overproof("plan", "--project", "toy", "--json", cwd=place).stdout)

    assert outcome["decision"] == told["decision"]
    assert {step["state"] for step in planned["steps"]} == {"fresh"}
    assert planned["usd"] == 0.0


def test_status_says_what_has_changed(place: Path) -> None:
    ran = overproof("status", "--project", "toy", cwd=place)

    assert ran.returncode == 0
    assert "Nothing has changed since." in ran.stdout


def test_a_report_can_leave_examples_out(place: Path) -> None:
    ran = overproof("report", "--project", "toy", "--no-examples", "--output", "plain.html", cwd=place)

    assert (ran.returncode, ran.stdout) == (0, "plain.html\n")
    shown = (place / "toy" / "report.html").read_text("utf-8")
    plain = (place / "plain.html").read_text("utf-8")
    words = re.findall(r"\b(?:billing|shipping|account|other)[a-t]\b", shown)
    assert words
    assert not any(word in plain for word in words)


def test_status_of_nothing_says_what_to_do(tmp_path: Path) -> None:
    toy_logs.project(tmp_path / "toy", toy_logs.rows(10))

    ran = overproof("status", "--project", "toy", cwd=tmp_path)

    assert ran.returncode == 1
    assert "nothing has been run" in ran.stderr
    assert "`overproof run`" in ran.stderr


# --- runs that do not end well ---------------------------------------------------------------------------------------


def told_of(folder: Path) -> list[str]:
    """Return what `status` says, times masked."""
    ran = overproof("status", "--project", "toy", cwd=folder)
    assert (ran.returncode, ran.stderr) == (0, "")
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "TIME", ran.stdout).splitlines()


@pytest.fixture
def ended(place: Path, tmp_path: Path) -> tuple[Path, str]:
    """A project whose run ended well, and the verdict it came to."""
    shutil.copytree(place / "toy", tmp_path / "toy")
    return tmp_path, told_of(tmp_path)[0]


def test_status_tells_of_the_run_that_failed_and_of_the_one_that_stands(ended: tuple[Path, str]) -> None:
    folder, verdict = ended
    contract = folder / "toy" / "overproof.toml"
    before = contract.read_text()
    contract.write_text(before.replace('name = "toy"', 'name = "toy"\nwhere = "tier = \'gone\'"'))
    failed = overproof("run", "--project", "toy", cwd=folder)
    assert failed.returncode == 1
    said = told_of(folder)
    as_json = json.loads(overproof("status", "--project", "toy", "--json", cwd=folder).stdout)

    assert (
        said[0]
        == f"The last run failed in the stage prompts, TIME: {failed.stderr.strip().removeprefix('overproof: ')}"
    )
    assert said[1:3] == ["The run before, which stands:", verdict]
    assert said[-1].startswith("Changed since: prompts, teacher, ")
    assert as_json["unfinished"]["state"] == "failed"

    contract.write_text(before)
    assert overproof("run", "--project", "toy", cwd=folder).returncode == 0
    assert told_of(folder)[0] == verdict  # one that ends well takes it along, even with nothing to do


@pytest.mark.parametrize(
    ("signal_", "code", "sentence"),
    [
        (signal.SIGINT, 130, "The last run did not end: it was stopped by hand, in the stage teacher, TIME."),
        (signal.SIGKILL, -9, "The last run failed in the stage teacher, TIME: it was killed, or the machine went down"),
    ],
)
def test_status_tells_of_a_run_that_was_stopped(
    signal_: signal.Signals, code: int, sentence: str, tmp_path: Path
) -> None:
    """A teacher that never answers keeps the run at work until somebody stops it."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        mute.settimeout(60)
        reach = f'model = "big"\nbase_url = "http://127.0.0.1:{mute.getsockname()[1]}/v1"\nceiling = 0'
        made = [row | {"model": "small" if i % 2 else "big"} for i, row in enumerate(toy_logs.rows(300))]
        toy_logs.project(
            tmp_path / "toy", made, toy_logs.CONTRACT.replace('model = "big"', reach) + "[budget]\nusd = 5\n"
        )
        command = (sys.executable, "-W", "error", "-m", "overproof", "run", "--project", "toy")
        with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as run:
            asked, _ = mute.accept()
            with asked:
                during = told_of(tmp_path)
                run.send_signal(signal_)
                assert run.wait(30) == code

    after = told_of(tmp_path)

    assert during[0] == "A run is at work, in the stage teacher since TIME."
    assert after[:2] == [sentence, "No run has ended well before."]
    assert after[2].startswith("Still to be made by `overproof run`: teacher, filters, ")


def test_status_tells_of_a_run_that_failed_before_the_first_stage(tmp_path: Path) -> None:
    toy_logs.project(tmp_path / "toy", toy_logs.rows(50))
    contract = tmp_path / "toy" / "overproof.toml"
    contract.write_text(contract.read_text().replace('kind = "linear"', 'kind = "liner"', 1))
    assert overproof("run", "--project", "toy", cwd=tmp_path).returncode == 1

    first = told_of(tmp_path)[0]
    assert first.startswith("The last run failed before the first stage, TIME: overproof.toml, the 1st [[students]]")
    assert "no student is called 'liner'; did you mean 'linear'?" in first


def test_init_writes_a_contract_that_runs_as_soon_as_the_terms_are_read(tmp_path: Path) -> None:
    toy_logs.write(tmp_path, toy_logs.rows(800))

    began = overproof("init", "fresh", "--from", "logs/a.jsonl", cwd=tmp_path)
    refused = overproof("run", "--project", "fresh", cwd=tmp_path)
    contract = tmp_path / "fresh" / "overproof.toml"
    text = contract.read_text("utf-8").replace(
        'terms = ""', 'terms = "acknowledged"\nprice = { input = 3, output = 15 }'
    )
    contract.write_text(text, "utf-8")
    ran = overproof("run", "--project", "fresh", cwd=tmp_path)
    again = overproof("init", "fresh", "--from", "logs/a.jsonl", cwd=tmp_path)

    assert began.returncode == 0
    assert "4 labels, teacher 'big', 800 calls" in began.stdout
    assert (refused.returncode, "teacher.terms" in refused.stderr) == (1, True)
    assert ran.returncode == 0, ran.stderr
    assert (again.returncode, "is there already" in again.stderr) == (1, True)


def test_mined_values_are_quoted_when_written_into_a_contract(tmp_path: Path) -> None:
    """A metadata value that looks like TOML or SQL stays data."""
    hostile = 'pro"]\nlabels = ["x'
    made = [row | {"metadata": {"tier": (hostile, "o'brien")[i % 2]}} for i, row in enumerate(toy_logs.rows(400))]
    toy_logs.write(tmp_path, made)

    ran = overproof("init", "fresh", "--from", "logs/a.jsonl", cwd=tmp_path)

    text = (tmp_path / "fresh" / "overproof.toml").read_text("utf-8")
    assert ran.returncode == 0, ran.stderr
    assert text.count("labels = [") == 1 + text.count("\\nlabels = [")
    assert "o''brien" in text


def test_the_schema_is_json_whether_asked_to_be_or_not(tmp_path: Path) -> None:
    plain, asked = overproof("schema", cwd=tmp_path), overproof("schema", "--json", cwd=tmp_path)

    assert "$defs" in json.loads(plain.stdout)
    assert asked.stdout == plain.stdout


def test_help_tells_the_exit_codes(tmp_path: Path) -> None:
    ran = overproof("--help", cwd=tmp_path)

    assert "0 done, whatever the verdict; 1 something to mend; 2 wrong usage; 130 stopped" in " ".join(
        ran.stdout.split()
    )


def test_a_plan_gives_its_estimate_as_one(tmp_path: Path) -> None:
    reach = 'model = "big"\nbase_url = "http://127.0.0.1:9/v1"'
    contract = toy_logs.CONTRACT.replace('model = "big"', reach) + "\n[budget]\nusd = 100\n"
    toy_logs.project(tmp_path / "toy", [row | {"model": "small"} for row in toy_logs.rows(400)], contract)

    ran = overproof("plan", "--project", "toy", cwd=tmp_path)

    assert ran.returncode == 0, ran.stderr
    assert re.search(r"^To buy: \d+ answers for about \$\d+\.\d\d\.$", ran.stdout, re.MULTILINE)


def test_init_says_all_that_is_needed_before_the_first_run(tmp_path: Path) -> None:
    bare = [{"input": row["input"], "output": row["output"]} for row in toy_logs.rows(400)]
    toy_logs.write(tmp_path, bare)

    ran = overproof("init", "my project", "--from", "logs/a.jsonl", cwd=tmp_path)

    assert ran.returncode == 0, ran.stderr
    assert "`terms`" in ran.stdout
    assert "`price`" in ran.stdout
    assert "settle gold, slices, bars and students before the first run: the test is read once" in ran.stdout
    assert "overproof plan --project 'my project'" in ran.stdout
    assert "overproof run --project 'my project'" in ran.stdout


def test_init_asks_for_no_price_where_the_logs_tell_the_costs(tmp_path: Path) -> None:
    toy_logs.write(tmp_path, [row | {"cost_usd": 0.01} for row in toy_logs.rows(400)])

    ran = overproof("init", "toy", "--from", "logs/a.jsonl", cwd=tmp_path)

    assert ran.returncode == 0, ran.stderr
    assert "`price`" not in ran.stdout


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("demo", "afile"), "overproof: afile: Not a directory\n"),
        (("init", "afile", "--from", "logs/a.jsonl"), "overproof: afile is a file: name a folder to write "),
        (("init", "afile/below", "--from", "logs/a.jsonl"), "overproof: afile/below: Not a directory\n"),
    ],
)
def test_a_file_where_a_folder_should_be_is_one_sentence(tmp_path: Path, args: tuple[str, ...], says: str) -> None:
    toy_logs.write(tmp_path, toy_logs.rows(400))
    (tmp_path / "afile").touch()

    ran = overproof(*args, cwd=tmp_path)

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith(says)
    assert ran.stderr.count("\n") == 1


def test_a_report_cannot_be_written_over_a_folder(place: Path) -> None:
    (place / "taken").mkdir()

    ran = overproof("report", "--project", "toy", "--output", "taken", cwd=place)

    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", "overproof: taken: Is a directory\n")
    assert not [path for path in place.iterdir() if path.name.startswith(".")]
