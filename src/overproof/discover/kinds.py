"""What kind of task answers come from: labels, JSON, or text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
import polars as pl

from overproof.core.chance import canonical
from overproof.discover.records import Kind
from overproof.discover.schemas import infer
from overproof.tasks.classify import Classify

MOSTLY = 0.5
"""Share of the answers that must be JSON objects for the task to be an extraction."""
SCHEMA_FROM = 1_000
"""Answers a schema is inferred from."""
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
        """Say whether an answer has the kind's form: a label, an object with the keys it needs, any text."""
        if self.kind != "extract":
            return self.normal(text) is not None
        value = json_object(text)
        return value is not None and all(key in value for key in (self.schema or {}).get("required", ()))

def nature(answers: pl.Series, find_labels: FindLabels) -> Nature:
    """Return what `answers` (whole ones, no nulls) are."""
    labels = find_labels(answers)
    if labels is not None:
        return Nature("classify", labels=tuple(labels))
    objects = [value for text in answers.head(SCHEMA_FROM) if (value := json_object(text)) is not None]
    looked = min(len(answers), SCHEMA_FROM)
    if looked and len(objects) > MOSTLY * looked:
        counts: dict[str, int] = {}
        for value in objects:
            for key in value:
                counts[key] = counts.get(key, 0) + 1
        keys = frozenset(key for key, n in counts.items() if n > len(objects) / 2)
        return Nature("extract", schema=infer(objects), schema_from=len(objects), keys=keys)
    return Nature("generate")


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
