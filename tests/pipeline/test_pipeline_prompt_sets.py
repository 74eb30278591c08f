"""Prompt sets have numbers and outlive their caches; what changed between them, and what is in them, can be seen."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

import toy_logs
from overproof import prompt_sets
from overproof.core.errors import UserError
from overproof.core.store import KEPT
from overproof.pipeline import versions
from overproof.pipeline.forget import forget
from overproof.pipeline.looking import LEARNING
from overproof.pipeline.plan import plan
from overproof.pipeline.project import Project
from overproof.pipeline.run import run
from overproof.release.folder import ReleaseRecord

PERSON, WORD = "u-zqx", "zqxword"


def logged(n: int, seed: int = 0, first: int = 0) -> list[dict[str, Any]]:
    """Calls of ninety users; one of them says a word of their own."""
    made = [row | {"user": f"u{i % 90}"} for i, row in enumerate(toy_logs.rows(n, seed=seed, first=first))]
    for row in made[5::40]:
        row |= {"user": PERSON, "input": f"{row['input']} {WORD}{row['id'].replace('-', '')}"}
    return made


LABELS_TURNED = 'labels = ["other", "account", "shipping", "billing"]'
CONTRACT = toy_logs.CONTRACT + '\n[prompts]\nunit = ["near_duplicate"]\n'


def released(folder: Path) -> Path:
    """A project with a release that learned from its first prompt set."""
    toy_logs.project(folder, logged(1800), CONTRACT)
    assert run(folder).decision.outcome == "released"
    return folder


def grown(folder: Path) -> Path:
    """The same after new traffic: more of it is pro, and some speaks of zebras."""
    new = logged(500, seed=4, first=1800)
    for i, row in enumerate(new):
        row["metadata"] = {"tier": "pro"} if i % 3 == 0 else row["metadata"]
        row["input"] += " zebra" if i % 5 == 0 else ""
    toy_logs.write(folder, new, "b.jsonl")
    plan(folder)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return grown(released(tmp_path_factory.mktemp("prompt_sets") / "toy"))


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "toy", copy_function=shutil.copy2))


def edit(folder: Path, old: str, new: str) -> None:
    path = folder / "overproof.toml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def dealt_anew(folder: Path, times: int) -> None:
    """Make `times` more prompt sets, each from a new row in the logs."""
    for i in range(times):
        toy_logs.write(folder, logged(40, seed=50 + i, first=3000 + 40 * i), f"more{i}.jsonl")
        plan(folder)


def numbers(found: Sequence[prompt_sets.PromptSet]) -> list[tuple[int, bool]]:
    return [(each.number, each.on_disk) for each in found]


# --- versions ---------------------------------------------------------------------------------------------------------


def test_versions_are_numbered_and_say_what_they_hold(made: Path) -> None:
    one, two = prompt_sets.versions(made)

    assert (one.number, one.requests, one.present) == (1, 1800, False)
    assert (two.number, two.requests, two.present) == (2, 2300, True)
    assert two.prompts <= 2300
    assert one.cut is not None
    assert two.cut is not None
    assert one.cut < two.cut


def test_a_release_says_which_set_it_learned_from_and_the_set_says_which_releases(made: Path) -> None:
    [path] = made.glob("releases/*/release.json")
    record = msgspec.json.decode(path.read_bytes(), type=ReleaseRecord)
    one, two = prompt_sets.versions(made)

    assert (record.prompt_set, record.lineage["prompts"]) == (1, one.key)
    assert one.releases == (path.parent.relative_to(made).as_posix(),)
    assert two.releases == ()


def test_the_same_set_made_again_keeps_its_number(folder: Path) -> None:
    (folder / "logs" / "b.jsonl").rename(folder / "b.jsonl")
    shutil.rmtree(Project(folder).folder("prompts"))
    plan(folder)
    (folder / "b.jsonl").rename(folder / "logs" / "b.jsonl")
    plan(folder)

    assert numbers(prompt_sets.versions(folder)) == [(1, True), (2, True)]
    lines = (folder / ".overproof" / "prompt_sets.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["number"] for line in lines] == [1, 2, 1]


def test_old_sets_are_thrown_away_but_not_those_a_release_learned_from(folder: Path) -> None:
    dealt_anew(folder, KEPT + 1)
    found = prompt_sets.versions(folder)

    assert numbers(found) == [(1, True), (2, False), *((3 + i, True) for i in range(KEPT + 1))]
    with pytest.raises(UserError, match=r"prompt set 2 \(\w{8}\) is no longer on disk: the newest few are kept"):
        prompt_sets.sample(folder, which="2")
    assert prompt_sets.sample(folder, which="1").version.number == 1


def test_where_a_release_cannot_be_read_no_set_is_thrown_away(folder: Path) -> None:
    [path] = folder.glob("releases/*/release.json")
    path.write_text("{")
    dealt_anew(folder, KEPT + 1)

    assert all(there for _, there in numbers(prompt_sets.versions(folder)))


def test_sets_made_before_numbers_were_kept_come_first_by_age(folder: Path) -> None:
    (folder / ".overproof" / "prompt_sets.jsonl").unlink()
    before = prompt_sets.versions(folder)
    dealt_anew(folder, 1)
    after = prompt_sets.versions(folder)

    assert [(each.number, each.requests) for each in before] == [(1, 1800), (2, 2300)]
    assert [(each.number, each.key) for each in after[:2]] == [(each.number, each.key) for each in before]
    assert after[2].requests == 2340


def test_a_list_that_breaks_off_loses_its_last_line_alone_and_a_damaged_one_is_named(folder: Path) -> None:
    path = folder / ".overproof" / "prompt_sets.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert numbers(prompt_sets.versions(folder)) == [(1, True), (2, True)]  # the second is told by its artefact

    path.write_bytes(b"?" + whole)
    with pytest.raises(UserError, match=r"prompt_sets\.jsonl, line 1 is not as it was written"):
        prompt_sets.versions(folder)


def test_a_set_that_outlived_its_records_still_forgets_a_person(folder: Path) -> None:
    dealt_anew(folder, KEPT + 2)
    project = Project(folder)
    [key] = versions.spared(project)
    manifest = project.store.manifest("prompts", key)
    assert manifest is not None
    assert not project.store.folder("logs", manifest.inputs["logs"]).exists()
    held = project.store.folder("prompts", key)
    before = pl.read_parquet(held / "prompts.parquet")
    assert before["input"].str.contains(WORD).any()

    forget(folder, PERSON)

    after = pl.read_parquet(held / "prompts.parquet")
    assert after.equals(before.filter(~pl.col("input").str.contains(WORD)))
    assert PERSON not in pl.read_parquet(held / "senders.parquet")["user"]
    for path in (folder / ".overproof").rglob("*"):
        if path.suffix == ".parquet":
            assert WORD not in pl.read_parquet(path).write_ndjson(), path
        elif path.is_file():
            assert WORD.encode() not in path.read_bytes(), path
    assert numbers(prompt_sets.versions(folder))[0] == (1, True)


def test_killed_before_its_last_write_forgetting_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from overproof.pipeline import forget as forgetting

    dealt_anew(folder, KEPT + 2)
    tables = forgetting._tables

    def stopped(*args: Any, senders: bool = False) -> None:  # noqa: ANN401 - those of what it stands for
        if senders:
            raise KeyboardInterrupt
        tables(*args)

    monkeypatch.setattr(forgetting, "_tables", stopped)
    with pytest.raises(KeyboardInterrupt):
        forget(folder, PERSON)
    monkeypatch.undo()
    forget(folder, PERSON)

    for path in (folder / ".overproof" / "prompts").rglob("senders.parquet"):
        assert PERSON not in pl.read_parquet(path)["user"]


# --- differences ------------------------------------------------------------------------------------------------------


def test_growth_shows_the_new_traffic_undiluted(made: Path) -> None:
    found = prompt_sets.diff(made)
    changed = found.changed
    flagged = {each.name for each in changed.dimensions if each.flagged}

    assert (found.before.number, found.after.number, found.warnings) == (1, 2, ())
    assert (changed.requests_before, changed.requests_after, changed.in_both, changed.only_before) == (
        1800,
        500,
        1800,
        0,
    )
    assert {"slice", "metadata.tier", "word"} <= flagged
    assert "label" not in flagged
    assert [each.word for each in changed.words][:1] == ["zebra"]


def test_sets_are_named_by_number_key_or_another_projects_folder(made: Path, folder: Path) -> None:
    dealt_anew(folder, 1)
    one, two = prompt_sets.versions(made)
    by_number = prompt_sets.diff(made, "1", "2")

    assert prompt_sets.diff(made, one.key[:9], two.key[:9]) == by_number
    assert prompt_sets.diff(made, "1") == by_number
    other = prompt_sets.diff(made, "2", str(folder))
    assert (other.after.number, other.changed.in_both, other.changed.requests_after) == (3, 2300, 40)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("2", "2", r"both are prompt set 2"),
        ("7", None, r"no prompt set is called '7'; there are numbers 1 to 2: `overproof prompts list`"),
        ("", "2", r"several prompt sets have keys that begin with ''"),
    ],
)
def test_a_set_that_cannot_be_meant_is_told(made: Path, before: str, after: str | None, says: str) -> None:
    with pytest.raises(UserError, match=says):
        prompt_sets.diff(made, before, after)


def test_with_one_set_alone_there_is_nothing_to_compare(tmp_path: Path) -> None:
    folder = toy_logs.project(tmp_path / "toy", logged(400), CONTRACT)
    plan(folder)

    with pytest.raises(UserError, match="there is but one prompt set on disk"):
        prompt_sets.diff(folder)


def test_sets_made_differently_are_compared_with_a_warning_and_by_slices_that_mean_the_same(folder: Path) -> None:
    edit(folder, "tier = 'pro'", "tier = 'free'")
    plan(folder)
    found = prompt_sets.diff(folder, "1", "3")

    [warning] = found.warnings
    assert warning.startswith("overproof.toml, slices.pro: \"tier = 'pro'\" before, \"tier = 'free'\" now;")
    assert "slice" not in {each.name for each in found.changed.dimensions}


def test_labels_in_another_order_are_no_difference_and_of_lists_what_came_and_went_is_told(folder: Path) -> None:
    edit(folder, 'labels = ["billing", "shipping", "account", "other"]', LABELS_TURNED)
    plan(folder)
    assert prompt_sets.diff(folder, "2", "3").warnings == ()

    edit(folder, LABELS_TURNED, 'labels = ["other", "billing", "shipping", "access", "trade"]')
    plan(folder)
    [warning] = prompt_sets.diff(folder, "3", "4").warnings
    assert warning.startswith('overproof.toml, task.labels: "access","trade" added, "account" removed; some of what')


def test_a_set_that_does_not_say_how_it_was_made_is_compared_with_care(folder: Path) -> None:
    first = prompt_sets.versions(folder)[0].key
    artefact = folder / ".overproof" / "prompts" / first
    manifest = json.loads((artefact / "manifest.json").read_text())
    del manifest["files"]["recipe.json"]
    (artefact / "manifest.json").write_text(json.dumps(manifest))
    (artefact / "recipe.json").unlink()
    found = prompt_sets.diff(folder)

    assert found.warnings == (
        "one of the sets was made by an earlier version, which did not note how: compare with care",
    )
    assert "slice" in {each.name for each in found.changed.dimensions}


# --- prompts ----------------------------------------------------------------------------------------------------------


def test_a_sample_is_of_what_may_be_looked_at_and_repeats_itself(made: Path) -> None:
    found = prompt_sets.sample(made, 40)

    assert found == prompt_sets.sample(made, 40)
    assert len(found.prompts) == 40
    assert all(set(each.splits) <= set(LEARNING) for each in found.prompts)
    assert prompt_sets.sample(made, 40, seed="other").prompts != found.prompts


def test_without_examples_the_teachers_logged_answers_are_shown(made: Path) -> None:
    """The second set was only planned; the first was run."""
    planned, ran = prompt_sets.sample(made, 20), prompt_sets.sample(made, 20, which="1")

    assert {each.learned for each in planned.prompts} == {False}
    assert {each.learned for each in ran.prompts} == {True}
    assert {each.answer for each in planned.prompts} <= set(toy_logs.LABELS)


def test_an_answer_that_a_rule_refused_says_which_and_what_judges_is_not_called_refused(tmp_path: Path) -> None:
    rows = logged(600)
    for row in rows[::9]:
        row["output"] = "I'm sorry, but I can't help with that."
    folder = toy_logs.project(tmp_path / "toy", rows, CONTRACT)
    plan(folder)
    assert {each.refused for each in prompt_sets.sample(folder, 600).prompts} == {""}
    first = prompt_sets.sample(folder, 1).prompts[0].id
    assert not prompt_sets.show(folder, first).sifted

    run(folder)
    learning, judging = prompt_sets.sample(folder, 600), prompt_sets.sample(folder, 600, splits=["test"])
    refused = [each for each in learning.prompts if each.refused == "refusal"]

    assert refused
    assert not any(each.learned for each in refused)
    assert all(each.learned != bool(each.refused) for each in learning.prompts)
    assert {each.refused for each in judging.prompts} == {""}
    assert prompt_sets.show(folder, first).sifted


def test_a_sample_keeps_to_the_slices_and_labels_asked_for(made: Path) -> None:
    found = prompt_sets.sample(made, 15, slices=["pro"], labels=["other"], splits=["train"])

    assert found.prompts
    assert all("pro" in each.slices and each.answer == "other" for each in found.prompts)


def test_uniform_draws_from_each_label_in_turn(made: Path) -> None:
    found = prompt_sets.sample(made, 12, uniform="label")

    assert {label: sum(each.answer == label for each in found.prompts) for label in toy_logs.LABELS} == dict.fromkeys(
        toy_logs.LABELS, 3
    )
    assert len(prompt_sets.sample(made, 4, uniform="slice").prompts) == 4
    assert len(prompt_sets.sample(made, 4, uniform="language").prompts) == 4


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"slices": ["por"]}, "no slice is called 'por'; there are: 'all', 'new', 'pro'"),
        ({"labels": ["bill"]}, "no label is called 'bill'; there are: 'account', 'billing'"),
        ({"splits": ["training"]}, "no split is called 'training'; there are: train, tune, calibrate, test"),
        ({"which": "x"}, "no prompt set is called 'x'"),
        ({"n": 0}, "0 prompts cannot be drawn"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(made: Path, asked: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        prompt_sets.sample(made, **asked)


def test_before_a_run_it_says_what_to_do(tmp_path: Path) -> None:
    folder = toy_logs.project(tmp_path / "toy", logged(60), CONTRACT)

    for look in (prompt_sets.versions, prompt_sets.sample, prompt_sets.diff):
        with pytest.raises(UserError, match=r"there is no prompt set in .+ yet: `overproof plan` makes one for free"):
            look(folder)
    with pytest.raises(UserError, match="there is no"):
        prompt_sets.versions(tmp_path)


def test_a_prompt_is_shown_whole_by_the_beginning_of_its_id(made: Path) -> None:
    drawn = prompt_sets.sample(made, 1, which="1").prompts[0]
    found = prompt_sets.show(made, drawn.id[:12], which="1")

    assert (found.id, found.input, found.seen) == (drawn.id, drawn.input, drawn.seen)
    assert [message.content for message in found.messages] == [drawn.input]
    assert [each.by_teacher for each in found.requests] == [True] * found.seen
    assert [each.answer for each in found.examples] == [drawn.answer]
    assert prompt_sets.show(made, drawn.id).examples == ()
    with pytest.raises(UserError, match="prompts have ids that begin with ''"):
        prompt_sets.show(made, "")
    with pytest.raises(UserError, match="no prompt has an id like 'zz'"):
        prompt_sets.show(made, "zz")


def test_near_duplicates_are_shown_but_not_the_words_of_those_that_judge(tmp_path: Path) -> None:
    rows = logged(400)
    for i in (3, 7, 390):
        rows[i] |= {"input": "where is the parcel that I ordered for my mother last week" + " please" * (i > 3)}
    folder = toy_logs.project(tmp_path / "toy", rows, CONTRACT)
    plan(folder)
    requests = pl.read_parquet(Project(folder).folder("prompts") / "requests.parquet")
    own, like, judging = (requests.row(by_predicate=pl.col("id") == f"call-{i}", named=True) for i in (3, 7, 390))
    assert like["prompt_id"] == judging["prompt_id"] != own["prompt_id"]

    [mate] = prompt_sets.show(folder, own["prompt_id"]).mates

    assert (mate.id, mate.seen) == (like["prompt_id"], 2)
    assert set(mate.splits) == {like["split"], judging["split"]}
    assert mate.input == rows[7]["input"]


# --- export -----------------------------------------------------------------------------------------------------------


def test_an_export_holds_each_accepted_example_once(made: Path, tmp_path: Path) -> None:
    target = tmp_path / "out" / "train.jsonl"
    found = prompt_sets.export(made, target, "openai", which="1")
    lines = [json.loads(line) for line in target.read_text("utf-8").splitlines()]

    assert len(lines) == sum(found.examples.values())
    assert set(found.examples) == {"train", "tune"}
    assert {line["messages"][-1]["content"] for line in lines} == set(toy_logs.LABELS)
    asked = prompt_sets.sample(made, 10**6, which="1").matching
    assert len(lines) + found.left_out == asked


def test_what_judges_is_exported_with_the_teachers_answers_and_only_when_named(made: Path, tmp_path: Path) -> None:
    found = prompt_sets.export(made, tmp_path / "set", "hf", splits=["train", "test"], which="1")
    card = (tmp_path / "set" / "README.md").read_text("utf-8")
    test = pl.read_parquet(tmp_path / "set" / "data" / "test.parquet")

    assert test.height == found.examples["test"]
    assert "gold" not in test.columns
    assert "- split: test" in card
    assert "- split: tune" not in card
    assert "Prompt set 1" in card


def test_a_slice_alone_can_be_exported(made: Path, tmp_path: Path) -> None:
    prompt_sets.export(made, tmp_path / "set", "hf", slices=["pro"], which="1")

    assert pl.read_parquet(tmp_path / "set" / "data" / "train.parquet")["slices"].list.contains("pro").all()


def test_nothing_is_written_over_unless_told_and_other_splits_of_an_earlier_export_go(
    made: Path, tmp_path: Path
) -> None:
    prompt_sets.export(made, tmp_path / "set", "hf", splits=["test"], which="1")
    (tmp_path / "set" / "mine.txt").touch()
    with pytest.raises(UserError, match=r"set is not empty: name another place, or write over it with --force"):
        prompt_sets.export(made, tmp_path / "set", "hf", which="1")

    prompt_sets.export(made, tmp_path / "set", "hf", which="1", force=True)

    assert sorted(path.name for path in (tmp_path / "set").rglob("*.*")) == [
        "README.md", "mine.txt", "train.parquet", "tune.parquet",
    ]  # fmt: skip
    with pytest.raises(UserError, match="is a folder: name the file to write"):
        prompt_sets.export(made, tmp_path / "set", "openai", which="1", force=True)
    with pytest.raises(UserError, match="is a file: name a folder"):
        prompt_sets.export(made, tmp_path / "set" / "README.md", "hf", which="1", force=True)


def test_nothing_is_exported_before_the_terms_are_read_or_answers_accepted(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing was made of prompt set 2 \(\w{8}\) yet.*`overproof run` first"):
        prompt_sets.export(folder, tmp_path / "x.jsonl", "openai")
    with pytest.raises(UserError, match=r"the teacher was not asked about prompt set 2"):
        prompt_sets.export(folder, tmp_path / "x.jsonl", "openai", splits=["test"])
    dealt_anew(folder, 1)
    with pytest.raises(
        UserError, match=r"answers of prompt set 2 \(\w{8}\) are not on disk: .*; those that can be exported: 1$"
    ):
        prompt_sets.export(folder, tmp_path / "x.jsonl", "openai", which="2")
    shutil.rmtree(folder / ".overproof" / "filters")
    with pytest.raises(UserError, match=r"; `overproof run` makes those of the present prompt set$"):
        prompt_sets.export(folder, tmp_path / "x.jsonl", "openai", which="1")
    edit(folder, 'terms = "acknowledged"', "")
    with pytest.raises(
        UserError, match=r"teacher\.terms: read whether the terms of 'big' .* nothing is exported before"
    ):
        prompt_sets.export(folder, tmp_path / "x.jsonl", "openai", which="1")

    assert not (tmp_path / "x.jsonl").exists()
