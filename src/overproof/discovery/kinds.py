"""What kind of task answers come from: labels, JSON, or text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
import polars as pl

from overproof.core.chance import canonical
from overproof.discovery.records import Kind
from overproof.discovery.schemas import infer
from overproof.tasks.classify import Classify

MOSTLY = 0.5
"""Share of the answers that must be JSON objects for the task to be an extraction."""
SCHEMA_FROM = 1_000
"""Answers a schema is inferred from."""
_BESIDE = re.compile(
    r"reason(?:ing)?|explanation|rationale|justification|thoughts?|analysis|evidence|confidence|score|certainty"
)
"""Keys beside the answer that say why, or how surely."""
_FENCE = re.compile(r"```[\w+-]*\s+(\{.*\})\s*```", re.DOTALL)

FindLabels = Callable[[pl.Series], Sequence[str] | None]
"""Returns the labels that answers give, None when they are no small set of short texts."""


@dataclass(frozen=True)
class Nature:
    """What a task's answers are."""

    kind: Kind
    labels: tuple[str, ...] = ()
    schema: dict[str, Any] | None = None
    schema_from: int = 0
    keys: frozenset[str] = frozenset()
    """Of extract: keys that most answers have."""

    def normal(self, text: str) -> str | None:
        """Return an answer's normal form, None for one that is not of the kind's form."""
        if self.kind == "classify":
            return _classify(self.labels).read(text).answer
        if self.kind == "extract":
            value = json_object(text)
            return None if value is None else canonical(value).decode()
        return text.strip() or None

    def is_of_form(self, text: str) -> bool:
        """Say whether an answer has the kind's form: a label, an object with the keys it needs, any text.

        Where tools are called, any text may stand for calling none.
        """
        if "tool_calls" in self.keys:
            return bool(text.strip())
        if self.kind != "extract":
            return self.normal(text) is not None
        value = json_object(text)
        return value is not None and all(key in value for key in (self.schema or {}).get("required", ()))


def nature(answers: pl.Series, find_labels: FindLabels) -> Nature:
    """Return what `answers` (whole ones, no nulls) are."""
    looked = answers.head(SCHEMA_FROM)
    objects = [value for text in looked if (value := json_object(text)) is not None]
    structured = len(objects) > MOSTLY * len(looked)
    if structured and _tells_several(objects):
        return _extraction(objects)
    labels = find_labels(answers)
    if labels is not None:
        return Nature("classify", labels=tuple(labels))
    return _extraction(objects) if structured else Nature("generate")


def _extraction(objects: Sequence[Mapping[str, Any]]) -> Nature:
    counts = Counter(key for value in objects for key in value)
    keys = frozenset(key for key, n in counts.items() if n > len(objects) / 2)
    return Nature("extract", schema=infer(objects), schema_from=len(objects), keys=keys)


def _tells_several(objects: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether most objects say more than one thing: a label with its reason is one."""
    told = (sum(_BESIDE.fullmatch(key.casefold()) is None for key in value) for value in objects)
    return sum(n > 1 for n in told) > len(objects) / 2


def json_object(text: str) -> dict[str, Any] | None:
    """Return the JSON object an answer is, alone or in a Markdown fence; None when it is none."""
    bare = text.strip()
    if fenced := _FENCE.fullmatch(bare):
        bare = fenced[1]
    if not bare.startswith("{"):
        return None
    try:
        value = msgspec.json.decode(bare)
    except (msgspec.DecodeError, RecursionError):  # it only begins like one
        return None
    return value if isinstance(value, dict) else None


@lru_cache(maxsize=256)
def _classify(labels: tuple[str, ...]) -> Classify:
    return Classify(labels=labels)
