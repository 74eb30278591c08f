"""The demo shows something true at each stage, and what the README prints of it is what it prints."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import polars as pl
import pytest

from overproof.contract import FILE
from overproof.pipeline import encoders
from overproof.pipeline.demo import LADDER, demo, lay_out
from overproof.pipeline.project import Project
from overproof.pipeline.run import Outcome, run
from overproof.report.alone import hopeless, outgrown_sentence
from overproof.report.bought import removed
from overproof.report.story import Story

ROOT = Path(__file__).parent.parent
NUMBER = r"\d[\d,]*(?:\.\d+)?"


@pytest.fixture(scope="module", autouse=True)
def _encoders(minilm: Path) -> Iterator[None]:
    """The demo goes up the whole ladder where the encoder is installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(encoders.VARIABLE, str(minilm))
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "overproof-demo"


@pytest.fixture(scope="module")
def outcome(folder: Path) -> Outcome:
    return demo(folder)


@pytest.fixture(scope="module")
def story(folder: Path, outcome: Outcome) -> Story:
    assert outcome.decision.outcome
    path = Project(folder).folder("report") / "story.json"
    return msgspec.json.decode(path.read_bytes(), type=Story)


def test_answers_are_recovered_and_rejected(story: Story) -> None:
    assert story.funnel.recovered > 0
    assert {row.rule for row in story.funnel.rows if row.rejected} >= {"finish_reason", "refusal"}
    assert story.funnel.resampled > 0


def test_missing_answers_are_bought_from_the_replay_server(story: Story) -> None:
    assert story.spending.bought > 0
    assert 0 < story.spending.usd < 5
    assert story.spending.failed == 0


def test_the_off_the_shelf_model_misses_and_the_gate_says_by_how_much(story: Story) -> None:
    assert re.search(r"tern-mini: wrong in 1\d\.\d%, 7% tolerated", story.gate)
    assert not any(each.proven for each in story.of("baseline"))


def test_a_good_average_hides_a_bad_slice(story: Story) -> None:
    best = max(story.of("student"), key=lambda each: each.calibration.coverage)
    alone = {row.slice: row.student.value for row in best.slices if row.student is not None}

    assert alone["all"] > 0.8
    assert alone["german"] < alone["all"] - 0.08


def test_a_critical_slice_is_honestly_unproven_and_stays_with_the_teacher(story: Story) -> None:
    for each in story.of("student"):
        german = next(row for row in each.calibration.slices if row.slice == "german")
        assert not german.certified
        assert "german" in each.calibration.always_teacher
    lead = story.lead
    assert lead is not None
    for row in lead.calibration.slices:  # what more traffic would mend is told with how much, the rest as hopeless
        assert row.certified or bool(row.more_units and row.more_days) != (row.slice in hopeless(lead))


def test_the_whole_ladder_is_held_against_the_release_conditions(story: Story) -> None:
    students = {each.name: each for each in story.of("student")}

    assert {each.kind for each in students.values()} == {"linear", "static", "encoder", "cascade"}
    assert all({row.condition for row in each.verdicts} >= {"bar", "risk", "saving"} for each in students.values())


def test_size_is_not_quality(story: Story) -> None:
    students = {each.name: each for each in story.of("student")}
    encoder, lexical = students["encoder"], students["words+characters"]
    alone = {each.name: {row.slice: row.student for row in each.slices} for each in (encoder, lexical)}
    theirs, ours = alone["encoder"]["not_english"], alone["words+characters"]["not_english"]

    assert encoder.size_bytes is not None
    assert lexical.size_bytes is not None
    assert encoder.size_bytes > 10 * lexical.size_bytes
    assert theirs is not None
    assert ours is not None
    assert theirs.value < ours.value - 0.04
    assert "Size is not quality" in outgrown_sentence(story)


def test_what_sampling_bought_is_told_beside_chance(story: Story) -> None:
    assert story.sampling is not None
    rows = {row.way: row for row in story.sampling.rows if row.slice == "all"}
    first, targeted = rows["first answer"], rows["targeted"]

    assert targeted.right / targeted.kept >= 0.975 > first.right / first.kept
    assert targeted.kept / targeted.prompts >= 0.92
    assert targeted.resampled <= 0.25 * targeted.prompts
    assert removed(targeted) / targeted.usd > removed(rows["random"]) / rows["random"].usd


def test_it_ends_in_a_release_that_saves(story: Story, folder: Path) -> None:
    assert story.decision.outcome == "released"
    assert story.decision.release is not None
    assert (folder / story.decision.release / "checksums.json").is_file()
    winner = story.winner
    assert winner is not None
    assert winner.economics is not None
    assert winner.economics.saved_per_month > 0
    assert winner.economics.break_even_requests is not None


def test_running_it_again_makes_nothing(folder: Path, outcome: Outcome) -> None:
    again = demo(folder)

    assert [each.state for each in again.stages] == ["fresh"] * 10
    assert again.decision == outcome.decision


def test_training_never_sees_gold(tmp_path: Path, folder: Path, outcome: Outcome) -> None:
    """With every right answer replaced by nonsense, exactly the same is learned; only the verdicts differ."""
    absurd = tmp_path / "absurd"
    lay_out(absurd)
    with gzip.open(absurd / "gold.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) | {"category": "other"} for line in file]
    with gzip.open(absurd / "gold.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)

    ran = run(absurd)

    assert ran.decision.outcome == "not_proven"
    honest, fooled = Project(folder), Project(absurd)
    learned = [pl.read_parquet(each.folder("filters") / "examples.parquet") for each in (honest, fooled)]
    assert learned[0].equals(learned[1])
    weights = [sorted((each.store.root / "fitted").rglob("*.safetensors")) for each in (honest, fooled)]
    assert [path.read_bytes() for path in weights[0]] == [path.read_bytes() for path in weights[1]]


def test_the_readme_prints_what_the_demo_prints(outcome: Outcome) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    block = re.search(r"<!-- demo output -->\n```\n(.*?)```", readme, re.DOTALL)
    assert block is not None

    printed, said = told(block[1]), told(outcome.summary)
    assert printed.words == said.words
    assert said.numbers == pytest.approx(printed.numbers, rel=0.05, abs=1.0)  # another processor rounds otherwise


class Told(NamedTuple):
    """A summary without its layout: its words, and the numbers between them."""

    words: list[str]
    numbers: list[float]


def told(summary: str) -> Told:
    """Leave out when it was printed and where it went, which differ from run to run, and how its lines were broken."""
    text = re.sub(r"\d{1,2} \w+ \d{4}, \d{2}:\d{2} UTC", "<when>", summary)
    text = " ".join(line for line in text.splitlines() if not line.startswith("report "))
    numbers = [float(number.replace(",", "")) for number in re.findall(NUMBER, text)]
    return Told(re.sub(NUMBER, "#", text).split(), numbers)


def test_the_contract_of_the_demo_is_the_packaged_one(folder: Path, outcome: Outcome) -> None:
    packaged = ROOT / "src" / "overproof" / "demo"

    assert (folder / FILE).read_bytes() == (packaged / FILE).read_bytes() + (packaged / LADDER).read_bytes()
    assert outcome.report == "report.html"
