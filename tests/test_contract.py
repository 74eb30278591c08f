"""The contract is strict, and every fault names the place and the fix."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from overproof.contract import json_schema, parse
from overproof.core.errors import ContractError
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
        ("alpha = 0.10", 'alpha = "low"', "risk.alpha: expected `float`, got `str`"),
        ("alpha = 0.10", "alpha = 1.5", "risk.alpha: is 1.5, and must lie between 0 and 1"),
        (
            'labels = ["billing", "shipping", "account", "other"]',
            'labels = ["billing"]',
            "task.labels: needs at least two",
        ),
        ('name = "toy"', 'name = "toy"\nkind = "generate"', "task.kind: 'generate' is not here yet"),
        (
            'slice = "all"',
            'slice = "gold customers"',
            "no slice is called 'gold customers'; there are: all, new, pro, repeat",
        ),
        ("at_least = 0.80", "", "bars[0]: needs `at_least`, or `within`"),
        ("at_least = 0.80", 'within = 0.02\nof = "teacher"', "needs a third opinion: set proof.reference = 'gold'"),
        ('name = "pro"', 'name = "new"', "slices[0].name: 'new' is derived by itself"),
        ('[[students]]\nkind = "linear"\nname = "words"\n', "", "students: needs at least two"),
        ("[proof]", "[proof]\nn_max = 0", "proof.n_max: must be at least 1"),
        ("[proof]", "[prompts]\nevaluation_share = 0.7\n[proof]", "prompts.evaluation_share: is 0.7"),
        ("[risk]", "risk = ", "the file: is not TOML"),
    ],
)
def test_a_fault_names_the_place_and_the_fix(change: str, to: str, says: str) -> None:
    assert change in CONTRACT

    with pytest.raises(ContractError) as told:
        parse(CONTRACT.replace(change, to, 1).encode())

    assert says in str(told.value)
    assert "\n" not in str(told.value)


def test_gold_needs_a_place_to_come_from() -> None:
    openai_only = CONTRACT.replace('path = "logs/*.jsonl"', 'path = "logs/*.jsonl"\nformat = "openai"')

    with pytest.raises(ContractError, match=r"proof.reference: is 'gold', but there is no \[gold\] table"):
        parse(openai_only.replace('reference = "teacher"', 'reference = "gold"').encode())


def test_the_schema_for_editors_knows_every_table() -> None:
    schema = json.loads(json.dumps(json_schema()))

    tables = schema["$defs"]["Contract"]["properties"]
    assert {"task", "teacher", "logs", "slices", "bars", "risk", "proof", "students", "budget"} <= set(tables)


def test_reading_a_contract_loads_nothing_heavy() -> None:
    """A command with nothing to do must not pay for tables and maths."""
    code = (
        "import sys, overproof.contract, overproof.pipeline.run, overproof.pipeline.status, overproof.cli.app, "
        "overproof.cli.show; "
        "print(*sorted({'polars', 'numpy', 'scipy', 'aiohttp', 'jinja2', 'sqlglot', 'rich'} & set(sys.modules)))"
    )

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert loaded == []
