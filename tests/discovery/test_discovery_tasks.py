"""Tasks in mixed logs are told apart, described, and turned into contracts that run."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import mixed_logs
from overproof.contract import parse
from overproof.core.errors import UserError
from overproof.discovery.discover import Discovered
from overproof.discovery.records import Discovery
from overproof.discovery.says import not_yet
from overproof.pipeline.discover import discover, look_into
from overproof.pipeline.first_look import logged
from overproof.pipeline.init import init
from overproof.pipeline.plan import plan
from overproof.pipeline.run import run

WORDS = [f"w{a}{b}" for a in "abcdefghijkl" for b in "klmnopqrst"]
LABELS = ("billing", "shipping", "other")
Row = dict[str, Any]


def text(rng: random.Random, said: str = "") -> str:
    return " ".join([*rng.choices(WORDS, k=rng.randint(8, 16)), *([said] * 2 if said else [])])


def calls(n: int, seed: int = 0, **fields: Any) -> list[Row]:  # noqa: ANN401 - fields of a log row
    """Return calls whose answer follows from a word of the input; `system` and `ask` are wordings around it."""
    rng = random.Random(seed)
    system, ask = fields.pop("system", None), fields.pop("ask", "{}")
    rows = []
    for i in range(n):
        label = LABELS[i % len(LABELS)]
        row = {"id": f"{seed}-{i}", "model": "gpt-4o", "input": ask.format(text(rng, f"about{label}"))}
        rows.append(
            row | {"output": label, "timestamp": 1_790_000_000 + i} | ({"system": system} if system else {}) | fields
        )
    return rows


def look(folder: Path, rows: Iterable[Row], *, probe: bool = False) -> Discovered:
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return look_into(logged(str(path)).exchanges, probe=probe)


def sizes(found: Discovered) -> list[int]:
    return sorted(task.calls for task in found.record.tasks)


def test_prompts_and_templates_are_told_apart(tmp_path: Path) -> None:
    rows = [
        *calls(200, 1, system="Say what the ticket of this customer is about, in one word."),
        *calls(150, 2, system="You are a helpful assistant.", ask="Which topic has this message: {}"),
        *calls(120, 3, system="You are a helpful assistant.", ask="Please write a poem about all of this.\n\n{}"),
        *calls(90, 4),
    ]

    assert sizes(look(tmp_path, rows)) == [90, 120, 150, 200]


def test_versions_that_differ_by_little_are_one_task(tmp_path: Path) -> None:
    prompt = "You read what customers write to a shop and say whether it is about billing, shipping or other things."
    rows = [*calls(200, 1, system=prompt), *calls(100, 2, system=f"{prompt} Answer with the one word alone.")]

    (task,) = look(tmp_path, rows).record.tasks

    assert [version.calls for version in task.versions] == [200, 100]


def test_prompts_that_differ_by_little_but_are_answered_otherwise_are_two_tasks(tmp_path: Path) -> None:
    prompt = "You read what customers write to a shop and say in one word of those we agreed on what the {} is."
    other = [
        row | {"output": ("angry", "calm")[i % 2]} for i, row in enumerate(calls(100, 2, system=prompt.format("mood")))
    ]

    assert sizes(look(tmp_path, [*calls(200, 1, system=prompt.format("topic")), *other])) == [100, 200]


def test_instructions_with_a_document_in_them_are_one_task(tmp_path: Path) -> None:
    rng = random.Random(5)
    prompt = "Answer the question of the user with what this document says about it and nothing else.\n\nDocument: "
    rows = [row | {"system": prompt + text(rng)} for row in calls(300, 1)]

    (task,) = look(tmp_path, rows).record.tasks

    assert task.versions[0].system == prompt + "{input}"


def test_tools_that_vary_are_one_task_and_apart_from_calls_without(tmp_path: Path) -> None:
    tools = [[{"type": "function", "function": {"name": f"tool{i}"}}] for i in range(200)]
    rows = [row | {"parameters": {"tools": tools[i]}} for i, row in enumerate(calls(200, 1))]

    found = look(tmp_path, [*rows, *calls(100, 2)])

    assert sizes(found) == [100, 200]
    assert {task.versions[0].tools_vary for task in found.record.tasks} == {True, False}


def test_prompts_seen_too_rarely_are_counted_apart(tmp_path: Path) -> None:
    rare = [row | {"system": f"Prompt {text(random.Random(i))}"} for i, row in enumerate(calls(15, 2))]

    record = look(tmp_path, [*calls(100, 1), *rare]).record

    assert (record.rest, [task.calls for task in record.tasks]) == (15, [100])


def test_metadata_that_is_one_tasks_own_is_proposed_and_quoted(tmp_path: Path) -> None:
    one = calls(100, 1, system="Say what this is about, in one of the words that we agreed on.", app="o'hara")
    other = calls(80, 2, system="Tell how the person who wrote this feels about it, in a word.", app="mood")

    tasks = look(tmp_path, [*one, *other]).record.tasks

    assert [task.where for task in tasks] == ["app = 'o''hara'", "app = 'mood'"]
    assert [task.name for task in tasks] == ["o'hara", "mood"]


def test_repeats_consistency_and_faults_are_counted(tmp_path: Path) -> None:
    rows = calls(100, 1)
    again = [row | {"id": f"again-{i}"} for i, row in enumerate(rows[:40])]
    other = [row | {"output": "other" if row["output"] != "other" else "billing"} for row in again[:10]]
    refused = [row | {"output": "I'm sorry, I can't help with that."} for row in calls(5, 2)]
    cut = [row | {"output": "bil", "finish_reason": "length"} for row in calls(3, 3)]
    odd = [row | {"output": "who knows what"} for row in calls(2, 4)]

    (task,) = look(tmp_path, [*rows, *other, *again[10:], *refused, *cut, *odd]).record.tasks

    assert (task.repeats.count, task.repeats.n) == (40, 150)
    assert (task.consistency.count, task.consistency.n) == (30, 40)
    assert task.consistency.lower < 0.75 < task.consistency.upper
    assert (task.faults.refused.count, task.faults.cut.count, task.faults.format.count) == (5, 3, 2)
    assert (task.faults.any.count, task.faults.any.n) == (10, 150)


def test_an_answer_from_a_gateways_cache_is_no_second_opinion(tmp_path: Path) -> None:
    rows = calls(60, 1)
    cached = [row | {"id": f"again-{i}", "metadata": {"cache_hit": "true"}} for i, row in enumerate(rows)]

    (task,) = look(tmp_path, [*rows, *cached]).record.tasks

    assert (task.consistency.n, task.ceiling) == (0, None)


def test_spend_is_what_was_logged_before_what_is_listed(tmp_path: Path) -> None:
    logged_ = calls(50, 1, system="Say what this is about, in one of the words we agreed on.", cost_usd=0.5)
    listed = calls(
        50, 2, system="Tell how this person feels about it, with one word only.", input_tokens=1000, output_tokens=0
    )

    record = look(tmp_path, [*logged_, *listed]).record

    assert record.spend_by == "dollars"
    assert record.tasks[0].usd == pytest.approx(25.0)
    assert record.tasks[1].usd == pytest.approx(50 * 1000 * 2.5 / 1e6)
    assert sum(task.share_of_spend for task in record.tasks) == pytest.approx(1.0)


def test_without_prices_shares_are_of_tokens(tmp_path: Path) -> None:
    failed = [row | {"output": None, "error": "overloaded"} for row in calls(5, 2, model="nobody-knows")]

    (task,) = (record := look(tmp_path, [*calls(50, 1, model="nobody-knows"), *failed]).record).tasks

    assert (record.spend_by, record.usd, task.unpriced, task.share_of_spend) == ("tokens", None, 50, 1.0)
    assert (task.usd, task.faults.failed.count) == (None, 5)


def test_the_probe_serves_what_is_easy_and_says_so_in_money(tmp_path: Path) -> None:
    (task,) = look(tmp_path, calls(1500, 1), probe=True).record.tasks

    assert task.probe is not None
    assert task.probe.served is not None
    assert task.probe.agreement.lower > 0.9
    assert task.probe.served.lower > 0.8
    assert "is 100 % of spend; a student could serve about 100 % of it" in task.says


def test_the_probe_serves_nothing_that_cannot_be_learned(tmp_path: Path) -> None:
    rng = random.Random(1)
    rows = [row | {"output": rng.choice(LABELS)} for row in calls(1500, 1)]

    (task,) = look(tmp_path, rows, probe=True).record.tasks

    assert task.probe is not None
    assert task.probe.served is None
    assert "no threshold could be shown safe" in task.says


def test_one_answer_is_a_task_with_nothing_to_tell_apart(tmp_path: Path) -> None:
    (task,) = look(tmp_path, [row | {"output": "yes"} for row in calls(60, 1)], probe=True).record.tasks

    assert (task.kind, task.probe) == ("classify", None)
    assert "nothing to tell apart" in task.notes[0]


def test_the_same_logs_give_the_same_record(tmp_path: Path) -> None:
    rows = [*calls(300, 1, system="Say what this is about, in a word we agreed on before."), *calls(80, 2)]

    assert look(tmp_path, rows, probe=True).record == look(tmp_path, rows, probe=True).record


def test_a_contract_with_a_template_learns_from_the_slot_alone(tmp_path: Path) -> None:
    look(
        tmp_path,
        [*calls(400, 1, ask='Say {{"topic": ...}} for this message: {}\nTopic:'), *calls(100, 2, ask="{} now")],
    )

    init(str(tmp_path / "new"), str(tmp_path / "log.jsonl"), None, None, 1)

    contract = parse((tmp_path / "new" / "overproof.toml").read_bytes())
    assert contract.task.input == 'template: Say {{"topic": ...}} for this message: {input}\nTopic:'
    plan(tmp_path / "new")
    prompts = pl.read_parquet(next((tmp_path / "new" / ".overproof" / "prompts").glob("*/prompts.parquet")))
    assert prompts.height == 400
    assert not prompts["input"].str.contains("Topic:").any()


def test_a_contract_scopes_by_instructions_where_metadata_does_not(tmp_path: Path) -> None:
    system = "Say what this {thing} is about, in one of the words that we agreed on."
    look(
        tmp_path, [*calls(400, 1, system=system), *calls(100, 2, system="Tell me how this person feels, in one word.")]
    )

    started = init(str(tmp_path / "new"), str(tmp_path / "log.jsonl"), None, None, 1)

    contract = parse((tmp_path / "new" / "overproof.toml").read_bytes())
    assert contract.task.system == (system.replace("{", "{{").replace("}", "}}"),)
    assert not [note for note in started.notes if "other tasks" in note]
    plan(tmp_path / "new")


def test_what_a_contract_cannot_tell_apart_is_said(tmp_path: Path) -> None:
    tools = [{"type": "function", "function": {"name": "look"}}]
    found = look(tmp_path, [*calls(200, 1), *calls(100, 2, parameters={"tools": tools})])
    assert sizes(found) == [100, 200]

    started = init(str(tmp_path / "new"), str(tmp_path / "log.jsonl"), None, None, 2)

    assert [note for note in started.notes if "also takes 200 call(s) of other tasks" in note]


def test_a_bar_stays_below_the_ceiling(tmp_path: Path) -> None:
    rows = calls(300, 1)
    again = [row | {"id": f"again-{i}", "output": LABELS[(i + i % 2) % 3]} for i, row in enumerate(rows)]
    look(tmp_path, [*rows, *again])

    init(str(tmp_path / "new"), str(tmp_path / "log.jsonl"), None, None, 1)

    (bar,) = parse((tmp_path / "new" / "overproof.toml").read_bytes()).bars
    assert bar.at_least is not None
    assert bar.at_least < 0.8
    assert "it was asked twice" in (tmp_path / "new" / "overproof.toml").read_text()


def test_extractions_are_written_down_and_not_run(tmp_path: Path) -> None:
    rows = [row | {"output": json.dumps({"a b": i, "c": LABELS[i % 3]})} for i, row in enumerate(calls(100, 1))]
    look(tmp_path, rows)

    started = init(str(tmp_path / "new"), str(tmp_path / "log.jsonl"), None, None, 1)

    written = (tmp_path / "new" / "overproof.toml").read_text()
    schema = parse(written.encode()).task.schema
    assert (started.kind, "this version runs only 'classify'" in started.needs[0]) == ("extract", True)
    assert schema is not None
    assert schema["required"] == ["a b", "c"]
    (tmp_path / "new" / "overproof.toml").write_text(written.replace('terms = ""', 'terms = "acknowledged"'))
    with pytest.raises(UserError, match="'extract' is not here yet; this version runs 'classify'"):
        run(tmp_path / "new")


def test_a_number_no_task_has_is_answered_with_those_there_are(tmp_path: Path) -> None:
    look(tmp_path, calls(100, 1, app="triage"))

    with pytest.raises(UserError, match=r"no task has the number 7; tasks in these logs: 1 \("):
        init(str(tmp_path / "new"), str(tmp_path / "log.jsonl"), None, None, 7)
    with pytest.raises(UserError, match="give one of them"):
        init(str(tmp_path / "new"), str(tmp_path / "log.jsonl"), None, "app = 'triage'", 1)


def test_helpdesk_has_exactly_its_three_prompts(shared_data: Path) -> None:
    record = discover(str(shared_data / "helpdesk" / "history.jsonl.gz"), probe=False)

    assert record.rest == 0
    assert [(task.name, task.kind, task.calls, task.where) for task in record.tasks] == [
        ("triage", "classify", 4720, "app = 'triage'"),
        ("extract", "extract", 1161, "app = 'extract'"),
        ("reply", "generate", 358, "app = 'reply'"),
    ]
    triage, extract, _ = record.tasks
    gold = {row["category"] for row in mixed_logs.read(shared_data / "helpdesk" / "gold.jsonl.gz")}
    assert {each.label for each in triage.labels} == gold
    assert extract.schema is not None
    assert extract.schema["required"] == ["category", "priority", "reference", "amount", "domain", "summary"]
    assert set(extract.schema["properties"]["category"]["enum"]) == gold
    assert triage.ceiling is not None
    assert triage.ceiling > 0.97


@pytest.fixture(scope="module")
def mixed(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("mixed")
    mixed_logs.write(shared_data, folder)
    return str(folder / "*.jsonl*")


def test_five_sources_in_four_formats_are_separated_without_a_mistake(mixed: str) -> None:
    exchanges = logged(mixed).exchanges
    found = look_into(exchanges, probe=False)

    table = pl.DataFrame({"origin": mixed_logs.origin(exchanges), "task": found.task})
    confusion = table.group_by("origin", "task").len().sort("origin")
    kinds = {task.number: task.kind for task in found.record.tasks}
    assert [(name, kinds[task], n) for name, task, n in confusion.iter_rows()] == [
        ("alpaca", "generate", 805),
        ("bfcl", "extract", 873),
        ("extract", "extract", 1161),
        ("gsm8k", "generate", 1319),
        ("reply", "generate", 358),
        ("spider", "generate", 802),
        ("triage", "classify", 4720),
    ]
    assert len(kinds) == 7


def test_tasks_of_the_mixed_logs_make_contracts_and_classify_plans(mixed: str, tmp_path: Path) -> None:
    record: Discovery = discover(mixed, probe=False)

    one_of_each = {task.kind: task for task in record.tasks}
    for task in one_of_each.values():
        init(str(tmp_path / task.name), mixed, None, None, task.number)
        parse((tmp_path / task.name / "overproof.toml").read_bytes())
    foreseen = plan(tmp_path / one_of_each["classify"].name)

    assert foreseen.answers_to_buy == 0
    assert [note for note in foreseen.notes if "costs is not known" in note]


def test_a_file_that_breaks_off_is_said_wherever_it_is_read(tmp_path: Path) -> None:
    rows = calls(3000, 1)
    data = gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode())
    torn = tmp_path / "torn.jsonl.gz"
    torn.write_bytes(data[: len(data) // 2])

    (note,) = discover(str(torn), probe=False).notes
    started = init(str(tmp_path / "new"), str(torn), None, None)

    assert re.fullmatch(r".*torn\.jsonl\.gz breaks off after row [\d,]+: the rest could not be read", note)
    assert note in started.notes
    assert "breaks off after row" in plan(tmp_path / "new").notes[0]
    assert started.warning is None


def test_a_contract_over_several_tasks_warns(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    other = [row | {"output": json.dumps({"say": row["input"]})} for row in calls(100, 2, system="Say it in JSON.")]
    rows = [*calls(400, 1, system="Say which topic."), *other]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    started = init(str(tmp_path / "new"), str(path), None, None)

    assert started.warning is not None
    assert "look like several tasks" in started.warning


def test_tasks_that_cannot_be_distilled_yet_are_one_sentence(tmp_path: Path) -> None:
    prompts = ("Write a long poem.", "Tell me of the sea.")
    rows = [
        row | {"output": f"{row['input']} and so it goes on"}
        for i, system in enumerate(prompts)
        for row in calls(100, i, system=system)
    ]

    (told,) = not_yet(look(tmp_path, rows).record.tasks)

    assert told == "Tasks 1 and 2 are 100 % of spend; distilling generate tasks is not here yet."
