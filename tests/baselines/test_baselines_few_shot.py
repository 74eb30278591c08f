"""A cheaper model that is shown the most similar accepted answers first."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast

import msgspec
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.baselines.endpoint import OffTheShelf
from overproof.baselines.few_shot import FewShot
from overproof.core import tables
from overproof.core.errors import UserError
from overproof.core.plugins import build
from overproof.core.protocols import Ask, Asking, Means, Model, Reply
from overproof.core.splits import Train, Tune
from overproof.core.types import Example, Message, Prediction, Price, Prompt, PromptId, UnitId
from overproof.models.cached import Cached, key
from overproof.models.endpoint import Endpoint
from overproof.models.fake import FakeModel, FaultyServer
from overproof.tasks.classify import Classify

TASK = Classify(labels=("card", "fee", "other"))
PRICE = Price(input=1.0, output=10.0)
MINI = FewShot(model="mini", base_url="http://localhost/v1", price=PRICE, examples=3, per_label=2)
SYSTEM = Message(role="system", content="Answer card, fee or other.")


def prompt(text: str, i: int = 0, *messages: Message) -> Prompt:
    return Prompt(
        id=PromptId(f"p{i}"),
        input=text,
        messages=messages or (SYSTEM, Message(role="user", content=text)),
        parameters={"temperature": 0},
        unit=UnitId("of the evaluation"),
    )


def frame(*texts: str) -> pl.DataFrame:
    return tables.frame([prompt(text, i) for i, text in enumerate(texts)], Prompt)


def example(text: str, answer: str, unit: str = "") -> Example:
    return Example(
        prompt_id=PromptId(f"{text} {answer}"),
        unit=UnitId(unit or text),
        split="train",
        input=text,
        answer=answer,
        votes={answer: 1.0},
    )


def train(*examples: Example) -> Train:
    return Train(tables.frame(examples, Example))


KNOWN = train(
    example("I lost my card", "card"),
    example("my card was stolen", "card"),
    example("where is my new card", "card"),
    example("a fee on my card", "fee"),
    example("good morning", "other"),
)


def shown(text: str, given: Train = KNOWN, baseline: FewShot = MINI) -> list[tuple[str, str]]:
    """Return the examples that a prompt is asked with."""
    (ask,) = baseline.asks(frame(text), given, TASK, Means())
    turns = ask.messages[1:-1]
    assert [turn.role for turn in turns] == ["user", "assistant"] * (len(turns) // 2)
    return [(asked.content, answered.content) for asked, answered in zip(turns[::2], turns[1::2], strict=True)]


def test_examples_are_earlier_turns() -> None:
    (ask,) = FewShot(model="m", base_url="http://h/v1", examples=1).asks(frame("I lost a card"), KNOWN, TASK, Means())

    assert [(turn.role, turn.content) for turn in ask.messages] == [
        ("system", "Answer card, fee or other."),
        ("user", "I lost my card"),
        ("assistant", "card"),
        ("user", "I lost a card"),
    ]
    assert ask.parameters == {"temperature": 0}


def test_the_most_similar_example_stands_last() -> None:
    assert shown("I lost my card today")[-1] == ("I lost my card", "card")
    assert shown("is there a fee on my card?")[-1] == ("a fee on my card", "fee")


def test_no_answer_fills_all_places() -> None:
    found = shown("my card")

    assert len(found) == 3
    assert Counter(answer for _, answer in found)["card"] == 2


def test_near_copies_of_one_question_are_shown_once() -> None:
    copies = [example(f"I lost my card {'!' * i}", "card" if i % 2 else "other", unit="one") for i in range(9)]
    found = shown("I lost my card", train(*copies, example("a fee on my card", "fee")))

    assert len(found) == 2
    assert sorted(text for text, _ in found)[1] == "a fee on my card"


def test_a_question_of_train_that_is_asked_again_shows_its_answer() -> None:
    assert ("I lost my card", "card") in shown("I lost my card")


def test_what_train_is_of_two_minds_about_is_not_shown() -> None:
    found = shown("good morning", train(example("good morning", "card"), example("good morning", "fee")))

    assert found == []


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (("assistant",), ("user:Y", "assistant:card", "assistant", "user:X")),
        ((), ("user:Y", "assistant:card", "user:X")),
        (("system", "developer", "user"), ("system", "developer", "user:Y", "assistant:card", "user", "user:X")),
    ],
)
def test_examples_follow_the_instructions(messages: tuple[str, ...], expected: tuple[str, ...]) -> None:
    turns = (*(Message(role=role) for role in messages), Message(role="user", content="X"))
    (ask,) = MINI.asks(tables.frame([prompt("X", 0, *turns)], Prompt), train(example("Y", "card")), TASK, Means())

    assert tuple(f"{turn.role}:{turn.content}".rstrip(":") for turn in ask.messages) == expected


def test_what_is_no_text_in_the_prompt_is_not_copied_into_examples() -> None:
    picture = Message(role="user", content="X", extra={"content": [{"type": "image_url"}]})
    (ask,) = MINI.asks(tables.frame([prompt("X", 0, picture)], Prompt), train(example("Y", "card")), TASK, Means())

    assert [turn.extra for turn in ask.messages] == [{}, {}, picture.extra]


@given(
    st.lists(st.sampled_from(["my card", "a fee", "lost it", "card fee"]), max_size=4),
    st.lists(
        st.tuples(
            st.sampled_from(["a card", "the fee", "lost", "fees"]), st.sampled_from(TASK.labels), st.integers(0, 3)
        ),
        max_size=9,
    ),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_examples_are_of_train_distinct_and_within_their_limits(
    texts: list[str], seen: list[tuple[str, str, int]], examples: int, per_label: int
) -> None:
    known = {text: example(text, answer, str(unit)) for text, answer, unit in seen}
    baseline = FewShot(model="m", base_url="http://h/v1", examples=examples, per_label=per_label)

    for text in texts:
        found = shown(text, train(*known.values()), baseline)
        assert len({known[each].unit for each, _ in found}) == len(found) <= examples
        assert all(answer == known[each].answer for each, answer in found)
        assert max(Counter(answer for _, answer in found).values(), default=0) <= per_label


def test_the_calls_depend_on_the_examples_and_on_nothing_else() -> None:
    asked = frame("I lost my card", "hello")
    reversed_rows = Train(KNOWN.frame.reverse())
    fewer = Train(KNOWN.frame.head(2))

    def keys(given: Train) -> list[str]:
        return [key("fake|mini", ask) for ask in MINI.asks(asked, given, TASK, Means())]

    assert keys(KNOWN) == keys(reversed_rows)
    assert not set(keys(KNOWN)) & set(keys(fewer))
    assert not set(keys(KNOWN)) & {key("fake|mini", ask) for ask in plain(asked)}


def plain(asked: pl.DataFrame) -> list[Ask]:
    return OffTheShelf(model="mini", base_url="http://localhost/v1").asks(asked, None, TASK, Means())


def said(model: Model | None, given: Train, *texts: str, means: Means = Means()) -> list[Prediction]:  # noqa: B008 - frozen
    table = asyncio.run(MINI.answer(frame(*texts), given, TASK, model, means))
    assert table.schema == tables.schema(Prediction)
    return list(tables.records(table, Prediction))


def test_what_it_asks_is_what_it_said_it_would() -> None:
    model = FakeModel(lambda ask: "card")
    said(model, KNOWN, "I lost my card", "hello")

    assert isinstance(MINI, Asking)
    assert model.asked == MINI.asks(frame("I lost my card", "hello"), KNOWN, TASK, Means())


def test_the_reply_is_read_and_the_search_counts_in_time_and_money() -> None:
    model = FakeModel(lambda ask: "Label: fee" if "fee" in ask.messages[-1].content else "no idea", cost_usd=0.25)

    fee, other = said(model, KNOWN, "what fee", "hello", means=Means(core_hour_usd=3600))

    assert [(fee.answer, fee.confidence), (other.answer, other.confidence)] == [("fee", 1.0), (None, 0.0)]
    assert fee.latency_ms is not None
    assert fee.latency_ms > 0
    assert fee.cost_usd == pytest.approx(0.25 + fee.latency_ms / 1000)  # the fake itself takes no time


def test_nothing_is_bought_twice_and_other_examples_are_another_question(tmp_path: Path) -> None:
    """Over real HTTP: the server counts what a provider would bill."""
    texts = ["I lost my card", "what fee", "good morning all"]

    def answers(body: Mapping[str, Any]) -> str:
        """Copy the last example, as small models do."""
        return next(str(turn["content"]) for turn in reversed(body["messages"]) if turn["role"] == "assistant")

    async def play() -> tuple[list[pl.DataFrame], list[int]]:
        server, tables_, paid = FaultyServer(answers, {"busy": 0.2}, models=("mini",)), [], []
        async with server.listening() as url:
            for given in (KNOWN, KNOWN, Train(KNOWN.frame.head(3)), KNOWN):
                async with AsyncExitStack() as stack:
                    endpoint = Endpoint(MINI.endpoint, None, PRICE, url=url, first_pause_s=0.001)
                    cached = Cached(await stack.enter_async_context(endpoint), tmp_path / "answers.jsonl")
                    model = stack.enter_context(cached)
                    tables_.append(await MINI.answer(frame(*texts), given, TASK, model, Means()))
                paid.append(server.answered)
        return tables_, paid

    (first, again, other, last), paid = asyncio.run(play())

    assert paid == [3, 3, 6, 6]
    assert first["answer"].to_list() == ["card", "fee", "other"]
    assert other["answer"].to_list() == ["card"] * 3
    columns = ["prompt_id", "answer", "confidence", "cost_usd"]  # what is cached costs in production what it did
    assert first.select(columns).equals(again.select(columns))
    assert first.select(columns).equals(last.select(columns))


def test_longer_prompts_cost_more() -> None:
    def answered(baseline: FewShot | OffTheShelf) -> float:
        model = Counting()
        table = asyncio.run(baseline.answer(frame("I lost my card"), KNOWN, TASK, model, Means()))
        return float(table["cost_usd"][0])

    bare = OffTheShelf(model="mini", base_url="http://localhost/v1", price=PRICE)
    assert answered(MINI) > 1.5 * answered(bare) > 0


class Counting(FakeModel):
    """A model whose replies came out of a cache: they are priced by their own tokens."""

    def __init__(self) -> None:
        super().__init__(lambda ask: "card")

    async def ask(self, ask: Ask) -> Reply:
        return msgspec.structs.replace(await super().ask(ask), cached=True, cost_usd=0.0)


@given(
    st.lists(
        st.sampled_from(["I lost my card", "fee?", "a much longer question about what is wrong with my card"]),
        min_size=1,
    )
)
def test_before_there_is_train_the_calls_are_as_long_as_those_to_come(texts: list[str]) -> None:
    guessed = MINI.asks(frame(*texts), None, TASK, Means())

    assert [len(ask.messages) for ask in guessed] == [2 + 2 * 3] * len(texts)
    for text, ask in zip(texts, guessed, strict=True):
        assert ask.messages[-1].content == text
        assert all(len(turn.content) >= len(text) for turn in ask.messages[1:-1:2])
        assert {turn.content for turn in ask.messages[2:-1:2]} == {"other"}


def test_it_cannot_be_asked_without_a_model() -> None:
    with pytest.raises(UserError, match="'mini few-shot' asks a model"):
        said(None, KNOWN, "a")


def test_no_other_split_can_be_learned_from() -> None:
    tune = cast("Train", Tune(KNOWN.frame))  # what a caller without a type checker would do

    with pytest.raises(TypeError, match="train only"):
        said(FakeModel({}), tune, "a")
    with pytest.raises(TypeError, match="train only"):
        MINI.asks(frame("a"), tune, TASK, Means())


def test_an_encoder_chooses_by_meaning(minilm: Path) -> None:
    baseline = FewShot(model="m", base_url="http://h/v1", examples=1, embedder="minilm")
    (ask,) = baseline.asks(frame("somebody stole it from my wallet"), KNOWN, TASK, Means(encoders=minilm))

    assert ask.messages[1].content == "my card was stolen"


def test_it_is_called_by_its_model_unless_named() -> None:
    table = {"kind": "few_shot", "model": "mini", "base_url": "replay:helpdesk"}

    assert build("baselines", table, key="kind", where="b").name == "mini few-shot"
    assert build("baselines", table | {"name": "small"}, key="kind", where="b").name == "small"
