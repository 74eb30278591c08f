"""Suggested slices and topics on the whole road: found, pasted, run again, kept, released, forgotten."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import toy_logs
from overproof.core.errors import UserError
from overproof.core.where import parse
from overproof.models.topic_file import FILE
from overproof.models.topics import Topics
from overproof.pipeline import memory, topics
from overproof.pipeline.data import prompts, requests
from overproof.pipeline.evidence import evidence_of
from overproof.pipeline.forget import forget
from overproof.pipeline.project import Project
from overproof.pipeline.run import Outcome, run
from overproof.pipeline.stages import NAMES
from overproof.pipeline.suggesting import found
from overproof.release.folder import load
from toy_logs import CONTRACT

REGION = 'it\'s "north"'
TAUGHT_BY = "zqx"


def logged(n: int = 1600, seed: int = 3, first: int = 0) -> list[dict[str, Any]]:
    """Return calls in which one region is hard, and one user in eleven says a word of their own."""
    rng = random.Random(seed)
    easy = toy_logs.rows(n, seed=seed, first=first)
    hard = toy_logs.rows(n, seed=seed + 1, hard=0.6, first=first)
    made = []
    for i in range(n):
        bad = rng.random() < 0.15
        row = dict((hard if bad else easy)[i])
        row["metadata"] = row["metadata"] | {"region": REGION if bad else rng.choice(["south", "east"])}
        user = "zqxanna" if i % 11 == 0 else f"u{i}"
        said = f"{row['input']} {TAUGHT_BY}word" if user == "zqxanna" else row["input"]
        made.append(row | {"user": user, "input": said})
    return made


def with_slices(*slices: str, critical: bool = False) -> str:
    return CONTRACT + "".join(
        f"\n[[slices]]\nname = 's{i}'\nwhere = {json.dumps(where)}\ncritical = {str(critical).lower()}\n"
        for i, where in enumerate(slices)
    )


def write_contract(folder: Path, text: str) -> None:
    (folder / "overproof.toml").write_text(text + "\n[prompts]\nunit = ['near_duplicate']\n", "utf-8")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    folder = tmp_path_factory.mktemp("topics") / "toy"
    toy_logs.project(folder, logged())
    write_contract(folder, CONTRACT)
    return folder, run(folder)


@pytest.fixture
def folder(ran: tuple[Path, Outcome], tmp_path: Path) -> Path:
    return shutil.copytree(ran[0], tmp_path / "toy")


def topic_names(folder: Path) -> tuple[str, ...]:
    known = topics.fixed(Project(folder))
    assert known is not None
    return known.names


def test_the_hard_region_is_suggested_everywhere_it_is_told(ran: tuple[Path, Outcome]) -> None:
    folder, outcome = ran
    told = found(Project(folder), outcome.decision.winner)
    first = outcome.suggested[0].where

    assert [each for each in outcome.suggested if parse(each.where).matches({"region": REGION})]
    assert told is not None
    assert told.candidate == outcome.decision.winner
    assert told.slices == outcome.suggested
    assert len([line for line in outcome.summary.splitlines() if first in line]) == 1
    assert "it&#39;&#39;s &#34;north&#34;" in (folder / "report.html").read_text("utf-8")


def test_a_suggestion_pasted_as_it_is_changes_no_promise(folder: Path, ran: tuple[Path, Outcome]) -> None:
    write_contract(folder, CONTRACT + "".join(f"\n{each.toml}" for each in ran[1].suggested))
    again = run(folder)
    story = (folder / "report.html").read_text("utf-8")

    assert (again.decision.outcome, again.decision.level) == ("released", ran[1].decision.level)
    assert ran[1].suggested[0].name in story
    assert ran[1].suggested[0].where not in {each.where for each in again.suggested}


@pytest.mark.parametrize("critical", [False, True])
def test_a_topic_named_after_the_decision_is_exploratory_only_if_it_promises(folder: Path, critical: bool) -> None:
    name = topic_names(folder)[0]
    write_contract(folder, with_slices(f"topic = '{name}'", critical=critical))

    assert run(folder).decision.outcome == ("exploratory" if critical else "released")


def test_topics_go_on_meaning_what_they_meant_when_new_traffic_comes(folder: Path) -> None:
    before = topic_names(folder)
    write_contract(folder, with_slices(f"topic = '{before[0]}'"))
    run(folder)
    first = requests(Project(folder)).select("id", "topic")
    toy_logs.write(folder, logged(800, seed=40, first=3000), "later.jsonl")
    run(folder)
    then = first.join(requests(Project(folder)).select("id", later="topic"), on="id")

    assert topic_names(folder) == before
    assert then.height == first.height
    assert then["topic"].equals(then["later"])
    assert requests(Project(folder)).height > first.height


def test_a_prompt_set_in_which_topics_mean_something_else_is_dealt_anew(folder: Path) -> None:
    write_contract(folder, with_slices("NOT topic = ''"))
    run(folder)
    project = Project(folder)
    assert memory.agrees(project)
    known = topics.fixed(project)
    assert known is not None

    other = Topics.of(known.names[::-1], known.words, known.weights, known.space, known.scores)
    project.topics.write_bytes(other.file())

    assert not memory.agrees(Project(folder))
    assert next(each for each in run(folder).stages if each.stage == "prompts").state == "made"
    assert set(requests(Project(folder))["topic"]) <= {*known.names, ""}


def test_what_is_damaged_is_told(folder: Path) -> None:
    Project(folder).topics.write_bytes(b"nothing of the kind")
    write_contract(folder, with_slices("NOT topic = ''"))

    with pytest.raises(UserError, match=r"topics\.safetensors cannot be read"):
        run(folder)


def test_a_topic_that_is_none_is_answered_with_those_there_are(folder: Path) -> None:
    write_contract(folder, with_slices("topic = 'nothing of the kind'"))

    with pytest.raises(UserError) as told:
        run(folder)

    assert all(repr(name) in str(told.value) for name in topic_names(folder))


def test_a_run_with_nothing_to_do_asks_what_topics_mean_without_a_table_library(folder: Path) -> None:
    write_contract(folder, with_slices("NOT topic = ''"))
    run(folder)
    lean = (
        "import sys; from overproof.pipeline.run import run\n"
        f"assert {{each.state for each in run({str(folder)!r}).stages}} == {{'fresh'}}\n"
        "assert not {'polars', 'numpy', 'scipy'} & sys.modules.keys(), sorted(sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", lean], check=False).returncode == 0


SERVED = """
import json, sys
from pathlib import Path
from overproof.release.folder import load
release, texts = load(Path(sys.argv[1])), json.loads(sys.stdin.read())
together = release.topics(texts)
assert together == tuple(release.topics([text])[0] for text in texts)
print(json.dumps(together))
"""


def test_a_release_tells_topics_as_they_were_told_in_its_proof(tmp_path: Path) -> None:
    folder = tmp_path / "toy"
    toy_logs.project(folder, [row | {"input": f"{row['input']} a@b.example"} for row in logged(1200)])
    write_contract(folder, with_slices("NOT topic = ''", critical=True))
    outcome = run(folder)
    project = Project(folder)
    rows = requests(project).join(
        prompts(project), left_on="prompt_id", right_on="id", how="left", maintain_order="left"
    )
    asked = [row["input"] + " a@b.example" for row in logged(1200)]  # as they come in, unmasked
    assert outcome.decision.release is not None

    served = json.loads(
        subprocess.run(
            [sys.executable, "-c", SERVED, str(folder / outcome.decision.release)],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": "3", "POLARS_MAX_THREADS": "1"},
        ).stdout
    )
    by_id = dict(rows.select("id", "topic").iter_rows())

    assert served == [by_id[f"call-{i}"] for i in range(1200)]
    assert len(set(served)) > 2


def test_a_release_without_slices_over_topics_knows_none(ran: tuple[Path, Outcome]) -> None:
    assert ran[1].decision.release is not None
    release = load(ran[0] / ran[1].decision.release)

    with pytest.raises(UserError, match="speaks of topics"):
        release.topics(["x"])


def test_whoever_is_forgotten_has_no_word_among_topics_and_no_suggestion_stands_on_them(folder: Path) -> None:
    write_contract(folder, with_slices("NOT topic = ''"))
    run(folder)
    project = Project(folder)
    word = f"{TAUGHT_BY}word".encode()
    places = [project.topics, project.folder("prompts") / FILE]
    assert all(word in place.read_bytes() for place in places)
    before = topics.fixed_id(project)

    forget(folder, "zqxanna")

    assert not any(word in place.read_bytes() for place in places)
    assert topics.fixed_id(project) == before
    assert found(Project(folder), None) is None
    assert "suggests" not in json.loads(project.last.read_bytes())["summary"]
    assert "Slices worth naming" not in (folder / "report.html").read_text("utf-8")


def test_what_others_said_too_stays(folder: Path) -> None:
    before = Project(folder).topics.read_bytes()

    forget(folder, "u1")

    assert Project(folder).topics.read_bytes() == before


def test_the_stage_that_suggests_is_the_one_that_calibrates(ran: tuple[Path, Outcome]) -> None:
    project = Project(ran[0])

    assert "calibrate" in NAMES
    assert (project.folder("calibrate") / "suggested.json").is_file()
    assert pl.read_parquet(project.folder("prompts") / "requests.parquet")["topic"].null_count() == 1600


def test_a_slice_may_speak_of_topic_and_right_answer_at_once(folder: Path) -> None:
    write_contract(folder, with_slices("NOT topic = '' AND label = 'billing'"))
    run(folder)
    rows = evidence_of(Project(folder), "calibrate")
    inside = rows["slices"].list.contains("s0")

    assert inside.equals(((rows["topic"] != "") & (rows["reference"] == "billing")).alias(inside.name))
    assert 0 < inside.sum() < rows.height
