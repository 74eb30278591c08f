from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.core.chance import canonical
from overproof.logs.openai import NOT_PARAMETERS, OpenAIReader, exchange
from overproof.logs.rows import BadRow

MESSAGES = [{"role": "system", "content": "Sort."}, {"role": "user", "content": "Where is it?"}]


def response(text: str | None = "shipping", **message: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of the record
    return {
        "id": "chatcmpl-1",
        "model": "big-2026-05-01",
        "created": 1788782400,
        "usage": {"prompt_tokens": 20, "completion_tokens": 3},
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text, **message}}
        ],
    }


def row(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of the record
    request = {"model": "big", "temperature": 0.0, "max_tokens": 8, "messages": MESSAGES, "user": "u1"}
    return {"id": "r1", "request": request, "response": response(), **fields}


def test_a_plain_pair_is_read_whole() -> None:
    found = exchange(row(timestamp="2026-09-07T12:00:00Z", status=200, latency_ms=480, gold="shipping"), "log:1")

    assert (found.id, found.source, found.model, found.answered_by) == ("r1", "log:1", "big", "big-2026-05-01")
    assert [(each.role, each.content) for each in found.messages] == [("system", "Sort."), ("user", "Where is it?")]
    assert found.parameters == {"temperature": 0.0, "max_tokens": 8}
    assert (found.answer, found.finish_reason, found.status, found.error) == ("shipping", "stop", 200, None)
    assert (found.user, found.gold, found.input_tokens, found.output_tokens) == ("u1", "shipping", 20, 3)
    assert (found.latency_ms, found.at) == (480.0, datetime(2026, 9, 7, 12, tzinfo=UTC))


def test_request_and_response_may_be_json_texts() -> None:
    packed = {"id": "r1", "request": json.dumps(row()["request"]), "response": json.dumps(response())}

    assert exchange(packed, "log:1") == exchange(row(), "log:1")


def test_a_batch_result_is_read_from_its_body() -> None:
    found = exchange(
        {
            "id": "batch_req_9",
            "custom_id": "mine",
            "request": row()["request"],
            "response": {"status_code": 200, "request_id": "q", "body": response()},
            "error": None,
        },
        "log:1",
    )

    assert (found.id, found.answer, found.status) == ("mine", "shipping", 200)


def test_a_flat_row_is_read_with_the_parameters_that_are_known() -> None:
    found = exchange(
        {"model": "big", "messages": MESSAGES, "temperature": 0.5, "tier": "pro", "response": response()}, "log:1"
    )

    assert found.parameters == {"temperature": 0.5}
    assert found.metadata == {"tier": "pro"}


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({"status": 503, "response": {"error": {"message": "overloaded", "type": "server"}}}, 503, "overloaded"),
        ({"status": 429, "response": None}, 429, "status 429"),
        ({"response": None, "error": "timed out"}, 500, "timed out"),
        ({"response": {"error": {"code": 7}}}, 500, '{"code":7}'),
        ({"response": {"status_code": 400, "body": {"error": {"message": "bad"}}}}, 400, "bad"),
        ({"status": "failure", "response": None}, 500, "status failure"),
        ({"status": 500}, 500, "status 500"),
    ],
)
def test_a_failed_call_is_a_call_that_happened(fields: dict[str, Any], status: int, error: str) -> None:
    found = exchange(row(**fields), "log:1")

    assert (found.answer, found.status, found.error) == (None, status, error)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"response": response()}, "no request"),
        (row(request={"model": "big"}), "no messages"),
        (row(request="{broken"), "request is not a JSON object"),
        (row(request=[1]), "request is not a JSON object"),
        (row(response=None), "no response"),
        (row(response="{broken"), "response is not a JSON object"),
        (row(response={"id": "x"}), "a response without choices"),
        (row(response={"choices": []}), "a response without choices"),
        (row(response={"choices": [{}]}), "a choice without a message"),
        (row(timestamp="soon"), "a time in an unknown form"),
    ],
)
def test_what_is_missing_is_named(bad: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRow) as caught:
        exchange(bad, "log:1")

    assert str(caught.value) == reason


def test_a_missing_id_is_made_from_the_place_where_the_response_has_none() -> None:
    nameless = row(response={**response(), "id": None})
    del nameless["id"]

    assert exchange(nameless, "log:7").id == "log:7"
    assert exchange({**nameless, "response": response()}, "log:7").id == "chatcmpl-1"


def test_an_id_of_zero_is_an_id() -> None:
    assert exchange(row(id=0), "log:7").id == "0"


def test_a_cost_of_zero_is_a_cost() -> None:
    priced = response()
    priced["usage"]["cost"] = 0.02

    assert exchange(row(cost=0.0, response=priced), "log:1").cost_usd == 0.0
    assert exchange(row(response=priced), "log:1").cost_usd == 0.02


@pytest.mark.parametrize("key", ["conversation_id", "session_id", "thread_id"])
def test_a_conversation_is_found_in_the_row_and_in_metadata(key: str) -> None:
    inside = row()
    inside["request"]["metadata"] = {key: "c1"}

    assert exchange(row(**{key: "c1"}), "log:1").conversation == "c1"
    assert exchange(inside, "log:1").conversation == "c1"


def test_the_release_that_answered_is_known_only_by_its_own_name() -> None:
    assert exchange(row(metadata={"overproof_release": "r-7", "release": "app-2026"}), "log:1").release == "r-7"
    assert exchange(row(metadata={"release": "app-2026"}), "log:1").release is None


def test_the_time_of_the_response_serves_where_the_row_has_none() -> None:
    assert exchange(row(), "log:1").at == datetime(2026, 9, 7, 12, tzinfo=UTC)


def test_a_refusal_is_an_answer() -> None:
    assert exchange(row(response=response(None, refusal="I cannot.")), "log:1").answer == "I cannot."


def test_a_call_of_tools_is_an_answer_without_the_calls_own_ids() -> None:
    """Ids are drawn anew for every call: with them, no two answers would agree."""
    function = {"name": "sort", "arguments": '{"as": "shipping"}'}
    alone = exchange(row(response=response(None, tool_calls=[{"id": "c7", "function": function}])), "log:1")
    both = exchange(row(response=response("I will.", tool_calls=[{"id": "c8", "function": function}])), "log:1")

    assert alone.answer == '{"tool_calls":[{"arguments":{"as":"shipping"},"name":"sort"}]}'
    assert both.answer == '{"content":"I will.","tool_calls":[{"arguments":{"as":"shipping"},"name":"sort"}]}'


def chunk(delta: dict[str, Any], finish: str | None = None, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of the record
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "s1", "object": "chat.completion.chunk", "model": "big-1", "choices": [choice], **fields}


CHUNKS = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "ship"}),
    chunk({"content": "ping"}),
    chunk({}, "stop"),
    {"id": "s1", "choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": 3}},
]


@pytest.mark.parametrize(
    "streamed",
    [CHUNKS, json.dumps(CHUNKS), "".join(f"data: {json.dumps(each)}\n\n" for each in CHUNKS) + "data: [DONE]\n"],
    ids=["list", "json text", "server-sent events"],
)
def test_chunks_of_a_stream_are_put_together(streamed: object) -> None:
    found = exchange(row(response=streamed), "log:1")

    assert (found.answer, found.finish_reason, found.answered_by) == ("shipping", "stop", "big-1")
    assert (found.input_tokens, found.output_tokens) == (20, 3)


def test_tool_calls_of_a_stream_are_put_together_by_their_index() -> None:
    def called(index: int, **function: str) -> dict[str, Any]:
        return {"tool_calls": [{"index": index, "function": function}]}

    deltas = [called(0, name="a", arguments=""), called(1, name="b", arguments="{}"), called(0, arguments='{"x":1}')]

    found = exchange(row(response=[chunk(each) for each in deltas]), "log:1")

    assert found.answer == '{"tool_calls":[{"arguments":{"x":1},"name":"a"},{"arguments":{},"name":"b"}]}'


def test_the_responses_api_is_read() -> None:
    request = {"model": "big", "instructions": "Sort.", "input": "Where is it?", "temperature": 0}
    output = [
        {"type": "reasoning", "summary": []},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "shipping"}]},
    ]
    body = {"id": "resp_1", "object": "response", "status": "completed", "created_at": 1788782400, "output": output}

    found = exchange(
        {"request": request, "response": {**body, "usage": {"input_tokens": 9, "output_tokens": 1}}}, "l:1"
    )

    assert [(each.role, each.content) for each in found.messages] == [("system", "Sort."), ("user", "Where is it?")]
    assert (found.id, found.answer, found.finish_reason, found.input_tokens) == ("resp_1", "shipping", "completed", 9)
    assert found.parameters == {"temperature": 0}


def test_the_older_completions_are_read() -> None:
    found = exchange(
        {"request": {"model": "big", "prompt": "Where?"}, "response": {"choices": [{"text": "there"}]}}, "log:1"
    )

    assert (found.messages[0].content, found.answer) == ("Where?", "there")


def test_the_clients_keys_are_never_kept() -> None:
    secret = row()
    secret["request"] |= {"api_key": "sk-secret", "extra_headers": {"authorization": "Bearer x"}}

    assert b"sk-secret" not in canonical(exchange(secret, "log:1"))
    assert b"Bearer" not in canonical(exchange(secret, "log:1"))


@given(
    st.dictionaries(
        st.sampled_from(["temperature", "top_p", "stop", "tools", "response_format", "new_one"]),
        st.integers() | st.text() | st.lists(st.text()),
    )
)
def test_every_field_that_can_change_the_answer_is_a_parameter(fields: dict[str, Any]) -> None:
    assert not set(fields) & NOT_PARAMETERS
    asked = row()
    asked["request"] = {
        "model": "big",
        "messages": MESSAGES,
        "stream": True,
        "stream_options": {},
        "store": True,
        **fields,
    }

    assert exchange(asked, "log:1").parameters == fields


def test_it_knows_its_own_rows() -> None:
    reader = OpenAIReader()
    own = json.dumps(row()).encode()

    assert reader.sniff([own, own], Path("x.jsonl")) == 1.0
    assert reader.sniff([own, b"broken"], Path("x.jsonl")) == 0.5
    assert reader.sniff([b'{"input": "a", "output": "b"}'], Path("x.jsonl")) == 0.0


def test_log_probabilities_are_read_where_the_log_has_them() -> None:
    told = response()
    tokens = [{"token": "ship", "logprob": -0.5}, {"token": "ping", "logprob": 0.0}]
    told["choices"][0]["logprobs"] = {"content": tokens}

    assert exchange(row(response=told), "log:1").logprob == -0.5
    assert exchange(row(), "log:1").logprob is None
