"""The contract is strict, and every fault names the place and the fix."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from overproof.contract import json_schema, parse
from overproof.core.errors import ContractError
from overproof.core.where import UnknownName
from overproof.pipeline.plugged import kinds_of, placed
from toy_logs import CONTRACT


def test_what_is_left_out_has_a_default() -> None:
    contract = parse(CONTRACT.encode())

    assert contract.proof.confidence == 0.95
    assert contract.release.min_saving == 0.10
    assert [rule["rule"] for rule in contract.filters] == ["finish_reason", "refusal", "label_set"]


@pytest.mark.parametrize(
    ("change", "to", "says"),
    [
        ('model = "big"', 'modle = "big"', "teacher: does not know 'modle'; did you mean 'model'?"),
        ("[risk]", "[rsik]", "top level: does not know 'rsik'; did you mean 'risk'?"),
        ("alpha = 0.10", 'alpha = "low"', "risk.alpha: expected a number, not text"),
        ("at_least = 0.80", 'at_least = "90%"', "at_least: expected a number, not text: write 0.9"),
        ("[risk]", "[sampling]\ncritical = 1.5\n[risk]", "sampling.critical: expected a whole number, not a number"),
        ("critical = true", 'critical = "no"', "expected true or false, without quotes, not text: write false"),
        ('name = "toy"', "name = 3", "task.name: expected text in quotes, not a whole number"),
        ("alpha = 0.10", "alpha = 1.5", "risk.alpha: is 1.5, and must lie between 0 and 1"),
        (
            'labels = ["billing", "shipping", "account", "other"]',
            'labels = ["billing"]',
            "task.labels: needs at least two",
        ),
        ('name = "toy"', 'name = "toy"\nkind = "extract"', "task.schema: is missing: an extraction needs"),
        (
            'slice = "all"',
            'slice = "gold customers"',
            "no slice is called 'gold customers'; there are: all, new, pro, repeat",
        ),
        ("at_least = 0.80", "", 'the 1st [[bars]] ("all"): needs `at_least`, or `within`'),
        ("at_least = 0.80", 'within = 0.02\nof = "teacher"', "needs a third opinion: set proof.reference = 'gold'"),
        ('name = "pro"', 'name = "new"', "the 1st [[slices]] (\"new\"), name: 'new' is derived by itself"),
        ('[[students]]\nkind = "linear"\nname = "words"\n', "", "students: needs at least two"),
        ("[proof]", "[proof]\nn_max = 0", "proof.n_max: must be at least 1"),
        ("[proof]", "[prompts]\nevaluation_share = 0.7\n[proof]", "prompts.evaluation_share: is 0.7"),
        ("[risk]", "risk = ", "the file: is not TOML"),
        ("alpha = 0.10", "alpha = nan", "risk.alpha: must be a finite number"),
        ("[risk]", "[budget]\nusd = inf\n[risk]", "budget.usd: must be a finite number"),
        ("[risk]", "[budget]\nusd = -0.5\n[risk]", "budget.usd: must be at least 0"),
        (
            "characters = [2, 4]",
            "c = [1.0, nan]",
            'the 2nd [[students]] ("words+characters"), c (value 2): must be a finite number',
        ),
        ("input = 3.0", "input = inf", "teacher.price.input: must be a finite number"),
        ("output = 15.0", "output = -15.0", "teacher.price.output: must be at least 0"),
        ("[risk]", "[targets]\nlatency_p95_ms = 0\n[risk]", "targets.latency_p95_ms: must be more than 0"),
        ("[risk]", "[targets]\ncost_per_1k = -1.0\n[risk]", "targets.cost_per_1k: must be more than 0"),
        ("[risk]", "[release]\ncore_hour_usd = -1.0\n[risk]", "release.core_hour_usd: must be at least 0"),
        ("[risk]", "[calibrate]\npoints = 0\n[risk]", "calibrate.points: must be at least 1"),
        ("[risk]", "[calibrate]\nstart_units = 0\n[risk]", "calibrate.start_units: must be at least 1"),
        ("[risk]", "[sampling]\ncritical = 0\n[risk]", "sampling.critical: must be at least 1"),
        ("[risk]", "[report]\nexamples = -1\n[risk]", "report.examples: must be at least 0"),
        ('model = "big"', 'model = "big"\nceiling = -1', "teacher.ceiling: must be at least 0"),
        ('model = "big"', 'model = "big"\nat_once = 0', "teacher.at_once: must be at least 1"),
        ('model = "big"', 'model = "big"\nattempts = 0', "teacher.attempts: must be at least 1"),
        ('model = "big"', 'model = "big"\ntimeout_s = 0.0', "teacher.timeout_s: must be more than 0"),
        ("at_least = 0.80", 'within = 1.0\nof = "teacher"', 'the 1st [[bars]] ("all"), within: must be less than 1'),
        ("at_least = 0.80", 'within = -0.1\nof = "teacher"', 'the 1st [[bars]] ("all"), within: must be at least 0'),
        ('name = "toy"', 'name = "../toy"', "task.name: is '../toy'; it names folders"),
        ('name = "toy"', 'name = ".toy"', "task.name: is '.toy'; it names folders"),
        ('name = "toy"', 'name = ""', "task.name: is ''; it names folders"),
        ('name = "toy"', 'name = "a/b"', "task.name: is 'a/b'; it names folders"),
        (
            'name = "words+characters"',
            'name = "words"',
            "the 2nd [[students]] (\"words\"), name: two students are called 'words'",
        ),
        (
            'slice = "all"',
            'metric = "acuracy"',
            "the 1st [[bars]], metric: cannot be 'acuracy'; choose from 'accuracy'",
        ),
        (
            "[risk]",
            '[prompts]\nunit = "user"\n[risk]',
            "prompts.unit: cannot be 'user'; choose from a list of 'near_duplicate', 'conversation', 'user' or 'auto'",
        ),
        ('name = "toy"\n', "", 'task: needs `name`: write `name = "..."` there'),
        ('path = "logs/*.jsonl"', "", 'the 1st [[logs]]: needs `path`: write `path = "..."` there'),
        ("input = 3.0, ", "", "teacher.price: needs `input`: write `input = ...` there"),
    ],
)
def test_a_fault_names_the_place_and_the_fix(change: str, to: str, says: str) -> None:
    assert change in CONTRACT

    with pytest.raises(ContractError) as told:
        parse(CONTRACT.replace(change, to, 1).encode())

    assert says in str(told.value)
    assert "\n" not in str(told.value)


def test_a_plug_in_that_is_not_there_is_placed_and_the_likeliest_one_named() -> None:
    contract = parse(CONTRACT.replace('kind = "linear"', 'kind = "lineal"', 1).encode())

    with pytest.raises(ContractError, match=r"the 1st \[\[students\]\] .*, kind: .*'lineal'; did you mean 'linear'\?"):
        kinds_of(contract)


def test_a_condition_that_speaks_of_nothing_known_is_placed_and_the_likeliest_name_told() -> None:
    contract = parse(CONTRACT.encode())
    fault = placed(contract, UnknownName(contract.slices[0].where, ["langage"], ["language", "tier"]))

    assert str(fault).startswith('overproof.toml, the 1st [[slices]] ("pro"), where: the condition ')
    assert "'langage', which is not there; did you mean 'language'?" in str(fault)


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("slices[0].where", 'the 1st [[slices]] ("pro"), where'),
        ("students[1]", 'the 2nd [[students]] ("words+characters")'),
        ("filters[2]", 'the 3rd [[filters]] ("label_set")'),
        ("baselines[0].k[1].j[0]", 'the 1st [[baselines]] ("majority"), k (value 2).j (value 1)'),
        ("task.labels[3]", "task.labels (value 4)"),
        ("risk.alpha", "risk.alpha"),
        ("", ""),
    ],
)
def test_places_are_counted_as_people_count(where: str, says: str) -> None:
    assert parse(CONTRACT.encode()).place(where) == says


@pytest.mark.parametrize(("n", "says"), [(2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (13, "13th"), (22, "22nd")])
def test_a_table_far_down_is_named_by_its_number(n: int, says: str) -> None:
    bars = "\n".join(['[[bars]]\nslice = "all"\nat_least = 0.8'] * (n - 2) + ['[[bars]]\nslice = "pro"\nat_last = 0.8'])

    with pytest.raises(ContractError, match=re.escape(f'the {says} [[bars]] ("pro"): does not know')):
        parse(f"{CONTRACT}\n{bars}\n".encode())


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("[task]", 'task: needs a [task] table with `name = "..."`'),
        ("[teacher]", 'teacher: needs a [teacher] table with `model = "..."`'),
        ("[[logs]]", 'logs: needs at least one [[logs]] table with `path = "..."`'),
        ("[[students]]", "students: needs at least two [[students]] tables"),
    ],
)
def test_a_table_that_is_missing_is_named_with_what_to_write(table: str, says: str) -> None:
    without = "\n\n".join(part for part in CONTRACT.split("\n\n") if not part.startswith(table))

    with pytest.raises(ContractError) as told:
        parse(without.encode())

    assert says in str(told.value)


@pytest.mark.parametrize("name", ["toy", "Ticket triage 2", "tri-age_v1.2", "Étiquettes"])
def test_a_task_may_be_called_what_a_folder_may(name: str) -> None:
    contract = parse(CONTRACT.replace('name = "toy"', f'name = "{name}"').encode())

    assert contract.task.name == name


class Mute:
    """A stranger's reader that says nothing of right answers."""


class Knowing:
    """One whose rows may bring them."""

    holds_gold = True


def against_gold(form: str) -> bytes:
    logs = CONTRACT.replace('path = "logs/*.jsonl"', f'path = "logs/*.jsonl"\nformat = "{form}"')
    return logs.replace('reference = "teacher"', 'reference = "gold"').encode()


@pytest.mark.parametrize("form", ["litellm", "langfuse", f"{__name__}:Mute"])
def test_gold_needs_a_place_to_come_from(form: str) -> None:
    with pytest.raises(ContractError, match=r"proof.reference: is 'gold', but there is no \[gold\] table"):
        parse(against_gold(form))


@pytest.mark.parametrize(
    "form", ["auto", "jsonl", "csv", "pairs", "chat", "openai", "openai_batch", "tensorzero", f"{__name__}:Knowing"]
)
def test_gold_may_stand_in_the_rows_of_a_format_that_has_room_for_it(form: str) -> None:
    assert parse(against_gold(form)).gold is None


def test_the_schema_for_editors_knows_every_table() -> None:
    schema = json.loads(json.dumps(json_schema()))

    tables = schema["$defs"]["Contract"]["properties"]
    assert {"task", "teacher", "logs", "slices", "bars", "risk", "proof", "students", "budget"} <= set(tables)


def test_the_schema_knows_the_ranges() -> None:
    defined = json_schema()["$defs"]

    assert defined["BudgetOptions"]["properties"]["usd"]["minimum"] == 0
    assert defined["CalibrateOptions"]["properties"]["points"]["minimum"] == 1


def test_reading_a_contract_loads_nothing_heavy() -> None:
    """A command with nothing to do must not pay for tables and maths."""
    code = (
        "import sys, overproof.contract, overproof.pipeline.run, overproof.pipeline.status, overproof.cli.app, "
        "overproof.cli.show; "
        "print(*sorted({'polars', 'numpy', 'scipy', 'aiohttp', 'jinja2', 'sqlglot', 'rich'} & set(sys.modules)))"
    )

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert loaded == []
