"""Write a first contract: what the logs say filled in, what a person must decide marked as such."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import polars as pl

from overproof.core.quoting import equals, toml_text
from overproof.pipeline.scope import Scope
from overproof.prompts.language import languages
from overproof.prompts.slices import HIDDEN, Metadata
from overproof.tasks.inputs import extract_column

SLICE_VALUES = 8
"""Metadata with more different values than this suggests no slices."""
SLICE_SHARE = 0.05
"""Of the traffic a suggested slice has, at least."""
LISTENED = 20_000
"""Calls whose language is told, at most."""
BAR = 0.90
BELOW_CEILING = 0.03
"""How far below the ceiling on agreement a suggested bar stays."""
_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Slice:
    """A part of the traffic that may matter by itself."""

    name: str
    where: str
    calls: int


def suggested_slices(exchanges: pl.DataFrame, how: str) -> list[Slice]:
    """Return the values of metadata, and the languages, that split the traffic into a few large parts.

    `how` says what of a request is its input.
    """
    metadata = Metadata(exchanges["metadata"])
    found: list[Slice] = []
    for key in metadata.keys:
        values = metadata.values(key).alias(key).drop_nulls()
        if key not in HIDDEN and 2 <= values.n_unique() <= SLICE_VALUES:
            found += _large(values, exchanges.height)
    every = math.ceil(exchanges.height / LISTENED)
    heard = exchanges.gather_every(every)
    spoken = _large(_spoken(heard, how), heard.height)
    if len(spoken) >= 2:
        found += [Slice(f"language {each.name}", each.where, each.calls * every) for each in spoken]
    return found


def _large(values: pl.Series, of: int) -> list[Slice]:
    """Return the values that are a large part of `of` calls, the largest first."""
    counts = values.alias("value").value_counts(name="n").filter(pl.col("n") >= SLICE_SHARE * of)
    counts = counts.sort("n", "value", descending=[True, False])
    conditions = [(value, equals(values.name, value), n) for value, n in counts.iter_rows()]
    return [Slice(value, where, n) for value, where, n in conditions if where is not None]


def _spoken(exchanges: pl.DataFrame, how: str) -> pl.Series:
    """Return the language of each input, of those where it can be told."""
    told = languages(extract_column(exchanges, how).drop_nulls())
    return told.filter(told != "")


def toml(value: object) -> str:
    """Write a value of JSON (no null in it) as TOML, on one line."""
    if isinstance(value, str):
        return toml_text(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(toml, value)) + "]"
    return msgspec.json.encode(value).decode()


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else toml_text(name)


@dataclass(frozen=True)
class Draft:
    """All that a first contract is written from."""

    name: str
    logs: str
    teacher: str
    scope: Scope
    labels: Sequence[str]
    slices: Sequence[Slice]
    gold: bool

    def text(self) -> str:
        """Return the contract with everything a person must decide marked as such."""
        return f"""\
# What is promised about {toml_text(self.name)}; all else is derived. `overproof schema` prints what may stand here.

[task]
name = {toml_text(self.name)}
kind = {toml_text(self.scope.kind)}
input = {toml_text(self.scope.input)} # what varies from call to call, and what the student sees
{self._scope()}{self._answers()}
[teacher]
model = {toml_text(self.teacher)}
# Where to ask for answers the logs do not hold. Left out, only logged answers are used and nothing is bought.
# base_url = "https://api.example.com/v1"
# api_key_env = "TEACHER_API_KEY"
# price = {{ input = 1.25, output = 10.00 }} # dollars per million tokens; looked up by name when left out
terms = "" # write "acknowledged" once you have read that the teacher's terms allow training on its answers

[[logs]]
path = {toml_text(self.logs)}

# Parts of the traffic that matter by themselves; a critical one must be certified, or the teacher goes on answering it.
{self._slices()}
[[bars]]
slice = "all"
metric = "accuracy"
{self._bar()}

# Requests nobody has asked before are where a student can fail unnoticed; repeats flatter the average.
# [[bars]]
# slice = "new"
# metric = "accuracy"
# at_least = 0.88

[risk]
alpha = 0.05 # tolerated share of errors among the requests the student answers

[proof]
confidence = 0.95
reference = "{"gold" if self.gold else "teacher"}" # what right means: "gold" (see [gold]) or the teacher's own answer

[[students]]
kind = "linear"
name = "words"

[[students]]
kind = "linear"
name = "words+characters"
characters = [2, 5]

# Larger rungs, once `overproof models add minilm` has installed an encoder (English); a rung added after the test was
# shown has to wait for fresh traffic.
# [[students]]
# kind = "static"
# [[students]]
# kind = "encoder"
# [[students]]
# kind = "cascade"
# of = ["words+characters", "encoder"]

[budget]
usd = 0.0 # dollars that may be spent on the teacher
"""

    def _scope(self) -> str:
        where = f"where = {toml_text(self.scope.where)}\n" if self.scope.where else ""
        if not self.scope.system:
            return where
        listed = "\n".join(f"  {toml_text(each)}," for each in self.scope.system)
        return f"{where}system = [ # instructions of this task's calls; {{name}} stands for what varies\n{listed}\n]\n"

    def _answers(self) -> str:
        """Return labels, schema or rubric, by kind; with an empty line after."""
        if self.scope.kind == "classify":
            listed = "\n".join(f"  {toml_text(label)}," for label in self.labels)
            return f"labels = [\n{listed}\n]\n"
        if self.scope.kind == "generate":
            return 'rubric = "" # what makes an answer good, in words a judge can go by\n'
        schema = dict((self.scope.found and self.scope.found.schema) or {})
        properties = schema.pop("properties", {})
        plain = "".join(f"{_key(key)} = {toml(value)}\n" for key, value in schema.items())
        each = "".join(f"{_key(key)} = {toml(value)}\n" for key, value in properties.items())
        return f"\n[task.schema] # inferred from the answers: mend it\n{plain}\n[task.schema.properties]\n{each}"

    def _slices(self) -> str:
        total = max(1, self.scope.rows.height)
        return "\n".join(
            f"# [[slices]] # {each.calls} calls, {each.calls / total:.0%}\n# name = {toml_text(each.name)}\n"
            f"# where = {toml_text(each.where)}\n# critical = false\n"
            for each in self.slices
        )

    def _bar(self) -> str:
        """Return the bar: the usual one, or a lower one where the teacher agrees too little with itself for that."""
        means = "of the system: the student where it is sure, the teacher elsewhere"
        found = self.scope.found
        if found is None or found.ceiling is None or not found.consistency.n:
            return f"at_least = {BAR:.2f} # {means}"
        rate, n = found.consistency.rate or 0.0, found.consistency.n
        ceiling = (
            f"# The teacher gave the same answer twice to {rate:.1%} of {n} prompts it was asked twice. Held against "
            f"its answers, no student is right more often than {found.ceiling:.3f}.\n"
        )
        bar = BAR if self.gold else max(0.5, min(BAR, math.floor((found.ceiling - BELOW_CEILING) * 100) / 100))
        return f"{ceiling}at_least = {bar:.2f} # {means}"
