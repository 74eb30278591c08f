from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.core.protocols import Ask, Reply
from overproof.core.types import Message, Price
from overproof.models import wire
from overproof.models.prices import tokens

PRICE = Price(input=2.0, output=8.0)
HELLO = Ask(messages=(Message(role="user", content="hello"),))


def sent(ask: Ask, *keys: str, seeded: bool = True) -> dict[str, object]:
    found: dict[str, object] = msgspec.json.decode(wire.body("big", ask, keys, seeded=seeded))
    return found


def answer(message: dict[str, object], **more: object) -> bytes:
    return msgspec.json.encode({"choices": [{"message": message, "finish_reason": "stop"}], **more})


def test_a_turn_goes_out_as_it_was_logged() -> None:
    picture = [{"type": "image_url", "image_url": {"url": "https://pictures.test/1"}}]
    turns = (
        Message(role="system", content="be brief"),
        Message(role="user", content="", extra={"content": picture, "name": "ada"}),
    )

    assert sent(Ask(messages=turns))["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": picture, "name": "ada"},
    ]


def test_parameters_go_along_but_for_those_about_the_way_of_answering() -> None:
    parameters = {"temperature": 0, "tools": [1], "stream": True, "n": 3, "model": "other", "messages": []}

    body = sent(Ask(messages=HELLO.messages, parameters=parameters))

    assert body == {"model": "big", "messages": [{"role": "user", "content": "hello"}], "temperature": 0, "tools": [1]}


def test_only_named_metadata_leaves_the_house() -> None:
    ask = Ask(messages=HELLO.messages, metadata={"ticket": "t1", "tier": "pro"})

    assert "metadata" not in sent(ask)
    assert "metadata" not in sent(ask, "absent")
    assert sent(ask, "ticket", "absent")["metadata"] == {"ticket": "t1"}


def test_log_probabilities_are_asked_for_only_where_the_prompt_itself_does() -> None:
    assert "logprobs" not in sent(HELLO)
    assert sent(Ask(messages=HELLO.messages, parameters={"logprobs": True}))["logprobs"] is True


@pytest.mark.parametrize(
    ("told", "logprob"),
    [
        ({"content": [{"token": "bil", "logprob": -0.25}, {"token": "ling", "logprob": -0.5}]}, -0.75),
        ({"content": []}, None),
        ({"content": None, "refusal": None}, None),
        ({"tokens": ["bil"], "token_logprobs": [-0.25]}, None),
        ("none", None),
        (None, None),
    ],
)
def test_the_log_probabilities_of_the_answers_tokens_are_summed(told: object, logprob: float | None) -> None:
    """In a shape of the provider's own they are left out; the answer stays."""
    choice = {"message": {"content": "billing"}, "finish_reason": "stop", "logprobs": told}

    reply = wire.reply(msgspec.json.encode({"choices": [choice]}), HELLO, None, 1.0)

    assert (reply.text, reply.logprob) == ("billing", logprob)


def test_further_samples_ask_for_another_draw() -> None:
    def seeds(parameters: dict[str, object]) -> list[object]:
        asks = [Ask(messages=HELLO.messages, parameters=parameters, sample=i) for i in range(3)]
        return [sent(ask).get("seed") for ask in asks]

    assert seeds({}) == [None, 1, 2]
    assert seeds({"seed": 42}) == [42, 43, 44]


def test_the_seed_can_be_left_out_for_providers_that_refuse_it() -> None:
    assert "seed" not in sent(Ask(messages=HELLO.messages, sample=2), seeded=False)


def test_an_answer_is_read_with_what_it_cost() -> None:
    data = answer({"content": "yes"}, model="big-2026", usage={"prompt_tokens": 1000, "completion_tokens": 500})

    reply = wire.reply(data, HELLO, PRICE, 12.5)

    assert reply == Reply(
        text="yes",
        finish_reason="stop",
        input_tokens=1000,
        output_tokens=500,
        cost_usd=0.006,
        latency_ms=12.5,
        answered_by="big-2026",
    )


def test_unreported_usage_is_not_free() -> None:
    reply = wire.reply(answer({"content": "yes"}), HELLO, PRICE, 1.0)

    assert reply.input_tokens is None
    assert reply.cost_usd == pytest.approx((tokens("hello") * 2 + tokens("yes") * 8) / 1e6)


def test_text_in_parts_is_joined() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "other"}, {"type": "text", "text": "b"}]

    assert wire.reply(answer({"content": parts}), HELLO, None, 1.0).text == "a\nb"


def test_a_refusal_is_an_answer_that_says_so() -> None:
    reply = wire.reply(answer({"content": None, "refusal": "I cannot."}), HELLO, None, 1.0)

    assert (reply.text, reply.finish_reason, reply.error) == ("I cannot.", "content_filter", None)


@pytest.mark.parametrize(
    "data",
    [b"", b"<html>", b'{"choices": []}', b"[]", b"null", b'{"choices": [{"message": "x"}]}', b"\xff\xfe", b'{"choi'],
)
def test_what_is_no_completion_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(wire.Unreadable):
        wire.reply(data, HELLO, PRICE, 1.0)


def test_an_error_that_came_with_status_200_is_told() -> None:
    with pytest.raises(wire.Unreadable, match="upstream is gone"):
        wire.reply(b'{"error": {"message": "upstream is gone", "code": 502}}', HELLO, PRICE, 1.0)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "message", "content", "error", "usage", "model"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(st.one_of(st.binary(max_size=60), json.map(msgspec.json.encode)))
def test_any_body_is_an_answer_or_unreadable_and_nothing_else(data: bytes) -> None:
    for reading in (lambda: wire.reply(data, HELLO, PRICE, 1.0), lambda: wire.error_text(data)):
        try:
            found: Reply | str = reading()
        except wire.Unreadable:
            continue

        assert isinstance(found, Reply | str)


def test_a_server_error_text_stays_on_one_line() -> None:
    assert wire.error_text(b'{"error": {"message": "a\\n  b"}}') == "a b"
