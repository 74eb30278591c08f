from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from overproof.tasks.redact import excerpt, redact_record

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
    (masked,), _ = redact_record([text])
    place = 0
    for piece in re.split(r"\[(?:EMAIL|PHONE|CARD|KEY|IBAN)_[0-9]+\]", masked):
        place = text.index(piece, place) + len(piece)

    assert place <= len(text)


def test_an_excerpt_hides_what_json_escapes_would_show() -> None:
    raw = '{"input": "ring\\n+44\\u00a07700\\u00a0900461 or a\\u0040b.example'

    assert excerpt(raw) == '{"input": "ring [PHONE_1] or [EMAIL_1]'


def test_an_excerpt_is_short_and_never_cut_into_a_value() -> None:
    raw = "x" * 152 + " a.very.long.address@some.example " + "y" * 2000

    assert excerpt(raw) == "x" * 152 + " [EMAIL_"
