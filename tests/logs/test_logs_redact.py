from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.core import tables
from overproof.core.types import Exchange, Message, SetAside
from overproof.logs.redact import redact_set_aside, redact_table
from overproof.tasks.redact import pseudonym, redact_record

TEXTS = st.lists(
    st.sampled_from(
        ["a@b.example", "A@B.example", "+44 7700 900461", "call 555-0142", "[EMAIL_3]", "1", "+", "\n", "a"]
    ),
    max_size=6,
).map("".join) | st.text(max_size=30)


def exchange(**fields: Any) -> Exchange:  # noqa: ANN401 - any field of the record
    messages = fields.pop("messages", (Message(role="user", content=fields.pop("text", "hello")),))
    return Exchange(id=fields.pop("id", "r1"), source="f:1", messages=messages, **fields)


def redacted(found: Exchange) -> Exchange:
    table, _ = redact_table(tables.frame([found], Exchange))
    assert table.schema == tables.schema(Exchange)
    return next(tables.records(table, Exchange))


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4))
def test_a_table_is_masked_like_its_records(rows: list[tuple[str, str]]) -> None:
    table = tables.frame(
        [exchange(id=f"r{i}", text=asked, answer=answer) for i, (asked, answer) in enumerate(rows)], Exchange
    )

    masked, counts = redact_table(table)

    expected = [redact_record(["user", asked, answer]) for asked, answer in rows]
    got = list(tables.records(masked, Exchange))
    assert [(each.messages[0].content, each.answer) for each in got] == [texts[1:] for texts, _ in expected]
    assert counts == sum((found for _, found in expected), type(expected[0][1])())


def test_contents_are_masked_and_not_their_json() -> None:
    """A newline before a number is `\\n` in JSON text, and a quote behind an address is escaped."""
    found = redacted(exchange(text='"a@b.example"\n+44 7700 900461\t"quoted" \\ and é'))

    assert found.messages[0].content == '"[EMAIL_1]"\n[PHONE_1]\t"quoted" \\ and é'


def test_every_part_of_a_record_is_masked_with_the_same_numbers() -> None:
    mail = "a@b.example"
    call = {"function": {"name": "send", "arguments": f'{{"to": "{mail}"}}'}}
    found = redacted(
        exchange(
            messages=(
                Message(role="system", content="x@y.example"),
                Message(role="assistant", content=mail, extra={"tool_calls": [call]}),
            ),
            answer=mail,
            gold=mail,
            error=mail,
            parameters={"stop": [mail], "seed": 1234567890123},
            metadata={"mail": mail, "tier": "pro"},
        )
    )

    assert found.messages[1].extra["tool_calls"][0]["function"]["arguments"] == '{"to": "[EMAIL_2]"}'
    assert {found.messages[1].content, found.answer, found.gold, found.error} == {"[EMAIL_2]"}
    assert found.parameters == {"stop": ["[EMAIL_2]"], "seed": 1234567890123}
    assert found.metadata == {"mail": "[EMAIL_2]", "tier": "pro"}


def test_a_fields_name_says_what_its_digits_are() -> None:
    found = redacted(exchange(metadata={"phone": "6005550142", "order": "6005550143", "api_token": "q8Zr2LwX91vTn4Kc"}))

    assert found.metadata == {"phone": "[PHONE_1]", "order": "6005550143", "api_token": "[KEY_1]"}


def test_pictures_are_left_alone() -> None:
    data = "data:image/png;base64," + "+12025550143" * 1000
    found = exchange(messages=(Message(role="user", content="a@b.example", extra={"content": [{"image_url": data}]}),))

    assert redacted(found).messages[0].extra == {"content": [{"image_url": data}]}


def test_users_who_are_addresses_or_numbers_get_a_stable_name() -> None:
    users = ["ann@b.example", "+44 7700 900461", "447700900461", "u17", "m0691", None]
    table = tables.frame([exchange(id=f"r{i}", user=user) for i, user in enumerate(users * 2)], Exchange)

    masked, _ = redact_table(table)
    names = masked["user"].to_list()

    assert names[:6] == names[6:]
    assert names[3:6] == ["u17", "m0691", None]
    assert names[0] == pseudonym("ann@b.example")
    assert all(name.startswith("user-") and len(name) == 17 for name in names[:3])
    assert len(set(names[:3])) == 3


def test_ids_and_conversations_that_hold_an_address_are_replaced_and_others_stay() -> None:
    found = redacted(exchange(id="a@b.example/3", conversation="thread of a@b.example"))

    assert found.id.startswith("request-")
    assert (found.conversation or "").startswith("conversation-")
    assert redacted(exchange(id="4477009004610000", conversation="c 1")).id == "4477009004610000"


def test_rows_without_anything_private_are_untouched() -> None:
    table = tables.frame([exchange(text="order 5523091", parameters={"temperature": 0.0})], Exchange)

    masked, counts = redact_table(table)

    assert masked.equals(table)
    assert counts == {}


def test_an_empty_table_stays_one() -> None:
    masked, counts = redact_table(tables.frame([], Exchange))

    assert (masked.height, counts) == (0, {})
    assert isinstance(masked, pl.DataFrame)


def test_fields_named_by_something_private_are_renamed() -> None:
    found = redacted(
        exchange(
            metadata={"ann@b.example": "owner", "tier": "ann@b.example"},
            parameters={"phone": {"6005550142": ["home"]}, "logit_bias": {"50256": -100}},
            messages=(Message(role="user", extra={"votes": {"c@d.example": 1}}),),
        )
    )

    assert found.messages[0].extra == {"votes": {"[EMAIL_1]": 1}}
    assert found.parameters == {"phone": {"[PHONE_1]": ["home"]}, "logit_bias": {"50256": -100}}
    assert found.metadata == {"[EMAIL_2]": "owner", "tier": "[EMAIL_2]"}


@given(st.dictionaries(TEXTS, TEXTS, max_size=5))
def test_no_field_is_lost_by_its_new_name_and_redacting_twice_is_redacting_once(metadata: dict[str, str]) -> None:
    """Two spellings of one address have one placeholder, and stay two fields."""
    once, _ = redact_table(tables.frame([exchange(metadata=metadata)], Exchange))
    twice, counts = redact_table(once)

    assert len(json.loads(once["metadata"][0])) == len(metadata)
    assert twice.equals(once)
    assert counts == {}


def test_two_spellings_of_one_address_stay_two_fields() -> None:
    found = redacted(exchange(metadata={"a@b.example": "1", "A@b.example": "2"}))

    assert found.metadata == {"[EMAIL_1]": "2", "[EMAIL_1] (2)": "1"}


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter", "tool_calls", "end_turn", "MAX_TOKENS", None])
def test_finish_reasons_that_providers_give_are_kept(reason: str | None) -> None:
    assert redacted(exchange(finish_reason=reason)).finish_reason == reason


@pytest.mark.parametrize("reason", ["stopped by ann@b.example", "Ann Smith hung up", ""])
def test_any_other_finish_reason_could_be_anything(reason: str) -> None:
    assert redacted(exchange(finish_reason=reason)).finish_reason == "other"


def test_a_long_message_without_spaces_is_still_writing() -> None:
    """Chinese and Japanese have none."""
    found = redacted(exchange(text="\u8bf7" * 5000 + ":a@b.example"))

    assert found.messages[0].content == "\u8bf7" * 5000 + ":[EMAIL_1]"


def test_the_users_last_turn_is_numbered_first() -> None:
    turns = ("system", "x@y.example"), ("user", "c@d.example"), ("assistant", "?"), ("user", "a@b.example, c@d.example")
    found = redacted(exchange(messages=tuple(Message(role=role, content=text) for role, text in turns)))

    assert [each.content for each in found.messages] == ["[EMAIL_3]", "[EMAIL_2]", "?", "[EMAIL_1], [EMAIL_2]"]


def test_a_card_or_a_phone_that_is_a_number_in_json_is_masked_and_other_numbers_stay_numbers() -> None:
    limits = {"card": 4012888888881881, "phone": 447700900461, "max_tokens": 4096, "seed": 1234567890123, "on": True}

    found = redacted(exchange(parameters=limits))

    assert found.parameters == limits | {"card": "[CARD_1]", "phone": "[PHONE_1]"}


def test_json_without_spaces_is_writing_however_long() -> None:
    """Only what looks like encoded data is left alone; tool calls are often written tightly."""
    call = json.dumps({f"field{i}": "a@b.example" for i in range(400)}, separators=(",", ":"))
    assert len(call) > 4096

    found = redacted(exchange(messages=(Message(role="assistant", extra={"arguments": call}),)))

    assert "a@b.example" not in found.messages[0].extra["arguments"]


@pytest.mark.parametrize("field", ["user", "conversation", "id", "model", "answered_by", "release"])
@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-Ab3dEfGh1jKlMnOpQrSt",
        "DE89370400440532013000",
        "4012888888881881",
        "4012-8888-8888-1881",
        "x@y.example",
    ],
)
def test_a_name_that_is_itself_a_secret_is_replaced(field: str, secret: str) -> None:
    assert getattr(redacted(exchange(**{field: secret})), field) != secret


@pytest.mark.parametrize(
    "name",
    [
        "claude-3-5-sonnet@20240620",
        "gpt-4o-2024-08-06",
        "@cf/meta/llama-3.1-8b",
        "anthropic.claude-3-sonnet-20240229-v1:0",
    ],
)
def test_names_of_models_stay(name: str) -> None:
    assert redacted(exchange(model=name)).model == name


def test_fields_called_password_hold_one() -> None:
    found = redacted(
        exchange(metadata={"userPassword": "hunter2!", "accessToken": "q8Zr2LwX91vTn4Kc", "monkey": "hunter2!"})
    )

    assert found.metadata == {"userPassword": "[KEY_2]", "accessToken": "[KEY_1]", "monkey": "hunter2!"}


def test_a_row_set_aside_is_masked_in_its_reason_too() -> None:
    table = tables.frame(
        [SetAside(source="f:1", reason="not a model's call: a@b.example", excerpt="c@d.example")], SetAside
    )

    assert redact_set_aside(table).row(0) == ("f:1", "not a model's call: [EMAIL_1]", "[EMAIL_1]")
    assert redact_set_aside(table.clear()).equals(table.clear())
