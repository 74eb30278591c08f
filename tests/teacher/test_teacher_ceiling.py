from __future__ import annotations

import math
from typing import Literal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.core.tables import frame
from overproof.core.types import Completion, Message, Prompt, PromptId, Reading, Request, UnitId
from overproof.proof.ceiling import upper_bound
from overproof.teacher.ceiling import ceiling, drawn, pairs_to_ask


def read(text: str | None) -> Reading:
    """Every answer but "?" is its own normal form in small letters."""
    return Reading(answer=None if text in (None, "?") else text.lower())


def prompts(**units: str) -> pl.DataFrame:
    turns = (Message(role="user", content="?"),)
    return frame(
        [Prompt(id=PromptId(name), input=name, messages=turns, unit=UnitId(unit)) for name, unit in units.items()],
        Prompt,
    )


def answered(source: Literal["log", "asked", "cache"] = "log", /, **texts: list[str | None]) -> pl.DataFrame:
    rows = [
        Completion(
            prompt_id=PromptId(name),
            sample=i,
            model="big",
            text=text,
            error=None if text else "failed",
            source="log" if i == 0 else source,
        )
        for name, samples in texts.items()
        for i, text in enumerate(samples)
    ]
    return frame(rows, Completion)


def requests(*rows: tuple[str, str, str]) -> pl.DataFrame:
    """Return requests: prompt, unit, split."""
    return frame(
        [
            Request(id=str(i), prompt_id=PromptId(name), unit=UnitId(unit), window="training", split=split)  # type: ignore[arg-type]  # one of the four
            for i, (name, unit, split) in enumerate(rows)
        ],
        Request,
    )


def test_answers_are_compared_in_normal_form_one_pair_a_prompt() -> None:
    completions = answered(a=["Yes", "yes", "no"], b=["yes", "no"], c=["yes"], d=["?", "?"])

    found = ceiling(completions, prompts(a="1", b="2", c="3", d="4"), read, 0.05)

    assert (found.pairs, found.agreeing) == (3, 1)
    assert found.agreement == pytest.approx(1 / 3)
    assert found.upper == upper_bound(1, 3, 0.05)
    assert (found.level, found.source) == (0.05, "repeats in the log")


def test_a_unit_counts_once_however_often_it_was_asked() -> None:
    completions = answered(a=["yes", "yes"], b=["yes", "yes"], c=["no", "yes"])

    assert ceiling(completions, prompts(a="1", b="1", c="2"), read, 0.05).pairs == 2


def test_a_failed_answer_makes_no_pair() -> None:
    completions = answered(a=["yes", None], b=["yes", None, "yes"])

    found = ceiling(completions, prompts(a="1", b="2"), read, 0.05)

    assert (found.pairs, found.agreeing) == (1, 1)


def test_only_the_prompts_handed_in_count() -> None:
    assert ceiling(answered(a=["yes", "yes"], b=["yes", "no"]), prompts(a="1"), read, 0.05).pairs == 1


def test_nothing_asked_twice_promises_nothing() -> None:
    found = ceiling(answered(a=["yes"]), prompts(a="1"), read, 0.05)

    assert (found.pairs, found.agreement, found.upper) == (0, None, 1.0)
    assert found.source == "nothing was asked twice"


@pytest.mark.parametrize(
    ("source", "said"), [("asked", "asked again"), ("cache", "asked again"), ("log", "repeats in the log")]
)
def test_it_says_where_the_pairs_come_from(source: Literal["log", "asked", "cache"], said: str) -> None:
    assert ceiling(answered(source, a=["yes", "yes"]), prompts(a="1"), read, 0.05).source == said


@given(agreeing=st.integers(0, 30), differing=st.integers(0, 30))
def test_the_bound_lies_above_what_was_seen(agreeing: int, differing: int) -> None:
    texts: dict[str, list[str | None]] = {f"a{i}": ["yes", "yes"] for i in range(agreeing)}
    texts |= {f"d{i}": ["yes", "no"] for i in range(differing)}

    found = ceiling(answered(**texts), prompts(**{name: name for name in texts}), read, 0.05)

    assert (found.pairs, found.agreeing) == (agreeing + differing, agreeing)
    assert math.sqrt(found.agreement or 0.0) <= found.upper <= 1.0


# --- which prompts to ask twice --------------------------------------------------------------------------------------

LOG = requests(
    ("a", "1", "train"),
    ("b", "1", "train"),
    ("c", "2", "tune"),
    ("d", "3", "test"),
    ("e", "4", "calibrate"),
    ("a", "1", "train"),
)


def test_evaluation_prompts_are_never_drawn_and_a_unit_is_drawn_once() -> None:
    for seed in map(str, range(20)):
        names = drawn(LOG, 10, seed)

        assert len(names) == 2
        assert set(names) <= {"a", "b", "c"}
        assert "c" in names


@given(count=st.integers(0, 40), more=st.integers(0, 10), seed=st.text(max_size=5))
def test_a_larger_count_keeps_all_that_a_smaller_one_drew(count: int, more: int, seed: str) -> None:
    log = requests(*((f"p{i}", f"u{i // 2}", "train") for i in range(60)))

    assert drawn(log, count + more, seed)[:count] == drawn(log, count, seed)


def test_a_drawn_prompt_that_has_two_answers_costs_nothing() -> None:
    pairs = pairs_to_ask(LOG, answered(a=["yes", "no"], b=["yes", "no"], c=["yes"]), 10, "seed")

    assert pairs == (("c", 1),)


def test_a_drawn_prompt_without_an_answer_is_asked_twice() -> None:
    pairs = pairs_to_ask(requests(("c", "2", "tune")), answered(), 10, "seed")

    assert pairs == (("c", 0), ("c", 1))
