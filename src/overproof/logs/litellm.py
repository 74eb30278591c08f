"""Read what LiteLLM's proxy logs: rows of `LiteLLM_SpendLogs`, and the standard logging payload."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, ClassVar

from overproof.core.types import FROM_CACHE, Exchange, Record, SetAside
from overproof.logs import answers, jsonl, openai, rows, turns
from overproof.logs.rows import BadRow, Row

REDACTED = ("redacted-by-litellm", "REDACTED_BY_LITELM")
CUT = "litellm_truncated"
"""What the proxy writes where it cut a long text before it went into the database."""
TAKEN = (
    *("model_group", "custom_llm_provider", "call_type", "team_id", "organization_id", "agent_id", "api_base"),
    *("model_id", "stream"),
)
"""Fields of a row that are kept as metadata."""
NAMED = ("user_api_key_alias", "user_api_key_team_alias", "user_api_key_org_alias")
_ANSWERS = ("completion", "responses", "messages", "generate_content", "chat")
_MARKS = frozenset({"spend", "response_cost", "model_group", "custom_llm_provider", "model_map_information"})
_NOTHING: tuple[object, ...] = (None, "", "{}", "[]", "null", {}, [])


class LiteLLMReader(Record):
    """Spend logs and logging payloads; which is which is told row by row."""

    name: str = "litellm"
    one_per_id: ClassVar[bool] = True
    fields: ClassVar[str] = (
        "`request_id` or `id`, `call_type`, `startTime`, `endTime`, `request_duration_ms`, `model`, "
        "`model_group`, `messages` or `proxy_server_request.messages`, `response`, `model_parameters` or the "
        "request's own, `spend` or `response_cost`, `prompt_tokens`, `completion_tokens`, `end_user`, "
        "`session_id` or `trace_id`, `request_tags`, `metadata`, `cache_hit`, `status`, `error_str`, "
        "`metadata.error_information`"
    )
    traps: ClassVar[str] = (
        "spend logs hold texts only with `store_prompts_in_spend_logs: true`, and `messages` may be `{}` all the "
        "same: then the request's are taken; long texts are cut by the proxy (`litellm_truncated`) and such rows "
        'set aside; an answer from the proxy\'s cache has metadata `cache_hit = "true"` and is counted; `status` '
        "other than success is a failed call; payload times are seconds; `response_time` is the time to the first "
        "token of a stream, so the latency is taken from the times; embeddings and the like are set aside; API "
        "keys and addresses are not kept"
    )

    def sniff(self, head: Sequence[bytes], path: Path) -> float:  # noqa: ARG002 - the seam's signature
        """Return the share of rows that LiteLLM wrote."""
        return jsonl.share(head, lambda row: _fits(_inner(row)))

    def read(self, stream: IO[bytes], source: str) -> Iterator[Exchange | SetAside]:
        """Yield every row in order."""
        return jsonl.exchanges(stream, source, exchange)


def exchange(row: Row, source: str) -> Exchange:
    """Return the call that `row` tells of; raise BadRow when its text or its outcome is not there."""
    row = _inner(row)
    _refuse(rows.text(row.get("call_type")) or "")
    about = rows.mapping(row.get("metadata"), "metadata")
    request = _request(row)
    failure, code = _failure(row, about)
    answer = None if failure else _answer(row)
    start, end = rows.when(row.get("startTime")), rows.when(row.get("endTime"))
    said = answers.tokens(row)
    return Exchange(
        id=rows.text(row.get("request_id") or row.get("id") or (answer.id if answer else None)) or source,
        source=source,
        at=start,
        model=rows.text(row.get("model_group") or row.get("model") or request.get("model")) or "",
        answered_by=(answer.model if answer else "") or rows.text(row.get("model")) or "",
        messages=_messages(row, request),
        parameters=_parameters(row, request),
        answer=None if answer is None else answer.text,
        finish_reason=None if answer is None else answer.finish,
        status=code,
        error=failure,
        user=rows.text(row.get("end_user") or None),  # `user` owns the key: all that an application asks is hers
        conversation=rows.text(row.get("session_id") or row.get("trace_id") or None),
        metadata=_metadata(row, about),
        input_tokens=said[0] if said[0] is not None or answer is None else answer.input_tokens,
        output_tokens=said[1] if said[1] is not None or answer is None else answer.output_tokens,
        cost_usd=rows.number(row.get("spend", row.get("response_cost"))),
        latency_ms=rows.number(row.get("request_duration_ms"))
        or ((end - start).total_seconds() * 1000 if start and end else None),
    )


def _inner(row: Row) -> Row:
    inner = row.get("standard_logging_object")
    return inner if isinstance(inner, dict) else row


def _fits(row: Row) -> bool:
    return "call_type" in row and "startTime" in row and bool(_MARKS & set(row))


def _refuse(kind: str) -> None:
    if kind and not any(word in kind.lower() for word in _ANSWERS):
        raise BadRow(f"not a model's answer: {kind}")


def _request(row: Row) -> Row:
    """Return the request's body as the proxy received it, {} where that was not logged."""
    request = rows.mapping(row.get("proxy_server_request"), "proxy_server_request")
    body = request.get("body")
    return body if isinstance(body, dict) else request


def _messages(row: Row, request: Row) -> Any:  # noqa: ANN401 - a tuple of messages
    found = next(
        (each for each in (row.get("messages"), request.get("messages"), request.get("input")) if each not in _NOTHING),
        None,
    )
    if found is None and isinstance(request.get("prompt"), str):
        found = request["prompt"]
    if found is None:
        raise BadRow("no messages: the proxy logs texts only with store_prompts_in_spend_logs")
    made = turns.turns(found, request.get("system") or request.get("instructions"))
    _whole([turn.content for turn in made])
    return made


def _answer(row: Row) -> answers.Answer:
    if row.get("response") in _NOTHING:
        raise BadRow("no response: the proxy logs texts only with store_prompts_in_spend_logs")
    answer = answers.read(row["response"])
    _whole([answer.text])
    return answer


def _whole(texts: Sequence[str]) -> None:
    if any(CUT in text for text in texts):
        raise BadRow("a text that the proxy cut (litellm_truncated)")
    if any(text in REDACTED for text in texts):
        raise BadRow("a text that the proxy left out (message logging was turned off)")


def _failure(row: Row, about: Row) -> tuple[str | None, int]:
    """Return why the call failed, if it did, and its status."""
    said = row.get("status") or about.get("status")
    told = next(
        (each for each in (row.get("error_information"), about.get("error_information")) if isinstance(each, dict)), {}
    )
    why = row.get("error_str") or told.get("error_message") or told.get("error_class")
    code = rows.status(said, failed=bool(why) and said is None)
    if 200 <= code < 300:
        return None, code
    return rows.error(why) or f"status {said}", rows.count(told.get("error_code")) or code


def _parameters(row: Row, request: Row) -> dict[str, Any]:
    """Return what can change the answer: from the payload, else from the request, never the proxy's own fields."""
    given = rows.mapping(row.get("model_parameters"), "model_parameters") or request
    tools = row.get("tools") or given.get("tools")
    found = {
        key: value
        for key, value in given.items()
        if key in openai.PARAMETERS or (key not in openai.NOT_PARAMETERS and key in _KNOWN)
    }
    if tools not in _NOTHING:
        found["tools"] = turns.tools(tools)
    return dict(rows.shallow({key: value for key, value in found.items() if value is not None}))


_KNOWN = frozenset(
    {"top_k", "max_output_tokens", "thinking", "reasoning", "text", "stop_sequences", "web_search_options"}
)


def _metadata(row: Row, about: Row) -> dict[str, str]:
    """Return what an application may slice by: tags, team, its own metadata; no keys, no addresses."""
    found = {name: text for name in TAKEN if (text := rows.text(row.get(name)))}
    found |= {name: text for name in NAMED if (text := rows.text(about.get(name)))}
    for name in ("spend_logs_metadata", "requester_metadata"):
        found |= rows.strings(about.get(name)) if isinstance(about.get(name), dict) else {}
    tags = row.get("request_tags")
    tags = rows.unpacked(tags) if isinstance(tags, str) else tags
    if isinstance(tags, list) and tags:
        found["request_tags"] = ",".join(rows.text(tag) or "" for tag in tags)
    if (rows.text(row.get("cache_hit")) or "").lower() == "true":
        found |= FROM_CACHE
    return found
