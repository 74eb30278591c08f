"""The two baselines that ask nobody: the most common answer, and the answer given before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overproof.baselines.answer_cache import AnswerCache
from overproof.baselines.majority import Majority
from overproof.core import tables
from overproof.core.plugins import build
from overproof.core.protocols import Asking, Baseline, Means
from overproof.core.splits import Train, Tune
from overproof.core.types import Example, Message, Prediction, Prompt, PromptId, UnitId
from overproof.tasks.classify import Classify

TASK = Classify(labels=("a", "b", "c"))
MEANS = Means(core_hour_usd=3600)  # a dollar a second


def prompts(texts: Sequence[str]) -> pl.DataFrame:
    return tables.frame(
        (
            Prompt(id=PromptId(f"p{i}"), input=text, messages=(Message(role="user", content=text),), unit=UnitId("u"))
            for i, text in enumerate(texts)
        ),
        Prompt,
    )


def example(text: str, answer: str, weight: float = 1.0, votes: dict[str, float] | None = None) -> Example:
    return Example(
        prompt_id=PromptId(f"{text}{answer}{weight}"),
        unit=UnitId("u"),
        split="train",
        input=text,
        answer=answer,
        votes=votes or {answer: 1.0},
        weight=weight,
    )


def said(baseline: Baseline, texts: Sequence[str], examples: Sequence[Example]) -> list[Prediction]:
    train = Train(tables.frame(examples, Example))
    table = asyncio.run(baseline.answer(prompts(texts), train, TASK, None, MEANS))
    assert table.schema == tables.schema(Prediction)
    return list(tables.records(table, Prediction))


def test_the_majority_is_counted_in_requests() -> None:
    examples = [example("x", "a", 5.0), example("y", "b"), example("z", "b"), example("w", "c")]

    found = said(Majority(), ["x", "new"], examples)

    assert [(each.prompt_id, each.answer, each.confidence, each.cost_usd) for each in found] == [
        ("p0", "a", 0.625, 0.0),
        ("p1", "a", 0.625, 0.0),
    ]


def test_of_equals_the_majority_is_the_first_by_name() -> None:
    examples = [example("x", "b"), example("y", "a")]

    assert said(Majority(), ["?"], examples) == said(Majority(), ["?"], examples[::-1])
    assert said(Majority(), ["?"], examples)[0].answer == "a"


@pytest.mark.parametrize("baseline", [Majority(), AnswerCache()])
def test_without_examples_there_is_nothing_to_say(baseline: Baseline) -> None:
    (found,) = said(baseline, ["x"], [])

    assert (found.answer, found.confidence) == (None, 0.0)


def test_the_cache_answers_what_was_asked_before_letter_for_letter() -> None:
    found = said(AnswerCache(), ["hello", "hello ", "Hello", ""], [example("hello", "a")])

    assert [each.answer for each in found] == ["a", None, None, None]
    assert [each.confidence for each in found] == [pytest.approx(2 / 3), 0.0, 0.0, 0.0]


def test_the_cache_is_surer_the_more_often_it_heard_the_same() -> None:
    once, often = said(AnswerCache(), ["once", "often"], [example("once", "a"), example("often", "a", 8.0)])

    assert [once.confidence, often.confidence] == pytest.approx([2 / 3, 9 / 10])


def test_samples_that_disagree_make_the_cache_less_sure() -> None:
    (found,) = said(AnswerCache(), ["x"], [example("x", "a", 4.0, {"a": 0.75, "b": 0.25})])

    assert found.confidence == pytest.approx((3 + 1) / (4 + 2))


def test_prompts_with_the_same_input_are_pooled_and_a_tie_is_a_miss() -> None:
    more, tied = said(
        AnswerCache(),
        ["more", "tied"],
        [example("more", "a", 2.0), example("more", "b"), example("tied", "a", 2.0), example("tied", "b", 2.0)],
    )

    assert more.answer == "a"
    assert more.confidence == pytest.approx((2 + 1) / (3 + 2))
    assert (tied.answer, tied.confidence) == (None, 0.0)


def test_the_cache_measures_its_own_latency_and_is_charged_for_it() -> None:
    found = said(AnswerCache(), ["x"] * 50, [example("x", "a")])

    took = [each.latency_ms for each in found if each.latency_ms is not None]
    assert len(took) == 50
    assert min(took) >= 0
    assert sum(took) > 0
    assert [each.cost_usd for each in found] == pytest.approx([each / 1000 for each in took])


@settings(deadline=None)
@pytest.mark.parametrize("baseline", [Majority(), AnswerCache()])
@given(
    st.lists(st.sampled_from("wxyz"), max_size=6),
    st.lists(st.tuples(st.sampled_from("wxy"), st.sampled_from("abc"), st.integers(1, 5)), max_size=8),
)
def test_every_prompt_gets_one_prediction_in_order_that_is_a_label_or_nothing(
    baseline: Baseline, texts: list[str], seen: list[tuple[str, str, int]]
) -> None:
    found = said(baseline, texts, [example(text, answer, float(times)) for text, answer, times in seen])

    assert [each.prompt_id for each in found] == [f"p{i}" for i in range(len(texts))]
    for each in found:
        assert each.answer in {None, *(answer for _, answer, _ in seen)}
        assert 0 <= each.confidence <= 1
        assert (each.answer is None) == (each.confidence == 0)


@pytest.mark.parametrize("baseline", [Majority(), AnswerCache()])
def test_no_other_split_can_be_learned_from(baseline: Baseline) -> None:
    tune = cast("Train", Tune(tables.frame([], Example)))  # what a caller without a type checker would do

    with pytest.raises(TypeError, match="train only"):
        asyncio.run(baseline.answer(prompts(["x"]), tune, TASK, None, MEANS))


@pytest.mark.parametrize("kind", ["majority", "answer_cache"])
def test_they_come_through_the_door_of_the_plug_ins(kind: str) -> None:
    baseline: Baseline = build("baselines", {"kind": kind}, key="kind", where="baselines[0]")

    assert baseline.name == kind
    assert not isinstance(baseline, Asking)
