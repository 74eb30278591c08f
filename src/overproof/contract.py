"""The contract, `overproof.toml`: the sum of every stage's options, strict; all the rest derives from it."""

from __future__ import annotations

import math
import re
import types
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from overproof.calibrate.options import CalibrateOptions
from overproof.core.errors import ContractError, meant
from overproof.core.types import Record
from overproof.evaluate.options import Bar, ProofOptions, RiskOptions, TargetOptions
from overproof.logs.options import UNNAMED, GoldOptions, LogSource, PrivacyOptions
from overproof.prompts.options import PromptsOptions, SliceOptions
from overproof.release.options import ReleaseOptions
from overproof.report.options import ReportOptions
from overproof.students.options import TrainingOptions
from overproof.tasks.options import TaskOptions
from overproof.teacher.options import BudgetOptions, SamplingOptions, TeacherOptions, VerifierOptions

FILE = "overproof.toml"
FOLDER_NAME = re.compile(r"[\w-][\w .-]*")
"""A task's name."""
FOLDER_NAME_RULE = "it names folders: write letters, digits, spaces, `_`, `-` and `.`, but no space or dot first"
TABLES = {
    "task": 'needs a [task] table with `name = "..."` and `labels = ["...", "..."]`',
    "teacher": 'needs a [teacher] table with `model = "..."`',
    "logs": 'needs at least one [[logs]] table with `path = "..."`',
    "students": "needs at least two [[students]] tables: size is measured, not guessed",
}
"""What cannot be left out, and what to write."""
NAMING = ("name", "kind", "rule", "slice", "path")
"""What tells one of several tables from the others; the first it has."""
_STEPS = re.compile(r"(?s)([^.\[]*)(?:\[(\d+)\]\.?)?(.*)")
PLAIN = {
    "int": "a whole number",
    "float": "a number",
    "str": "text in quotes",
    "bool": "true or false, without quotes",
    "array": "a list in [ ]",
    "object": "a table",
    "datetime": "a date",
}
"""What the decoder calls types, in the words of people who write TOML."""
LIMITS = {">=": "at least", ">": "more than", "<=": "at most", "<": "less than"}


class Contract(Record):
    """Everything promised, and everything that was left at its default."""

    task: TaskOptions
    teacher: TeacherOptions
    logs: tuple[LogSource, ...]
    gold: GoldOptions | None = None
    slices: tuple[SliceOptions, ...] = ()
    bars: tuple[Bar, ...] = ()
    targets: TargetOptions = TargetOptions()
    risk: RiskOptions = RiskOptions()
    proof: ProofOptions = ProofOptions()
    prompts: PromptsOptions = PromptsOptions()
    privacy: PrivacyOptions = PrivacyOptions()
    sampling: SamplingOptions = SamplingOptions()
    verifier: VerifierOptions | None = None
    filters: tuple[dict[str, Any], ...] = ({"rule": "finish_reason"}, {"rule": "refusal"}, {"rule": "label_set"})
    """`[[filters]]`: rules in order; each names its `rule`, the rest are the rule's own options."""
    baselines: tuple[dict[str, Any], ...] = ({"kind": "majority"}, {"kind": "answer_cache"})
    """`[[baselines]]`: each names its `kind`."""
    students: tuple[dict[str, Any], ...]
    """`[[students]]`: the ladder, smallest to largest, at least two; each names its `kind`."""
    training: TrainingOptions = TrainingOptions()
    calibrate: CalibrateOptions = CalibrateOptions()
    release: ReleaseOptions = ReleaseOptions()
    budget: BudgetOptions = BudgetOptions()
    report: ReportOptions = ReportOptions()

    @property
    def critical(self) -> tuple[str, ...]:
        """Names of the critical slices."""
        return tuple(each.name for each in self.slices if each.critical)

    def place(self, where: str) -> str:
        """Say where `where` (`slices[1].name`) is as people count: `the 2nd [[slices]] ("enterprise"), name`."""
        return _place(where, msgspec.to_builtins(self))


def parse(data: bytes) -> Contract:
    """Return the contract that `data` (TOML) holds."""
    try:
        contract = msgspec.toml.decode(data, type=Contract)
    except msgspec.ValidationError as wrong:
        raise _explained(str(wrong), msgspec.toml.decode(data)) from wrong
    except ValueError as wrong:  # not TOML at all; msgspec hands on the parser's own message
        raise ContractError("the file", f"is not TOML: {wrong}") from wrong
    for where, fault in _faults(contract):
        raise ContractError(contract.place(where), fault)
    return contract


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a contract, for editors."""
    return msgspec.json.schema(Contract)


def _faults(contract: Contract) -> Iterator[tuple[str, str]]:
    """Yield what types alone cannot say."""
    for where in _not_finite(msgspec.to_builtins(contract), ""):
        yield where, "must be a finite number"
    if FOLDER_NAME.fullmatch(contract.task.name) is None:
        yield "task.name", f"is {contract.task.name!r}; {FOLDER_NAME_RULE}"
    if contract.task.kind == "extract" and contract.task.schema is None:
        yield "task.schema", "is missing: an extraction needs the JSON Schema of its answers, as a table [task.schema]"
    if contract.task.kind == "classify" and len(set(contract.task.labels)) < 2:
        yield "task.labels", "needs at least two different labels; a task with one answer needs no model"
    if not contract.logs:
        yield "logs", TABLES["logs"]
    if len(contract.students) < 2:
        yield "students", TABLES["students"]
    yield from _name_faults(contract)
    yield from _number_faults(contract)
    yield from _sampling_faults(contract)
    for i, bar in enumerate(contract.bars):
        yield from _bar_faults(contract, bar, f"bars[{i}]")
    if contract.proof.reference == "gold" and contract.gold is None and not _inline_gold(contract):
        yield "proof.reference", "is 'gold', but there is no [gold] table that says where the right answers are"


def _inline_gold(contract: Contract) -> bool:
    """Say whether rows of the logs may hold right answers: their readers know, and `auto` may find any of them."""
    from overproof.core import plugins  # few contracts ask, and it takes milliseconds

    formats = {source.format for source in contract.logs}
    return not formats.isdisjoint(UNNAMED) or any(
        getattr(plugins.find("readers", name), "holds_gold", False) for name in formats
    )


def _not_finite(value: object, where: str) -> Iterator[str]:
    """Yield the place of every float that is no number or without end, in the plug-ins' own tables too."""
    if isinstance(value, float) and not math.isfinite(value):
        yield where
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _not_finite(each, f"{where}.{name}" if where else name)
    elif isinstance(value, list | tuple):
        for i, each in enumerate(value):
            yield from _not_finite(each, f"{where}[{i}]")


def _name_faults(contract: Contract) -> Iterator[tuple[str, str]]:
    derived = ("all", "new", "repeat")
    names = [each.name for each in contract.slices]
    for i, name in enumerate(names):
        if name in derived:
            yield f"slices[{i}].name", f"{name!r} is derived by itself; choose another name"
        if name in names[:i]:
            yield f"slices[{i}].name", f"{name!r} is there twice"
    students = [each.get("name") for each in contract.students]
    for i, called in enumerate(students):
        if called is not None and called in students[:i]:
            yield f"students[{i}].name", f"two students are called {called!r}; choose another name"


def _number_faults(contract: Contract) -> Iterator[tuple[str, str]]:
    shares = {
        "risk.alpha": contract.risk.alpha,
        "proof.confidence": contract.proof.confidence,
        "prompts.tune_share": contract.prompts.tune_share,
        "prompts.test_share": contract.prompts.test_share,
        "prompts.similarity": contract.prompts.similarity,
    }
    if not 0 <= contract.calibrate.again < 1:
        yield "calibrate.again", f"is {contract.calibrate.again}, and must lie between 0 and 1"
    for where, value in shares.items():
        if not 0 < value < 1:
            yield where, f"is {value}, and must lie between 0 and 1"
    if not 0 < contract.prompts.evaluation_share <= 0.5:
        yield "prompts.evaluation_share", f"is {contract.prompts.evaluation_share}, and must lie between 0 and 0.5"
    if not 0 <= contract.release.min_saving < 1:
        yield "release.min_saving", f"is {contract.release.min_saving}, and must lie between 0 and 1"


def _sampling_faults(contract: Contract) -> Iterator[tuple[str, str]]:
    """Whoever is to be asked must have an address."""
    if contract.teacher.base_url is None:
        for name in ("critical", "hard"):
            if (answers := getattr(contract.sampling, name)) > 1:
                yield f"sampling.{name}", f"is {answers}, but the teacher cannot be asked: write teacher.base_url"
    if contract.verifier is not None and contract.verifier.base_url is None:
        yield "verifier.base_url", "is missing: write where it can be asked"


def _bar_faults(contract: Contract, bar: Bar, where: str) -> Iterator[tuple[str, str]]:
    known = {"all", "new", "repeat", *(each.name for each in contract.slices)}
    if bar.slice not in known:
        yield f"{where}.slice", f"no slice is called {bar.slice!r}; there are: {', '.join(sorted(known))}"
    if (bar.at_least is None) == (bar.within is None):
        yield where, 'needs `at_least`, or `within` with `of = "teacher"`: one of the two'
    if bar.within is not None and bar.of is None:
        yield where, '`within` needs `of = "teacher"`'
    if bar.within is not None and contract.proof.reference == "teacher":
        yield (
            where,
            "`within ... of teacher` compares two models and so needs a third opinion: set proof.reference = 'gold'",
        )
    if bar.at_least is not None and not 0 < bar.at_least < 1:
        yield f"{where}.at_least", f"is {bar.at_least}, and must lie between 0 and 1"


def _place(where: str, tables: dict[str, Any]) -> str:
    table, number, rest = _STEPS.fullmatch(where).groups()  # type: ignore[union-attr]  # it takes any text
    rest = re.sub(r"\[(\d+)\]", lambda found: f" (value {int(found[1]) + 1})", rest)
    if number is None:
        return f"{table}{rest}"
    at, found = int(number), tables.get(table)
    known = found[at] if isinstance(found, list | tuple) and isinstance(found[at], dict) else {}
    called = next((f' ("{known[name]}")' for name in NAMING if isinstance(known.get(name), str)), "")
    ending = "th" if 10 <= (at + 1) % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get((at + 1) % 10, "th")
    return f"the {at + 1}{ending} [[{table}]]{called}{', ' if rest else ''}{rest}"


def _explained(message: str, tables: dict[str, Any]) -> ContractError:
    """Turn msgspec's message into one that says what may or must stand at that place."""
    text, _, path = message.partition(" - at `")
    path = path.rstrip("`")
    where = _place(path.removeprefix("$").removeprefix("."), tables) or "top level"
    if unknown := re.fullmatch(r"Object contains unknown field `(.+)`", text):
        return ContractError(where, _unknown(unknown[1], _fields_at(path)))
    if missing := re.fullmatch(r"Object missing required field `(.+)`", text):
        return _missing(missing[1], path, where)
    if wrong := re.fullmatch(r"Invalid enum value (.+)", text):
        return ContractError(where, f"cannot be {wrong[1]}; choose from {_choices(_hint_at(path))}")
    if outside := re.fullmatch(r"Expected `(?:int|float)` ([<>]=?) (.+)", text):
        return ContractError(where, f"must be {LIMITS[outside[1]]} {float(outside[2]):g}")
    if other := re.fullmatch(r"Expected `(.+)`, got `(.+)`", text):
        return ContractError(where, _mistyped(other[1], other[2], _value_at(path, tables)))
    return ContractError(where, text[:1].lower() + text[1:])


def _mistyped(expected: str, got: str, value: object) -> str:
    """Say what should stand there, what does, and where the text shows it, what to write."""
    kinds = [kind for kind in expected.split(" | ") if kind != "null"]
    wanted = " or ".join(PLAIN.get(kind, kind) for kind in kinds)
    found = "text" if got == "str" else PLAIN.get(got, got).removesuffix(", without quotes")
    return f"expected {wanted}, not {found}{_instead(kinds, value)}"


def _instead(kinds: list[str], value: object) -> str:
    """Return `: write 0.9` for "90%" where a number is wanted; empty where nothing is plainly meant."""
    number = re.fullmatch(r"\s*([+-]?\d+(?:\.\d+)?)\s*(%?)\s*", value) if isinstance(value, str) else None
    if number and {"int", "float"} & set(kinds):
        meant_number = float(number[1]) / (100 if number[2] else 1)
        if "float" in kinds or meant_number.is_integer():
            return f": write {meant_number:.12g}"
    if isinstance(value, str) and kinds == ["bool"]:
        said = {"true": "true", "yes": "true", "false": "false", "no": "false"}.get(value.strip().lower())
        return f": write {said}" if said else ""
    return ""


def _value_at(path: str, tables: dict[str, Any]) -> object:
    """Return what the file holds at `path` ($.a.b[0]); None where the path leads elsewhere."""
    found: Any = tables
    for name, number in re.findall(r"\.([A-Za-z_0-9]+)|\[(\d+)\]", path):
        try:
            found = found[name] if name else found[int(number)]
        except (KeyError, IndexError, TypeError):  # `[...]`, a key of a free table
            return None
    return found


def _unknown(name: str, known: list[str]) -> str:
    return f"does not know {name!r}{meant(name, known) or '.'} Known here: {', '.join(known)}"


def _missing(name: str, path: str, where: str) -> ContractError:
    if path in ("", "$"):
        return ContractError(name, TABLES[name])
    value = '"..."' if _hint_at(f"{path}.{name}") is str else "..."
    return ContractError(where, f"needs `{name}`: write `{name} = {value}` there")


def _fields_at(path: str) -> list[str]:
    """Return the fields of the record that `path` ($.a.b[0]) leads to."""
    return sorted(_record_in(_hint_at(path)).__struct_fields__)


def _hint_at(path: str) -> Any:  # noqa: ANN401 - a type expression is anything
    """Return the type of what stands at `path`."""
    hint: Any = Contract
    for name in re.findall(r"\.([A-Za-z_0-9]+)|\[\d+\]", path):
        hint = get_type_hints(_record_in(hint))[name] if name else _item_of(hint)
    return hint


def _record_in(hint: Any) -> Any:  # noqa: ANN401 - a type expression is anything
    """Return the record class inside `X | None` or `tuple[X, ...]`."""
    if get_origin(hint) in (Union, types.UnionType, tuple):
        return next(found for found in map(_record_in, get_args(hint)) if hasattr(found, "__struct_fields__"))
    return hint


def _item_of(hint: Any) -> Any:  # noqa: ANN401 - a type expression is anything
    """Return X of `tuple[X, ...]`, alone or in a union."""
    if get_origin(hint) is tuple:
        return get_args(hint)[0]
    return next(_item_of(each) for each in get_args(hint) if get_origin(each) is tuple)


def _choices(hint: Any) -> str:  # noqa: ANN401 - a type expression is anything
    """Say which values a type of literals, lists of them, or either takes."""
    if get_origin(hint) is tuple:
        return f"a list of {_choices(get_args(hint)[0])}"
    if get_origin(hint) is Literal:
        return ", ".join(map(repr, get_args(hint)))
    return " or ".join(_choices(each) for each in get_args(hint) if each is not types.NoneType)
