"""Reading the varying part of a request."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overproof.core.errors import UserError
from overproof.core.tables import frame
from overproof.core.types import Exchange, Message
from overproof.tasks.inputs import extract, extract_column

TALK = (
    Message(role="system", content="Sort it."),
    Message(role="user", content="first", extra={"name": "Ada"}),
    Message(role="assistant", content="and?"),
    Message(role="user", content="second"),
)
PARAMETERS = {"temperature": 0.0, "tools": [{"name": "look up"}], "a b": "spaced"}


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("last_user", "second"),
        ("all", "user: first\n\nassistant: and?\n\nuser: second"),
        ("$.messages[1].content", "first"),
        ("$.messages[-1].content", "second"),
        ("$['messages'][1]['name']", "Ada"),
        ("$.messages[9].content", None),
        ("$.messages.content", None),
        ("$.temperature", "0"),
        ("$.tools[0]", '{"name":"look up"}'),
        ("$['a b']", "spaced"),
        ("$.nothing.there", None),
    ],
)
def test_each_way_reads_its_own_part(how: str, expected: str | None) -> None:
    assert extract(TALK, PARAMETERS, how) == expected


def test_a_single_turn_stands_without_its_role() -> None:
    assert extract(TALK[:2], {}, "all") == "first"


@pytest.mark.parametrize("messages", [(), (TALK[0],), (Message(role="user", content=" \n"),)])
def test_a_request_without_the_part_has_no_input(messages: tuple[Message, ...]) -> None:
    assert extract(messages, {}, "last_user") is None
    assert extract(messages, {}, "all") is None


@pytest.mark.parametrize(
    ("how", "fault"),
    [
        ("last user", "no known way"),
        ("$", "leads nowhere"),
        ("$.messages[*].content", r"cannot be followed from '\[\*\]\.content'"),
        ("$.messages[0", r"from '\[0'"),
        ("$messages", "from 'messages'"),
    ],
)
def test_a_bad_path_says_from_where_and_what_would_do(how: str, fault: str) -> None:
    with pytest.raises(UserError, match=f"{fault}.*write 'last_user'"):
        extract(TALK, {}, how)


turns = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant"]),
    content=st.text(max_size=3),
    extra=st.dictionaries(st.sampled_from(["name", "role"]), st.text(max_size=2), max_size=1),
)
calls = st.tuples(st.lists(turns, max_size=3), st.dictionaries(st.sampled_from("ab"), st.integers(), max_size=2))


@settings(deadline=None)  # the first example imports and builds tables
@given(
    st.lists(calls, max_size=6),
    st.sampled_from(["last_user", "all", "$.messages[0].content", "$.messages[-1].name", "$.a", "$.messages"]),
)
def test_a_column_holds_what_each_request_would_give(
    requests: list[tuple[list[Message], dict[str, Any]]], how: str
) -> None:
    exchanges = [
        Exchange(id=str(i), source="x:1", messages=tuple(messages), parameters=parameters)
        for i, (messages, parameters) in enumerate(requests)
    ]

    column = extract_column(frame(exchanges, Exchange), how)

    assert column.to_list() == [extract(each.messages, each.parameters, how) for each in exchanges]


SAID = st.text(max_size=12) | st.sampled_from(
    ["", "  ", '","role":"user"}]', '{"content":"', "\\", "a\nb", "é", "…", "\x1c"]
)
TURNS = st.lists(
    st.builds(
        Message,
        role=st.sampled_from(["system", "user", "assistant", "tool"]),
        content=SAID,
        extra=st.sampled_from([{}, {}, {"name": "x"}, {"content": [{"content": "a", "extra": {}, "role": "user"}]}]),
    ),
    min_size=1,
    max_size=3,
)


@settings(deadline=None)
@given(st.lists(TURNS, min_size=1, max_size=6))
def test_a_column_is_read_as_each_request_by_itself(requests: list[list[Message]]) -> None:
    """However the last turn is found in the JSON of many."""
    rows = [Exchange(id=str(i), source="", messages=tuple(turns)) for i, turns in enumerate(requests)]
    found = extract_column(frame(rows, Exchange), "last_user")

    assert found.to_list() == [extract(turns, {}, "last_user") for turns in requests]
