"""Small lessons for students: examples made from texts and answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from overproof.core import tables
from overproof.core.splits import Train, Tune
from overproof.core.types import Example, PromptId, SplitName, UnitId

LABELS = ("billing", "login", "shipping")
TAUGHT = (
    ("I was charged twice this month", "billing"),
    ("why was my card charged again", "billing"),
    ("refund the second charge please", "billing"),
    ("the invoice charges me twice", "billing"),
    ("I cannot log in to my account", "login"),
    ("password reset mail never comes, no login", "login"),
    ("locked out, the login page rejects my password", "login"),
    ("login fails after the password change", "login"),
    ("my parcel has not arrived", "shipping"),
    ("where is the parcel, tracking says nothing", "shipping"),
    ("the courier lost my parcel", "shipping"),
    ("tracking number for the parcel please", "shipping"),
)
TUNED_ON = (
    ("charged twice again", "billing"),
    ("the login rejects me", "login"),
    ("no parcel and no tracking", "shipping"),
)


def example(text: str, answer: str, split: SplitName, number: int = 0, weight: float = 1.0) -> Example:
    return Example(
        prompt_id=PromptId(f"p{number}"),
        unit=UnitId(f"u{number}"),
        split=split,
        input=text,
        answer=answer,
        weight=weight,
    )


def train(pairs: Iterable[tuple[str, str]] = TAUGHT, votes: Mapping[str, Mapping[str, float]] | None = None) -> Train:
    """Return examples of `pairs`; `votes` are soft labels by text."""
    rows = [
        Example(
            prompt_id=PromptId(f"p{number}"),
            unit=UnitId(f"u{number}"),
            split="train",
            input=text,
            answer=answer,
            votes=dict((votes or {}).get(text, {})),
        )
        for number, (text, answer) in enumerate(pairs)
    ]
    return Train(tables.frame(rows, Example))


def tune(pairs: Iterable[tuple[str, str]] = TUNED_ON) -> Tune:
    rows = [example(text, answer, "tune", number) for number, (text, answer) in enumerate(pairs)]
    return Tune(tables.frame(rows, Example))
