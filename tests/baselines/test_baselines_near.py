"""The answer of the most similar question asked before, and how similar it is."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import cast

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.baselines.answer_cache import AnswerCache
from overproof.baselines.few_shot import FewShot
from overproof.baselines.near_answer_cache import NearAnswerCache
from overproof.core import tables
from overproof.core.errors import MissingExtra, UserError
from overproof.core.plugins import build
from overproof.core.protocols import Baseline, Demanding, Means
from overproof.core.splits import Train, Tune
from overproof.core.types import Example, Message, Prediction, Prompt, PromptId, UnitId
from overproof.models import embed
from overproof.tasks.classify import Classify

TASK = Classify(labels=("card", "fee"))
MEANS = Means(core_hour_usd=3600)  # a dollar a second
words = st.sampled_from(["lost my card", "card lost", "a fee", "what fee is this", "?!", "hello there", "fee card"])


def prompts(texts: Sequence[str]) -> pl.DataFrame:
    made = (
        Prompt(id=PromptId(f"p{i}"), input=text, messages=(Message(role="user", content=text),), unit=UnitId("u"))
        for i, text in enumerate(texts)
    )
    return tables.frame(made, Prompt)


def example(text: str, answer: str, name: str = "", weight: float = 1.0) -> Example:
    return Example(
        prompt_id=PromptId(name or text),
        unit=UnitId(text),
        split="train",
        input=text,
        answer=answer,
        votes={answer: 1.0},
        weight=weight,
    )


def said(
    texts: Sequence[str],
    examples: Sequence[Example],
    baseline: Baseline = NearAnswerCache(),  # noqa: B008 - a frozen record
    means: Means = MEANS,
) -> list[Prediction]:
    table = asyncio.run(baseline.answer(prompts(texts), Train(tables.frame(examples, Example)), TASK, None, means))
    assert table.schema == tables.schema(Prediction)
    return list(tables.records(table, Prediction))


def test_the_most_similar_input_gives_the_answer() -> None:
    known = [example("I have lost my card", "card"), example("why did you charge a fee", "fee")]

    found = said(["my card is lost", "charged a fee, why?", "I have lost my card"], known)

    assert [each.answer for each in found] == ["card", "fee", "card"]
    assert 0.2 < found[0].confidence < 1
    assert found[2].confidence == pytest.approx(1)


def test_it_is_silent_where_nothing_is_similar_at_all() -> None:
    found = said(["zzz", "?!"], [example("lost card", "card")])

    assert [(each.answer, each.confidence) for each in found] == [(None, 0.0)] * 2


def test_without_examples_there_is_nothing_to_say() -> None:
    (found,) = said(["lost card"], [])

    assert (found.answer, found.confidence) == (None, 0.0)


def test_of_equally_similar_inputs_the_first_by_id_answers_whatever_the_order_of_the_table() -> None:
    known = [example("lost: card", "fee", "b"), example("lost card", "card", "a")]

    assert said(["LOST CARD"], known)[0].answer == said(["LOST CARD"], known[::-1])[0].answer == "card"


def test_equal_inputs_are_pooled_and_a_tie_counts_as_never_seen() -> None:
    pooled = [example("lost card", "fee", "1"), example("lost card", "card", "2", 2.0)]
    tied = [example("lost card", "fee", "1"), example("lost card", "card", "2")]

    assert said(["lost card"], pooled)[0].answer == "card"
    assert said(["lost card"], tied)[0].answer is None


def test_each_lookup_is_timed_and_charged() -> None:
    found = said(["lost card"] * 40, [example("lost card", "card")])

    took = [each.latency_ms for each in found if each.latency_ms is not None]
    assert len(took) == 40
    assert min(took) > 0
    assert [each.cost_usd for each in found] == pytest.approx([each / 1000 for each in took])


@given(
    st.lists(words, max_size=6),
    st.lists(st.tuples(words, st.sampled_from(TASK.labels), st.integers(1, 3)), max_size=8),
)
def test_it_answers_all_that_the_letter_for_letter_cache_does_and_as_that_does_where_inputs_stand_alone(
    texts: list[str], seen: list[tuple[str, str, int]]
) -> None:
    known = [example(text, answer, f"{text}{i}", float(times)) for i, (text, answer, times) in enumerate(seen)]
    strict, loose = said(texts, known, AnswerCache()), said(texts, known)

    assert [each.prompt_id for each in loose] == [f"p{i}" for i in range(len(texts))]
    for text, exact, near in zip(texts, strict, loose, strict=True):
        assert 0 <= near.confidence <= 1
        assert (near.answer is None) == (near.confidence == 0)
        if exact.answer is not None and any(letter.isalpha() for letter in text):
            assert near.answer is not None
            assert near.confidence == pytest.approx(1, abs=1e-5)


def test_no_other_split_can_be_learned_from() -> None:
    tune = cast("Train", Tune(tables.frame([], Example)))  # what a caller without a type checker would do

    with pytest.raises(TypeError, match="train only"):
        asyncio.run(NearAnswerCache().answer(prompts(["x"]), tune, TASK, None, MEANS))


@pytest.mark.parametrize("kind", [NearAnswerCache, partial(FewShot, model="m", base_url="http://h/v1")])
def test_what_an_embedder_lacks_is_said_before_anything_is_bought(
    kind: Callable[..., Demanding], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind().check(tmp_path)
    with pytest.raises(UserError, match="no encoder is called 'minilm' here"):
        kind(embedder="minilm").check(tmp_path)

    monkeypatch.setattr(embed, "find_spec", lambda package: None)
    kind().check(tmp_path)
    with pytest.raises(MissingExtra, match=re.escape("the embedder 'minilm' needs the extra `encoder`")):
        kind(embedder="minilm").check(tmp_path)


def test_an_encoder_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no encoder is called 'minilm' here"):
        said(["x"], [example("lost card", "card")], NearAnswerCache(embedder="minilm"), Means(encoders=tmp_path))


def test_an_encoder_sees_likeness_without_a_word_in_common(minilm: Path) -> None:
    known = [example("my payment card is missing", "card"), example("what does it cost", "fee")]

    found = said(["somebody stole it from my wallet", "how expensive"], known)
    better = said(
        ["somebody stole it from my wallet", "how expensive"],
        known,
        NearAnswerCache(embedder="minilm"),
        Means(encoders=minilm),
    )

    assert found[1].answer is None
    assert [each.answer for each in better] == ["card", "fee"]


def test_it_comes_through_the_door_of_the_plug_ins() -> None:
    table = {"kind": "near_answer_cache", "name": "near", "embedder": "minilm"}

    assert build("baselines", table, key="kind", where="b") == NearAnswerCache(name="near", embedder="minilm")
    assert build("baselines", {"kind": "near_answer_cache"}, key="kind", where="b").name == "near_answer_cache"
