from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from overproof.core import tables
from overproof.core.types import Exchange, Message
from overproof.logs.redact import excerpt, pseudonym, redact_record, redact_table

PIECES = st.sampled_from(
    [
        "a@b.example",
        "A@B.example",
        "x.y@c.example",
        "+44 7700 900461",
        "+447700900461",
        "call 555-0142",
        "4111 1111 1111 1111",
        "DE89 3704 0044 0532 0130 00",
        "sk-abcdefghij0123456789",
        "token: q8Zr2LwX91vTn4Kc",
        "[EMAIL_3]",
        "[PHONE_1]",
        "order 5523091",
        "1",
        "@",
        "+",
        " ",
        "a",
        "\n",
    ]
)
TEXTS = st.lists(PIECES, max_size=6).map("".join) | st.lists(PIECES, max_size=6).map(" ".join) | st.text(max_size=30)


def exchange(**fields: Any) -> Exchange:  # noqa: ANN401 - any field of the record
    messages = fields.pop("messages", (Message(role="user", content=fields.pop("text", "hello")),))
    return Exchange(id=fields.pop("id", "r1"), source="f:1", messages=messages, **fields)


def redacted(found: Exchange) -> Exchange:
    table, _ = redact_table(tables.frame([found], Exchange))
    assert table.schema == tables.schema(Exchange)
    return next(tables.records(table, Exchange))


def test_one_value_has_one_number_in_all_texts_of_a_record() -> None:
    texts, counts = redact_record(["from a@b.example to c@d.example", "C@d.example, a@b.example", "none"])

    assert texts == ("from [EMAIL_1] to [EMAIL_2]", "[EMAIL_2], [EMAIL_1]", "none")
    assert counts == {"email": 2}


def test_spellings_of_one_number_are_one_number() -> None:
    (text,), _ = redact_record(["+44 7700 900461 or +447700900461 or +44 7700 900462"])

    assert text == "[PHONE_1] or [PHONE_1] or [PHONE_2]"


def test_an_earlier_redactions_placeholders_keep_their_numbers() -> None:
    (text,), _ = redact_record(["[EMAIL_2] wrote to a@b.example"])

    assert text == "[EMAIL_2] wrote to [EMAIL_3]"


@given(st.lists(TEXTS, max_size=4))
def test_redacting_twice_is_redacting_once(texts: list[str]) -> None:
    once, _ = redact_record(texts)
    twice, counts = redact_record(once)

    assert twice == once
    assert counts == {}


@given(TEXTS)
def test_what_is_not_private_stays_where_it_was(text: str) -> None:
    """Masking only replaces: the text between placeholders stands in the original, in order."""
    import re

    (masked,), _ = redact_record([text])
    place = 0
    for piece in re.split(r"\[(?:EMAIL|PHONE|CARD|KEY|IBAN)_[0-9]+\]", masked):
        place = text.index(piece, place) + len(piece)

    assert place <= len(text)


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


def test_an_excerpt_hides_what_json_escapes_would_show() -> None:
    raw = '{"input": "ring\\n+44\\u00a07700\\u00a0900461 or a\\u0040b.example'

    assert excerpt(raw) == '{"input": "ring [PHONE_1] or [EMAIL_1]'


def test_an_excerpt_is_short_and_never_cut_into_a_value() -> None:
    raw = "x" * 152 + " a.very.long.address@some.example " + "y" * 2000

    assert excerpt(raw) == "x" * 152 + " [EMAIL_"
