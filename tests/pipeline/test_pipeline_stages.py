"""Which change makes what anew: every option of the contract is accounted for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

import toy_logs
from overproof.contract import Contract, parse
from overproof.core import plugins
from overproof.core.protocols import OnEncoder
from overproof.core.types import Record
from overproof.pipeline import encoders
from overproof.pipeline.project import Project
from overproof.pipeline.stages import NAMES, OUTSIDE, STAGES, keys
from toy_logs import CONTRACT

FULL = (
    CONTRACT.replace('model = "big"', 'model = "big"\nbase_url = "http://127.0.0.1:1/v1"\napi_key_env = "KEY"')
    + """
[gold]
path = "gold.jsonl"
on = "id"
field = "label"

[targets]
latency_p95_ms = 50.0
cost_per_1k = 1.0

[verifier]
model = "second"
base_url = "http://127.0.0.1:1/v1"
"""
)
CHANGES_NO_RESULT = {
    "teacher.api_key_env",  # whose money it is
    "teacher.at_once",  # how fast it is asked
    "teacher.attempts",
    "teacher.timeout_s",
    "teacher.terms",  # checked at every run
    "verifier.api_key_env",
    "verifier.at_once",
    "verifier.attempts",
    "verifier.timeout_s",
    "budget.usd",
}


def other(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return f"{value}x"
    if isinstance(value, int | float):
        return value / 2 if isinstance(value, float) else value + 1
    if isinstance(value, list):
        return [*value, value[-1]] if value else ["x"]
    return "x"


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - any JSON value
    """Yield every place in a contract, with the contract's value there."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        yield from leaves(value[0], f"{path}[0]")
    else:
        yield path, value


def changed(tree: Any, path: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return a copy of `tree` with another value at `path`."""
    name, _, rest = path.partition(".")
    key: Any = name.removesuffix("[0]")
    if name.endswith("[0]"):
        return tree | {key: [changed(tree[key][0], rest), *tree[key][1:]]}
    return tree | {key: changed(tree[key], rest) if rest else other(tree[key])}


TREE = msgspec.json.decode(msgspec.json.encode(parse(FULL.encode())))
ONE_VALUE_ONLY = {"bars[0].metric"}
PLACES = sorted(path for path, _ in leaves(TREE) if path not in ONE_VALUE_ONLY)
BASE = keys(msgspec.convert(TREE, Contract), "files")


@pytest.mark.parametrize("path", PLACES)
def test_every_option_is_part_of_some_key_or_changes_no_result(path: str) -> None:
    tree = changed(TREE, path)
    try:
        contract = msgspec.convert(tree, Contract)
    except msgspec.ValidationError:
        tree = changed_within(path)
        contract = msgspec.convert(tree, Contract)

    stale = [name for name in NAMES if keys(contract, "files")[name] != BASE[name]]

    assert (stale == []) == (path in CHANGES_NO_RESULT)


def changed_within(path: str) -> Any:  # noqa: ANN401 - any JSON value
    """Options that take one of a few words, or nothing, get another one of those."""
    words: dict[str, Any] = {
        "bars[0].of": "teacher",
        "bars[0].within": 0.1,
        "calibrate.confidence": "top",
        "gold.missing": "random_sample",
        "proof.n_max": 3,
        "proof.reference": "gold",
        "prompts.semantic": 0.9,
        "prompts.unit": ["user"],
        "sampling.temperature": 0.7,
        "verifier.price": {"input": 1.0, "output": 2.0},
        "task.schema": {"type": "object"},
        "task.where": "x = 1",
    }
    return with_value(TREE, path, words[path])


def with_value(tree: Any, path: str, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    name, _, rest = path.partition(".")
    key: Any = name.removesuffix("[0]")
    if name.endswith("[0]"):
        return tree | {key: [with_value(tree[key][0], rest, value), *tree[key][1:]]}
    return tree | {key: with_value(tree[key], rest, value) if rest else value}


def test_new_files_make_everything_anew() -> None:
    found = keys(msgspec.convert(TREE, Contract), "other files")

    assert all(found[name] != BASE[name] for name in NAMES)


AFTER_STUDENTS = ["students", "calibrate", "evaluate", "release", "report"]
AFTER_BASELINES = ["baselines", "evaluate", "release", "report"]
WITH_ENCODER: dict[str, tuple[str, list[str]]] = {
    "a student that names it": ('[[students]]\nkind = "static"\nmodel = "mine"\n', AFTER_STUDENTS),
    "a student of its own kind that names it": (
        f'[[students]]\nkind = "{__name__}:Own"\nwhich = "mine"\n',
        AFTER_STUDENTS,
    ),
    "a kind whose default it is": (f'[[students]]\nkind = "{__name__}:Own"\n', AFTER_STUDENTS),
    "a baseline": ('[[baselines]]\nkind = "near_answer_cache"\nembedder = "mine"\n', AFTER_BASELINES),
    "nobody": ('[[students]]\nkind = "static"\nmodel = "another"\n', []),
    "nobody at all": ("", []),
}


class Own(Record):
    """A stranger's student that stands on an encoder."""

    which: str = "mine"

    @property
    def model(self) -> str:
        return self.which


def installed(home: Path, name: str, record: str) -> None:
    (home / name).mkdir(parents=True, exist_ok=True)
    (home / name / "encoder.json").write_text(record)


@pytest.mark.parametrize("used_by", WITH_ENCODER)
def test_another_encoder_under_the_same_name_makes_anew_what_uses_it_and_nothing_else(
    used_by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables, expected = WITH_ENCODER[used_by]
    project = Project(toy_logs.project(tmp_path / "toy", toy_logs.rows(20), CONTRACT + tables))
    monkeypatch.setenv("OVERPROOF_MODELS", str(tmp_path / "models"))
    keys_with = {}
    for record in ("none", "one", "another"):
        if record != "none":
            installed(tmp_path / "models", "mine", record)
        keys_with[record] = Project(project.root).keys

    for before, after in pairwise(keys_with.values()):
        assert [name for name in NAMES if before[name] != after[name]] == expected


@pytest.mark.parametrize("kind", ["encoder", "static"])
def test_the_default_encoder_counts_although_nobody_names_it(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = parse(f'{CONTRACT}[[students]]\nkind = "{kind}"\n'.encode())
    monkeypatch.setattr(encoders, "digest_of", lambda name: "one" if name == "minilm" else "")
    before = encoders.of_students(contract)
    monkeypatch.setattr(encoders, "digest_of", lambda name: "another" if name == "minilm" else "")

    assert encoders.of_students(contract) != before


def test_a_student_that_cannot_be_built_stands_on_nothing() -> None:
    contract = parse(f'{CONTRACT}[[students]]\nkind = "nobody\'s"\n'.encode())

    assert encoders.of_students(contract) == encoders.of_students(parse(CONTRACT.encode()))


def test_our_own_kinds_stand_on_what_is_said_of_them() -> None:
    """They are not loaded to be asked."""
    kinds = {name: plugins.find("students", name)() for name in plugins.names("students")}

    assert {
        name: kind.model if isinstance(kind, OnEncoder) else None for name, kind in kinds.items()
    } == encoders.STANDS_ON


def test_another_encoder_that_inputs_are_compared_by_makes_all_but_the_logs_anew() -> None:
    found = keys(msgspec.convert(TREE, Contract), "files", "another embedder")

    assert [name for name in NAMES if found[name] == BASE[name]] == ["logs"]


def test_a_stage_is_made_from_earlier_ones_only() -> None:
    for i, stage in enumerate(STAGES):
        assert set(stage.inputs) <= {*OUTSIDE, *NAMES[:i]}


def test_what_only_the_report_reads_changes_only_the_report() -> None:
    contract = msgspec.convert(changed(TREE, "report.title"), Contract)

    assert [name for name in NAMES if keys(contract, "files")[name] != BASE[name]] == ["report"]
