"""Prompt templates: constant text around slots, written `Classify the message: {input}`.

A literal brace is written twice, `{{` or `}}`. White space at both ends never counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from overproof.core.errors import UserError

_PIECE = re.compile(r"\{\{|\}\}|\{(?P<slot>[A-Za-z_][A-Za-z0-9_]*)\}|[{}]|[^{}]+")


class UnreadableTemplate(UserError):
    """A text that is no template."""

    def __init__(self, text: str, fault: str) -> None:
        super().__init__(f"the template {text!r} {fault}; write slots as {{input}}, and a brace that is text twice")


@dataclass(frozen=True)
class Template:
    """`constants[0] + slot + constants[1] + ... + constants[-1]`: one constant more than there are slots."""

    constants: tuple[str, ...]
    slots: tuple[str, ...] = ()

    @property
    def written(self) -> str:
        """The template as it stands in a contract."""
        escaped = [each.replace("{", "{{").replace("}", "}}") for each in self.constants]
        return escaped[0] + "".join(f"{{{slot}}}{after}" for slot, after in zip(self.slots, escaped[1:], strict=True))

    def values(self, text: str) -> tuple[str, ...] | None:
        """Return what stands in each slot of `text`, None where it does not fit.

        An inner constant is looked for from the left, so a slot ends at the first place that may end it.
        """
        text = text.strip()
        if not self.slots:
            return () if text == self.constants[0] else None
        first, *inner, last = self.constants
        if not text.startswith(first) or len(text) < len(first) + len(last) or not text.endswith(last):
            return None
        at, end = len(first), len(text) - len(last)
        found: list[str] = []
        for constant in inner:
            place = text.find(constant, at, end)
            if place < 0:
                return None
            found.append(text[at:place])
            at = place + len(constant)
        return (*found, text[at:end])


def of(constants: Sequence[str], slots: Sequence[str] = ()) -> Template:
    """Return a template without white space at its ends."""
    parts = list(constants)
    parts[0], parts[-1] = parts[0].lstrip(), parts[-1].rstrip()
    if len(parts) == 1:
        parts = [parts[0].strip()]
    return Template(tuple(parts), tuple(slots))


@lru_cache(maxsize=1024)
def parse(text: str) -> Template:
    """Return the template that `text` writes; raise `UnreadableTemplate` when it writes none."""
    constants, slots = [""], list[str]()
    for piece in _PIECE.finditer(text):
        if piece[0] in ("{", "}"):
            raise UnreadableTemplate(text, f"has a lone {piece[0]!r}")
        if piece["slot"] is None:
            constants[-1] += {"{{": "{", "}}": "}"}.get(piece[0], piece[0])
            continue
        if slots and not constants[-1]:
            raise UnreadableTemplate(text, "has two slots with nothing between them")
        slots.append(piece["slot"])
        constants.append("")
    return of(constants, slots)


def fits(text: str, templates: Iterable[Template]) -> bool:
    """Say whether `text` fits one of `templates`."""
    return any(each.values(text) is not None for each in templates)
