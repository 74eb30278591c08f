"""Find the set of labels in a teacher's answers: wrapping off, spellings folded, slips and refusals left out."""

from __future__ import annotations

import json
from collections import Counter, defaultdict

import polars as pl

from overproof.core.errors import NotEnoughData
from overproof.filters.refusals import declines
from overproof.tasks.classify import Classify, normal_form
from overproof.tasks.wrapping import ANSWER_KEY, layers

MIN_SHARE = 0.001
"""An answer rarer than this (and rarer than three) is taken for a slip, not a label."""
MAX_LABELS = 500
CALLS_PER_LABEL = 5
"""With fewer calls for each on average, they are values rather than labels."""
MAX_LABEL_LENGTH = 80
_LONGEST = 4_000
"""Characters; a longer answer is text, whatever is wrapped around it."""
_DEEPEST = 8


def find_labels(answers: pl.Series) -> list[str]:
    """Return the answers that are labels, most frequent first, each as it is most often written.

    Raises:
        NotEnoughData: there is no small set of them, or only one.
    """
    labels = labels_in(answers)
    if labels is not None:
        return _plausible(labels, answers.len())
    different = answers.drop_nulls().str.strip_chars().n_unique()
    raise NotEnoughData(
        f"the answers look like free text or JSON, not like labels: {different:,} different ones in "
        f"{answers.len():,} calls; `extract` and `generate` are not here yet; of several tasks in one log, "
        "--where \"app = '...'\" picks one"
    )


def labels_in(answers: pl.Series) -> list[str] | None:
    """Return what `find_labels` does, also when it is one label or many for so few calls; None where there are none."""
    counts = answers.drop_nulls().str.strip_chars().value_counts(name="n").rename({answers.name: "text"})
    spellings = _spellings(counts.sort("n", "text", descending=[True, False]))
    enough = max(3, MIN_SHARE * answers.len())
    frequent = [text for text, n in spellings.items() if n >= enough and _may_be_label(text)]
    if not 0 < len(frequent) <= MAX_LABELS:
        return None
    labels = _without_sentences(frequent)
    readable = Classify(labels=tuple(labels)).read_column(answers).answer
    return labels if readable.len() - readable.null_count() > answers.len() / 2 else None


def _plausible(labels: list[str], calls: int) -> list[str]:
    if len(labels) < 2:
        raise NotEnoughData(f"the answers say only one label, {labels[0]!r}, in {calls:,} calls: nothing to tell apart")
    if len(labels) * CALLS_PER_LABEL > calls:
        raise NotEnoughData(
            f"{len(labels)} labels in {calls:,} calls are fewer than {CALLS_PER_LABEL} calls for each: "
            "start from a longer log"
        )
    return labels


def _spellings(counts: pl.DataFrame) -> dict[str, int]:
    """Return how often each answer was given, however written, under its most frequent spelling; frequent ones first.

    A spelling that stands alone in an answer goes before one that only stands inside wrapping.
    """
    alone: defaultdict[str, Counter[str]] = defaultdict(Counter)
    inside: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for text, n in counts.select("text", "n").iter_rows():
        bare = unwrapped(text)
        inside[normal_form(bare)][bare] += n
        if bare == text:
            alone[normal_form(bare)][bare] += n
    written = {key: (alone.get(key) or found).most_common(1)[0][0] for key, found in inside.items()}
    totals = {written[key]: found.total() for key, found in inside.items()}
    return dict(sorted(totals.items(), key=lambda each: -each[1]))


def unwrapped(text: str) -> str:
    """Return `text` without the quotes, JSON, Markdown and lead-ins (`Category: `) around its answer."""
    bare = text.strip()
    if len(bare) > _LONGEST:
        return bare
    for _ in range(_DEEPEST):
        inner = _inner(bare)
        if not inner:
            break
        bare = inner
    return bare


def _inner(text: str) -> str | None:
    """Return what stands inside the outermost wrapping, None where there is none."""
    found = [layer for layer in layers(text) if _leads_in(layer.lead)] if text else []
    if _is_json(text) and found:
        found = found[1:]  # the first takes the brackets off, which leaves no JSON
    return found[-1].inner.strip() if found else None  # the last is the most particular


def _leads_in(lead: str) -> bool:
    """`Final answer` and `-` lead to an answer; `billing` in `billing: refund` is part of one."""
    words = lead.split()
    return not words or not any(map(str.isalpha, lead)) or ANSWER_KEY.fullmatch(words[-1].casefold()) is not None


def _may_be_label(text: str) -> bool:
    return 0 < len(text) <= MAX_LABEL_LENGTH and "\n" not in text and not declines(text) and not _is_json(text)


def _is_json(text: str) -> bool:
    """Whether `text` is a JSON object or array."""
    if not text.startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):  # only looks like it
        return False
    return True


def _without_sentences(frequent: list[str]) -> list[str]:
    """Leave out what the task reads as another, shorter label: `It is billing.` where `billing` is one."""
    labels: list[str] = []
    for text in sorted(frequent, key=len):
        within = tuple(label for label in labels if normal_form(label) in normal_form(text))
        if not within or Classify(labels=within).read(text).answer is None:
            labels.append(text)
    return [text for text in frequent if text in labels]
