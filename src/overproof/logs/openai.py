"""Read request/response pairs in the shape of the OpenAI API, one JSON object per line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, ClassVar

from overproof.core.types import Exchange, Message, Record, SetAside
from overproof.logs import answers, jsonl, rows, streams, turns
from overproof.logs.rows import BadRow, Row

REQUEST = ("request", "request_body", "body")
RESPONSE = ("response", "response_body")
NOT_PARAMETERS = frozenset(
    {
        *("messages", "prompt", "model", "user", "metadata", "store", "stream", "stream_options", "safety_identifier"),
        *("service_tier", "prompt_cache_key", "prompt_cache_retention", "timeout", "headers", "extra_headers"),
        *("api_key", "api_base", "api_version", "base_url", "input", "instructions"),
    }
)
"""Fields of a request that cannot change the answer, and the client's own settings, keys among them: never kept."""
PARAMETERS = frozenset(
    {
        *("temperature", "top_p", "max_tokens", "max_completion_tokens", "stop", "seed", "n", "tools", "tool_choice"),
        *("response_format", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "top_logprobs"),
        *("reasoning_effort", "verbosity", "parallel_tool_calls", "functions", "function_call"),
    }
)
"""Fields that can, where the request's own are mixed with the row's."""
WORDS = frozenset({"stop", "tool_choice", "reasoning_effort", "verbosity", "function_call"})
"""Those whose value may be a word."""
OWN = PARAMETERS | {*REQUEST, *RESPONSE, "messages", "method", "url", "object", "stream", "store"}


class OpenAIReader(Record):
    """Request/response pairs: `{"request": {...}, "response": {...}}` with what the logger knew around them."""

    name: str = "openai"
    general: ClassVar[bool] = True
    holds_gold: ClassVar[bool] = True
    fields: ClassVar[str] = (
        "`request` (or `request_body`, `body`), or `messages` and parameters in the row itself; `response` (or "
        "`response_body`): a chat completion, an older completion, a response of the Responses API, chunks of a "
        "stream as a list; what stands around them by the names below"
    )
    traps: ClassVar[str] = (
        "either may be JSON text; only the first choice is read; keys and headers of the client are never kept; a "
        "status other than 2xx or an `error` makes a failed call"
    )

    def sniff(self, head: Sequence[bytes], path: Path) -> float:  # noqa: ARG002 - the seam's signature
        """Return the share of rows that hold a request and what became of it."""
        return jsonl.share(head, _fits)

    def read(self, stream: IO[bytes], source: str) -> Iterator[Exchange | SetAside]:
        """Yield every row in order."""
        return jsonl.exchanges(stream, source, exchange)


def exchange(row: Row, source: str) -> Exchange:
    """Return the call that `row` tells of; raise BadRow when its request or its outcome is not there."""
    known, rest = rows.fields(row, OWN)
    request, parameters = _request(row)
    response, code, failure = _response(row, known)
    metadata = rest | rows.strings(known.get("metadata")) | rows.strings(request.get("metadata"))
    answer, finish_reason = (None, None) if failure else _first_choice(response)
    usage = response.get("usage") or known.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    return Exchange(
        id=rows.text(known.get("id", response.get("id"))) or source,
        source=source,
        at=rows.when(known.get("at", response.get("created", response.get("created_at")))),
        model=rows.text(request.get("model", known.get("model"))) or "",
        answered_by=rows.text(response.get("model")) or "",
        release=rows.text(known.get("release")) or rows.first("release", metadata),
        messages=_messages(request),
        parameters=parameters,
        answer=answer,
        finish_reason=finish_reason,
        status=code,
        error=failure,
        user=rows.text(rows.first("user", request) or known.get("user")),
        conversation=rows.text(known.get("conversation")) or rows.first("conversation", metadata),
        metadata=metadata,
        gold=rows.text(known.get("gold")),
        input_tokens=_tokens("input_tokens", usage, known),
        output_tokens=_tokens("output_tokens", usage, known),
        cost_usd=rows.number(known.get("cost_usd", usage.get("cost"))),
        latency_ms=rows.latency_ms(known),
        logprob=None if failure else rows.logprob(response),
    )


def _tokens(name: str, usage: Row, known: Row) -> int | None:
    """Return a count of tokens, none of them included."""
    said = rows.first(name, usage)
    return rows.count(known.get(name) if said is None else said)


def _fits(row: Row) -> bool:
    asked = any(isinstance(row.get(name), dict | str) for name in REQUEST) or "messages" in row
    return asked and (any(name in row for name in RESPONSE) or "error" in row)


def _request(row: Row) -> tuple[Row, dict[str, Any]]:
    """Return the request, and those of its fields that can change the answer."""
    for name in REQUEST:
        if row.get(name):
            request = rows.mapping(row[name], "request")
            found = {key: value for key, value in request.items() if key not in NOT_PARAMETERS and value is not None}
            return request, rows.shallow(found)
    if "messages" not in row:
        raise BadRow("no request")
    return row, of_row(row)


def of_row(row: Row) -> dict[str, Any]:
    """Return the parameters that stand in the row itself, where a table may hold them as text."""
    found = {key: row[key] for key in PARAMETERS if row.get(key) is not None}
    for key, value in found.items():
        if isinstance(value, str) and key not in WORDS:
            found[key] = rows.unpacked(value)
    return dict(rows.shallow(found))


def _messages(request: Row) -> tuple[Message, ...]:
    prompt = request.get("prompt")
    if isinstance(prompt, str) and "messages" not in request:  # the older completions API
        return (Message(role="user", content=prompt),)
    if "input" in request and "messages" not in request:  # the Responses API
        return turns.turns(request["input"], request.get("instructions"))
    return rows.messages(request.get("messages"))


def _response(row: Row, known: Row) -> tuple[Row, int, str | None]:
    """Return the response's body, its status, and why it failed if it did."""
    response = _whole(row.get("response") or row.get("response_body"))
    said = known.get("status", response.get("status_code"))
    if response.get("body") is not None:  # as the Batch API writes it
        response = rows.mapping(response["body"], "response body")
    failure = rows.error(known.get("error")) or rows.error(response.get("error"))
    code = rows.status(said, failed=failure is not None)
    if failure is None and not 200 <= code < 300:
        failure = f"status {said}"
    return response, code, failure


def _whole(response: object) -> Row:
    """Return a response's body, chunks of a stream put together."""
    if isinstance(response, str) and response.startswith(("[", "data:")):
        response = streams.events(response) if response.startswith("data:") else rows.unpacked(response)
    if isinstance(response, list):
        response = streams.assembled(response) or response
    return rows.mapping(response, "response")


def _first_choice(response: Row) -> tuple[str, str | None]:
    """Return the text of the first choice and why it ended."""
    if not response:
        raise BadRow("no response")
    choices = response.get("choices")
    if choices is None and isinstance(response.get("output"), list):
        found = answers.read(response)
        return found.text, found.finish
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise BadRow("a response without choices")
    choice = choices[0]
    finish_reason = rows.text(choice.get("finish_reason"))
    message = choice.get("message")
    if not isinstance(message, dict):
        if isinstance(choice.get("text"), str):
            return choice["text"], finish_reason
        raise BadRow("a choice without a message")
    if message.get("tool_calls") or message.get("function_call"):
        return answers.read(response).text, finish_reason
    answer, _ = rows.content(message.get("content"))
    refusal = message.get("refusal")
    return answer or (refusal if isinstance(refusal, str) else ""), finish_reason
