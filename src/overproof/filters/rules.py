"""The rules that object to single answers. Reasons are few and fixed, so that counting them says something."""

# ruff: noqa: ARG002 - every rule is handed the same three things and uses those it needs
from __future__ import annotations

import re

from overproof.core.errors import UserError
from overproof.core.types import Completion, Prompt, Reading, Record
from overproof.filters.refusals import declines


class LabelSet(Record):
    """Stops answers that are none of the task's labels, however generously they are read."""

    @property
    def name(self) -> str:
        """Return `label_set`."""
        return "label_set"

    def reject(self, prompt: Prompt, completion: Completion, reading: Reading) -> str | None:
        """Return why the answer is unfit, or None."""
        return "not one of the labels" if reading.answer is None else None


class FinishReason(Record):
    """Stops answers that did not come to their own end. Logs without finish reasons pass."""

    unfit: tuple[str, ...] = ("length", "max_tokens", "max_output_tokens", "content_filter", "incomplete")
    """Finish reasons that disqualify an answer."""

    @property
    def name(self) -> str:
        """Return `finish_reason`."""
        return "finish_reason"

    def reject(self, prompt: Prompt, completion: Completion, reading: Reading) -> str | None:
        """Return why the answer is unfit, or None."""
        reason = completion.finish_reason
        if reason is None or reason not in self.unfit:
            return None
        return f"filtered ({reason})" if reason == "content_filter" else f"cut off ({reason})"


class Refusal(Record):
    """Stops answers that open by declining (English, German, French, Spanish); one that gives a label is no refusal."""

    also: tuple[str, ...] = ()
    """More openings, as regular expressions on lower-case text without accents."""

    def __post_init__(self) -> None:
        """Raise UserError for a pattern that is no regular expression."""
        _check(self.also, rule="refusal")

    @property
    def name(self) -> str:
        """Return `refusal`."""
        return "refusal"

    def reject(self, prompt: Prompt, completion: Completion, reading: Reading) -> str | None:
        """Return why the answer is unfit, or None."""
        if reading.answer is not None:
            return None
        return "refused" if declines(completion.text or "", self.also) else None


class MaxLength(Record):
    """Stops answers that are longer than any good one is."""

    characters: int = 2000
    """Longest answer that passes."""

    def __post_init__(self) -> None:
        """Raise UserError for a limit that lets nothing pass."""
        if self.characters < 1:
            raise UserError(f"filters, rule 'max_length': characters is {self.characters}, and must be at least 1")

    @property
    def name(self) -> str:
        """Return `max_length`."""
        return "max_length"

    def reject(self, prompt: Prompt, completion: Completion, reading: Reading) -> str | None:
        """Return why the answer is unfit, or None."""
        return "too long" if len(completion.text or "") > self.characters else None


class Regex(Record):
    """Stops answers without a pattern they must hold, or with one they must not.

    Python's `re` backtracks: a pattern such as `(a+)+$` can take minutes on one long answer. Do not nest repetitions,
    and put `max_length` first.
    """

    must: tuple[str, ...] = ()
    """Each must be found somewhere in the answer; anchor with `^` and `$` where the whole is meant."""
    must_not: tuple[str, ...] = ()
    """None may be found."""

    def __post_init__(self) -> None:
        """Raise UserError when there is no pattern, or one that is no regular expression."""
        if not (self.must or self.must_not):
            raise UserError("filters, rule 'regex': needs `must` or `must_not`, each a list of patterns")
        _check((*self.must, *self.must_not), rule="regex")

    @property
    def name(self) -> str:
        """Return `regex`."""
        return "regex"

    def reject(self, prompt: Prompt, completion: Completion, reading: Reading) -> str | None:
        """Return why the answer is unfit, or None."""
        text = completion.text or ""
        for pattern in self.must:
            if re.search(pattern, text) is None:
                return f"pattern not found: {pattern}"
        for pattern in self.must_not:
            if re.search(pattern, text) is not None:
                return f"pattern found: {pattern}"
        return None


def _check(patterns: tuple[str, ...], rule: str) -> None:
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as wrong:
            message = f"filters, rule {rule!r}: {pattern!r} is not a regular expression ({wrong})"
            raise UserError(message) from wrong
