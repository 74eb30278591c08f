"""Templates: what many prompts share is found, what people write by themselves is not."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.discovery.skeletons import align, skeletons
from overproof.tasks import templates
from overproof.tasks.templates import UnreadableTemplate

WORDS = [f"w{a}{b}" for a in "abcdefghij" for b in "klmnopqrst"]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


def said(rng: random.Random, most: int = 12) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(2, most)))


def made(template: str, n: int, seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    return [template.format(a=said(rng), b=said(rng)) for _ in range(n)]


@pytest.mark.parametrize(
    "template",
    [
        "Classify the sentiment: {input}",
        "You will read a review and say what the writer feels about it.\n\n{input}\n\nAnswer with one word.",
        "{input}\n\nWhich of the eight departments should answer the message above?",
        'Text: """{input}"""\nLabel:',
        '{{"text": "{input}", "want": "the label"}}',
    ],
)
def test_a_template_with_one_slot_is_found_as_it_was(template: str) -> None:
    texts = made(template.replace("{input}", "{a}"), 60)

    found = align(texts)

    assert found is not None
    assert found == templates.parse(template)
    assert all(found.values(text) is not None for text in texts)


def test_what_is_constant_between_two_slots_is_found() -> None:
    found = align(made("Title: {a}\nBody of the message: {b}\nLabel:", 60))

    assert found is not None
    assert found.written == "Title: {slot1}\nBody of the message: {slot2}\nLabel:"


def test_free_text_has_no_template() -> None:
    rng = random.Random(1)
    texts = [said(rng) + "." for _ in range(400)]

    assert align(texts) is None
    assert skeletons(texts) == []


def test_several_templates_and_free_text_are_told_apart() -> None:
    rng = random.Random(2)
    one, other = made("Translate this into French: {a}", 80), made("Please sum up what is said here.\n\n{a}", 80)

    found = skeletons([*one, *other, *(said(rng) for _ in range(200))])

    assert sorted(each.opening.strip() for each in found) == [
        "Please sum up what is said here.",
        "Translate this into French:",
    ]


def test_one_text_sent_again_with_small_changes_is_no_template() -> None:
    rng = random.Random(3)
    again = f"my order has not come and I have been waiting for it since {said(rng)}"

    assert skeletons([*(f"{again} {i}" for i in range(9)), *(said(rng) for _ in range(300))]) == []


def test_how_a_slot_often_begins_is_no_template_of_its_own() -> None:
    rng = random.Random(4)
    texts = [f"Classify the message: {'The ' if i % 4 == 0 else ''}{said(rng)}" for i in range(200)]

    assert [each.opening.strip() for each in skeletons(texts)] == ["Classify the message:"]


@given(st.lists(TEXT, min_size=1, max_size=4), st.lists(TEXT, min_size=3, max_size=3))
def test_a_template_is_read_as_it_is_written(constants: list[str], values: list[str]) -> None:
    template = templates.of(constants, [f"s{i}" for i in range(len(constants) - 1)])
    if not all(template.constants[1:-1]):
        return  # two slots that touch cannot be written

    assert templates.parse(template.written) == template
    filled = "".join(a + b for a, b in zip(template.constants, [*values[: len(template.slots)], ""], strict=True))
    if filled == filled.strip():
        assert template.values(filled) is not None


@given(TEXT, TEXT, TEXT)
def test_what_stands_in_the_slot_comes_out(before: str, inside: str, after: str) -> None:
    template = templates.of([before, after], ["input"])
    text = template.constants[0] + inside + template.constants[1]

    if text == text.strip():
        assert template.values(text) == (inside,)


@pytest.mark.parametrize("text", ["a {b", "a } b", "{a}{b}"])
def test_what_is_no_template_is_told(text: str) -> None:
    with pytest.raises(UnreadableTemplate, match=r"write slots as \{input\}"):
        templates.parse(text)
