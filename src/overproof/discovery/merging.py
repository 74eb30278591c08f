"""Merge cells into tasks: wordings of one prompt that ask alike and are answered alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations

from overproof.discovery.grouping import VARY, Cell
from overproof.discovery.kinds import Nature

ALIKE = 0.6
"""Jaccard similarity of the constant parts (runs of three words) from which two wordings are versions of one prompt."""
ALIKE_SAME_LABELS = 0.3
"""The same where both give the same labels, five or more."""
SAME_ANSWERS = 0.6
"""Share of labels, or of keys, that two wordings of one task have in common."""
SPECIFIC = 8
"""Words of instructions that name a task: under fewer ("You are a helpful assistant."), user templates do."""
SAME_TOOLS = 0.5
_WORD = re.compile(r"\w+")


def merge(cells: Sequence[Cell], natures: Sequence[Nature]) -> list[int]:
    """Return the task of each cell, numbered from 0 in the order of the cells."""
    parent = list(range(len(cells)))

    def root(at: int) -> int:
        while parent[at] != at:
            at = parent[at]
        return at

    shingles = [_shingles(cell.constant) for cell in cells]
    for i, j in combinations(range(len(cells)), 2):
        if root(i) != root(j) and _answered_alike(natures[i], natures[j]) and _equipped_alike(cells[i], cells[j]):
            threshold = ALIKE_SAME_LABELS if _same_labels(natures[i], natures[j]) else ALIKE
            if _one_prompt(cells[i], cells[j]) or _jaccard(shingles[i], shingles[j]) >= threshold:
                parent[root(j)] = root(i)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(i), len(numbers)) for i in range(len(cells))]


def _one_prompt(one: Cell, other: Cell) -> bool:
    """Say whether two cells have the same instructions, which name a task, or instructions of one template."""
    if one.family and one.family == other.family:
        return _user_alike(one, other)
    specific = len(_WORD.findall(one.system or "")) >= SPECIFIC
    return specific and one.system == other.system


def _user_alike(one: Cell, other: Cell) -> bool:
    return one.user == other.user or one.user is None or other.user is None


def _answered_alike(one: Nature, other: Nature) -> bool:
    if one.kind != other.kind:
        return False
    if one.kind == "classify":
        return _jaccard(frozenset(one.labels), frozenset(other.labels)) >= SAME_ANSWERS
    return one.kind == "generate" or _jaccard(one.keys, other.keys) >= SAME_ANSWERS


def _same_labels(one: Nature, other: Nature) -> bool:
    return len(one.labels) >= 5 and _jaccard(frozenset(one.labels), frozenset(other.labels)) >= 0.9


def _equipped_alike(one: Cell, other: Cell) -> bool:
    if one.format != other.format or bool(one.tools) != bool(other.tools):
        return False
    if one.tools == other.tools or VARY in (one.tools, other.tools):
        return True
    return _jaccard(frozenset(one.tools.split(",")), frozenset(other.tools.split(","))) >= SAME_TOOLS


def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    words = _WORD.findall(text.casefold())
    return frozenset(tuple(words[i : i + 3]) for i in range(len(words) - 2)) or frozenset({tuple(words)} - {()})


def _jaccard(one: frozenset[object], other: frozenset[object]) -> float:
    return len(one & other) / len(one | other) if one or other else 0.0
