"""The OpenAI chat completion wire: the body an ask is sent as, and the reply a body is read as. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from overproof.core.protocols import Ask, Reply
from overproof.core.types import Message, Price
from overproof.models.prices import cost, tokens

NOT_SENT = frozenset({"model", "messages", "metadata", "stream", "stream_options", "n"})
"""Parameters of a logged request that are not sent again: every answer is asked for alone and read whole."""

_encode = msgspec.json.Encoder().encode


class Unreadable(ValueError):
    """A body that is not a chat completion; its text says why."""


# What a provider sends. Fields that are not named here are its own business.


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Answer(msgspec.Struct):
    content: str | list[dict[str, Any]] | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Answer
    finish_reason: str | None = None
    logprobs: Any = None


class _Token(msgspec.Struct):
    logprob: float


class _Logprobs(msgspec.Struct):
    content: list[_Token]


class _Completion(msgspec.Struct):
    choices: list[_Choice] = []
    model: str | None = None
    usage: _Usage | None = None
    error: Any = None


_decode = msgspec.json.Decoder(_Completion).decode


def body(model: str, ask: Ask, send_metadata: Collection[str], *, seeded: bool = True) -> bytes:
    """Return the request body for `ask`; of its metadata only the keys in `send_metadata` go out.

    A sample after the first asks for another draw: `seed` is the sample's number, added to the ask's own seed if it
    has one. `seeded=False` leaves it out, for providers that refuse the parameter.
    """
    request: dict[str, Any] = {"model": model, "messages": [_turn(message) for message in ask.messages]}
    if NOT_SENT.isdisjoint(ask.parameters):
        request.update(ask.parameters)
    else:
        request.update({name: value for name, value in ask.parameters.items() if name not in NOT_SENT})
    if ask.sample and seeded:
        own = ask.parameters.get("seed")
        request["seed"] = ask.sample + (own if isinstance(own, int) else 0)
    if send_metadata and (sent := sendable(ask.metadata, send_metadata)):
        request["metadata"] = sent
    return _encode(request)


def sendable(metadata: Mapping[str, str], send_metadata: Collection[str]) -> dict[str, str]:
    """Return the part of `metadata` that may leave the house."""
    return {key: metadata[key] for key in send_metadata if key in metadata}


def reply(data: bytes, ask: Ask, price: Price | None, latency_ms: float) -> Reply:
    """Return the reply that a body with status 200 holds; raise `Unreadable` when it holds none.

    Where the provider reports no usage, the cost rests on an estimate of the tokens: unreported is not free.
    """
    try:
        completion = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as wrong:
        raise Unreadable(f"the body is not a chat completion ({wrong})") from wrong
    if not completion.choices:
        raise Unreadable(error_text(data) if completion.error else "the body holds no choices")
    choice, usage = completion.choices[0], completion.usage or _Usage()
    text, finish_reason = _text(choice)
    asked, answered = usage.prompt_tokens, usage.completion_tokens
    dollars = 0.0
    if price is not None:
        dollars = cost(
            price, _input_tokens(ask) if asked is None else asked, tokens(text or "") if answered is None else answered
        )
    return Reply(
        text=text,
        finish_reason=finish_reason,
        input_tokens=asked,
        output_tokens=answered,
        cost_usd=dollars,
        latency_ms=latency_ms,
        answered_by=completion.model or "",
        logprob=_logprob(choice),
    )


class Complaint(msgspec.Struct):
    """What an error body says, in the shape most providers share."""

    message: str = ""
    code: str | int | None = None
    type: str | None = None


def complaint(data: bytes) -> Complaint | None:
    """Return the error that a body describes in OpenAI's shape, None when it has another."""
    try:
        found = msgspec.json.decode(data)
        inner = found.get("error") if isinstance(found, dict) else None
        return msgspec.convert(inner, Complaint) if isinstance(inner, dict) else None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def error_text(data: bytes, limit: int = 200) -> str:
    """Return what an error body says for people, at most `limit` characters on one line."""
    said = complaint(data)
    text = said.message if said and said.message else data.decode("utf-8", "replace")
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _turn(message: Message) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.extra:
        turn.update(message.extra)
    return turn


def _text(choice: _Choice) -> tuple[str | None, str | None]:
    """Return the answer's text and why it ended; a refusal told apart by the provider stays told apart."""
    message = choice.message
    if message.refusal and not message.content:
        return message.refusal, "content_filter"
    if isinstance(message.content, list):
        parts = [part["text"] for part in message.content if isinstance(part.get("text"), str)]
        return "\n".join(parts), choice.finish_reason
    return message.content, choice.finish_reason


def _logprob(choice: _Choice) -> float | None:
    """Return the sum over the answer's tokens; providers send it only when the ask's own parameters want it.

    In another shape than OpenAI's it is left out: an answer that was paid for is not lost over it.
    """
    try:
        content = msgspec.convert(choice.logprobs, _Logprobs).content
    except msgspec.ValidationError:
        return None
    return sum(token.logprob for token in content) if content else None


def _input_tokens(ask: Ask) -> int:
    return sum(tokens(message.content) for message in ask.messages)
