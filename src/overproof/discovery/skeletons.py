"""Find the constant text that prompts made from one template share, and the slots between.

Templates differ in how they open or close, so openings and closings shared by enough different texts are found first
(words in a tree, from either end); what is constant between them is found by aligning texts of one template.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import polars as pl

from overproof.tasks import templates
from overproof.tasks.templates import Template

SAMPLE = 2_000
"""Different texts that templates are looked for in."""
FEWEST = 10
"""Different texts that must share an opening or closing, at least: fewer may be one text sent again with changes."""
LEAST_SHARE = 0.01
"""Of the different texts, too."""
COMMON = 0.3
"""Share of texts from which on three common words are no accident."""
WORDS = 8
"""Words in a row that no two texts share by accident."""
ALIGNED = 40
"""Texts of one template that are aligned to find what is constant inside."""
INNER_WORDS = 2
"""Words of an inner constant, at least: one alone may stand in every text by chance."""
LONGEST = 400
"""Tokens of an opening or closing that are looked at."""
LONGEST_ALIGNED = 3_000
_TOKEN = re.compile(r"\w+|[^\w\s]|\s+")
Tokens = tuple[str, ...]


@dataclass(frozen=True)
class Skeleton:
    """An opening and a closing that texts share; either may be empty."""

    opening: str = ""
    closing: str = ""

    @property
    def constant(self) -> str:
        """All that is constant about it."""
        return f"{self.opening} {self.closing}".strip()

    def matches(self, column: str) -> pl.Expr:
        """Say of each text in `column` whether it opens and closes so."""
        long = pl.col(column).str.len_bytes() >= len(self.opening.encode()) + len(self.closing.encode())
        return pl.col(column).str.starts_with(self.opening) & pl.col(column).str.ends_with(self.closing) & long


def skeletons(texts: Sequence[str], fewest: int = FEWEST) -> list[Skeleton]:
    """Return the skeletons that different `texts` show, the most particular first."""
    forward = [tuple(_TOKEN.findall(text[: LONGEST * 8])[:LONGEST]) for text in texts]
    backward = [tuple(_TOKEN.findall(text[-LONGEST * 8 :])[::-1][:LONGEST]) for text in texts]
    openings = _longest(forward, _strong(_stems(forward, fewest), len(texts)))
    closings = _longest(backward, [stem for stem, _ in _stems(backward, fewest) if _words(stem) >= WORDS])
    pairs = (("".join(one), "".join(other[::-1])) for one, other in zip(openings, closings, strict=True))
    found = [Skeleton(*pair) for pair, n in Counter(pairs).items() if n >= fewest and any(pair)]
    return sorted(found, key=lambda each: (-len(each.constant), each.constant))


def _stems(texts: Sequence[Tokens], fewest: int) -> list[tuple[Tokens, int]]:
    """Return every opening after which a tenth or more of those that share it part ways, and how many share it."""
    found: list[tuple[Tokens, int]] = []
    waiting = [(0, list(texts))]
    while waiting:
        depth, members = waiting.pop()
        children: defaultdict[str, list[Tokens]] = defaultdict(list)
        for text in members:
            if depth < len(text):
                children[text[depth]].append(text)
        large = [each for each in children.values() if len(each) >= fewest]
        left = len(members) - sum(map(len, large))
        if depth and (not large or left >= max(fewest, 0.1 * len(members))):
            found.append((members[0][:depth], len(members)))
        waiting += [(depth + 1, each) for each in large]
    return found


def _strong(stems: Iterable[tuple[Tokens, int]], texts: int) -> list[Tokens]:
    """Leave out openings that many people may write, and those that only add to another how a slot often begins."""
    kept: list[Tokens] = []
    for stem, n in sorted(stems, key=lambda each: len(each[0])):
        inside = max((each for each in kept if stem[: len(each)] == each), key=len, default=())
        if _is_strong(stem, n / texts) and (not inside or _words(stem[len(inside) :]) >= WORDS):
            kept.append(stem)
    return kept


def _is_strong(stem: Tokens, share: float) -> bool:
    words, text = _words(stem), "".join(stem)
    label = text.rstrip().endswith(":")
    return (
        words >= WORDS
        or (words >= 3 and share >= COMMON)
        or (label and words >= 2)
        or (label and words == 1 and share >= 0.5)
        or (words >= 4 and text.endswith("\n"))
    )


def _words(tokens: Iterable[str]) -> int:
    return sum(token[0].isalnum() for token in tokens)


def _longest(texts: Sequence[Tokens], stems: Iterable[Tokens]) -> list[Tokens]:
    """Return the longest of `stems` that each text begins with, () where it begins with none."""
    by_size: defaultdict[int, set[Tokens]] = defaultdict(set)
    for stem in stems:
        by_size[len(stem)].add(stem)
    sizes = sorted(by_size, reverse=True)
    return [next((text[:size] for size in sizes if text[:size] in by_size[size]), ()) for text in texts]


def align(texts: Sequence[str]) -> Template | None:
    """Return the template that different `texts` were made from, None where no words are common to all.

    Each slot is called `slot`; one alone is called `input`.
    """
    tokens = [tuple(_TOKEN.findall(text)) for text in texts[:ALIGNED]]
    if len(tokens) < 2:
        return None
    opening = _common(tokens)
    rest = [each[len(opening) :] for each in tokens]
    closing = _common([each[::-1] for each in rest])[::-1]
    middles = [each[: len(each) - len(closing)] for each in rest]
    if not _words(closing) and len("".join(closing).strip()) < 3:
        closing = ()
    inner = _inner(middles) if max(map(len, middles)) <= LONGEST_ALIGNED else []
    constants = ["".join(each) for each in (opening, *inner, closing)]
    if not any(map(_has_word, constants)):
        return None
    slots = len(constants) - 1
    return templates.of(constants, ("input",) if slots == 1 else [f"slot{i + 1}" for i in range(slots)])


def _has_word(text: str) -> bool:
    return any(map(str.isalnum, text))


def _common(texts: Sequence[Tokens]) -> Tokens:
    """Return what all of `texts` begin with."""
    first, last = min(texts), max(texts)
    size = next(
        (i for i, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), min(len(first), len(last))
    )
    return first[:size]


def _inner(middles: Sequence[Tokens]) -> list[Tokens]:
    """Return the runs of tokens that stand in all of `middles`, in their order, and are more than chance."""
    shortest, *others = sorted(middles, key=len)
    blocks: list[Tokens] = [shortest] if shortest else []
    for other in others:
        if not blocks:
            break
        blocks = _shared(blocks, other)
    return [block for block in blocks if _words(block) >= INNER_WORDS]


def _shared(blocks: Sequence[Tokens], other: Tokens) -> list[Tokens]:
    """Return the parts of `blocks` that stand in `other` in the same order; parts without a word are left out."""
    joined: list[str | None] = []
    for block in blocks:
        joined += [*block, None]  # no token: what is apart stays apart
    matches = SequenceMatcher(None, joined, list[str | None](other), autojunk=False).get_matching_blocks()
    parts = (tuple(each for each in joined[match.a : match.a + match.size] if each) for match in matches)
    return [part for part in parts if _words(part)]
