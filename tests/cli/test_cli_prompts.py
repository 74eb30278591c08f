"""`overproof prompts`, as it is typed: exit code, standard output, standard error, files."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import toy_logs
from overproof.cli.app import main
from overproof.cli.prompts_shown import as_json_shown, visible
from overproof.pipeline.plan import plan
from overproof.pipeline.run import run

STEERS = "ring\a \x1b[31mred\x1b[0m \x9b2J back\rward \u202etfel [bold]tag[/bold]"
"""What a customer may send to whoever looks at it in a terminal."""
RAW = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
LOOKED_AT = (
    "Calibrate and test are what students are judged by: what is chosen after seeing them is no longer judged by them, "
    "and to prove it takes fresh traffic.\n"
)


def prompts(*args: str, project: Path) -> Result:
    """Run the command in this process; what fails is tried as it is typed, below."""
    ran = CliRunner().invoke(main, ["prompts", *args, "--project", str(project)], catch_exceptions=False)
    assert ran.exit_code == 0
    return ran


def typed(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "overproof", "prompts", *args],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two prompt sets; one prompt, of the second, would steer a terminal."""
    folder = toy_logs.project(tmp_path_factory.mktemp("prompts") / "toy", toy_logs.rows(1200))
    run(folder)
    new = [row | {"input": f"{row['input']} zebra"} for row in toy_logs.rows(300, seed=3, first=1200)]
    steering = {"input": STEERS, "output": STEERS, "metadata": {"tier": "pro", "note": STEERS}}
    late = [row | steering | {"timestamp": "2026-01-05T00:00:00+00:00"} for row in toy_logs.rows(1, first=2000)]
    toy_logs.write(folder, [*new, *late], "b.jsonl")
    plan(folder)
    return folder


def test_alone_it_lists_the_versions_as_list_does(project: Path) -> None:
    alone, listed = prompts(project=project), prompts("list", project=project)

    assert alone.stderr == ""
    assert alone.stdout == listed.stdout
    rows = [line.split() for line in alone.stdout.splitlines() if re.match(r" *\d", line)]
    assert [(row[0], row[4], row[8]) for row in rows] == [("1", "1,200", "yes"), ("2*", "1,501", "yes")]
    assert alone.stdout.endswith("* what the logs and overproof.toml make now\n")


def test_a_difference_names_what_changed_and_warns_on_stderr(project: Path, tmp_path: Path) -> None:
    told = prompts("diff", "1", "2", project=project)
    record = json.loads(prompts("diff", "--json", project=project).stdout)

    assert told.stderr == ""
    assert told.stdout.startswith("Before: 1,200 requests of prompt set 1. After: 301 requests of prompt set 2 that")
    assert re.search(r"^ zebra +0\.0% +99\.\d% +\+\d", told.stdout, re.MULTILINE)
    assert record["changed"]["words"][0]["word"] == "zebra"
    assert {each["name"] for each in record["changed"]["dimensions"]} >= {"slice", "label", "length", "joint"}


def test_a_difference_of_nothing_leaves_no_gap_where_its_other_tables_would_be(tmp_path: Path) -> None:
    folder = toy_logs.project(tmp_path / "toy", toy_logs.rows(600))
    plan(folder)
    toy_logs.write(folder, toy_logs.rows(40, seed=5, first=600), "b.jsonl")
    plan(folder)

    told = prompts("diff", project=folder).stdout

    assert "Nothing differs by more than chance explains" in told
    assert not re.search(r"(\n[ ]*){4}", told)


def test_a_prompt_that_nothing_is_learned_from_says_why(project: Path) -> None:
    def told(split: str, which: str) -> str:
        drawn = prompts("sample", "-n", "1", "--split", split, "--set", which, "--json", project=project)
        record = json.loads(drawn.stdout)["prompts"][0]
        return prompts("show", record["id"], "--set", which, project=project).stdout

    assert "\njudged upon, never learned from\n" in told("test", "1")
    assert "\njudged upon, never learned from\n" in told("test", "2")
    assert "\nno sifted answers of this prompt set are on disk\n" in told("train", "2")
    assert "\nlearned (train): " in told("train", "1")
    assert "(refused" not in prompts("sample", "--set", "2", project=project).stdout


def test_samples_repeat_themselves_and_looking_at_what_judges_has_its_sentence(project: Path) -> None:
    first, again = (prompts("sample", "-n", "3", project=project) for _ in range(2))
    judging = prompts("sample", "-n", "1", "--split", "test", "--json", project=project)

    assert (first.stderr, first.stdout) == ("", again.stdout)
    assert first.stdout.startswith("3 of ")
    assert judging.stderr == LOOKED_AT
    assert [each["splits"] for each in json.loads(judging.stdout)["prompts"]] == [["test"]]


def test_nothing_in_a_prompt_steers_the_terminal_and_json_has_it_whole(project: Path) -> None:
    record = json.loads(prompts("sample", "-n", "2000", "--json", project=project).stdout)
    mine = next(each for each in record["prompts"] if "tfel" in each["input"])
    for command in (("sample", "-n", "2000"), ("show", mine["id"]), ("diff",), ("list",)):
        told = prompts(*command, project=project)
        assert RAW.findall(told.stdout + told.stderr) == [], command
        assert RAW.findall(prompts(*command, "--json", project=project).stdout) == []

    shown = prompts("show", mine["id"][:14], project=project).stdout
    assert mine["input"] == STEERS
    assert r"\x1b[31mred" in shown
    assert r"\x9b2J back\x0dward \u202etfel [bold]tag[/bold]" in shown


@pytest.mark.parametrize("character", ["\x1b", "\x9b", "\r", "\x00", "\u202e", "\u2028", "\x7f", "\ud800"])
def test_what_steers_is_written_out_and_lines_stay_lines(character: str) -> None:
    assert character not in visible(f"a{character}b")
    assert visible("a\nb·é") == "a\nb·é"
    if character != "\ud800":
        assert json.loads(as_json_shown({"a": character})) == {"a": character}
        assert RAW.findall(as_json_shown({"a": character})) == []


def test_an_export_says_what_it_wrote_and_refuses_to_write_over_it(project: Path, tmp_path: Path) -> None:
    target = str(tmp_path / "x.jsonl")
    command = ("export", "--to", target, "--as", "openai", "--set", "1", "--split", "train")
    first, second = prompts(*command, project=project), typed(*command, "-p", str(project))
    forced = prompts(*command, "--force", "--json", project=project)

    lines = len(Path(target).read_text().splitlines())
    assert first.stderr == ""
    assert first.stdout.startswith(f"Wrote {lines} train examples of prompt set 1 to {target}")
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr == f"overproof: {target} is not empty: name another place, or write over it with --force\n"
    assert json.loads(forced.stdout)["examples"] == {"train": lines}


def test_options_may_stand_before_the_command_too(project: Path) -> None:
    ran = typed("-p", str(project), "--json", "sample", "-n", "1")

    assert len(json.loads(ran.stdout)["prompts"]) == 1


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("show", "zz"), "overproof: no prompt has an id like 'zz': take one from `overproof prompts sample`\n"),
        (("diff", "1", "1"), "overproof: both are prompt set 1 ("),
    ],
)
def test_what_is_wrong_is_one_sentence(project: Path, args: tuple[str, ...], says: str) -> None:
    ran = typed(*args, "-p", str(project))

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith(says)
    assert ran.stderr.count("\n") == 1


def test_help_loads_no_table_library() -> None:
    script = (
        "import sys; from overproof.cli.app import main\n"
        "main(['prompts', 'sample', '--help'], standalone_mode=False)\n"
        "print('loaded:', *({'polars', 'numpy', 'msgspec', 'rich'} & set(sys.modules)))"
    )

    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stdout.splitlines()[-1]) == (0, "loaded:")
