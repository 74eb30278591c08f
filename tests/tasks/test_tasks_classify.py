"""What a text means to a classify task, and that reading never guesses."""

from __future__ import annotations

import string
import time

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.core.errors import ContractError
from overproof.core.plugins import build
from overproof.core.types import Reading
from overproof.tasks.classify import Classify

TRIAGE = Classify(
    labels=("billing_charge", "refund", "refund_request", "plan", "plan_change", "login_access", "how_to", "other")
)

words = st.text(string.ascii_lowercase, min_size=2, max_size=6)
slugs = st.lists(words, min_size=1, max_size=3).map("_".join)
slug_sets = st.lists(slugs, min_size=1, max_size=6, unique=True).map(tuple)
anything = st.text(max_size=12).filter(lambda label: bool(label.strip()))
any_sets = st.lists(anything, min_size=1, max_size=6, unique=True).map(tuple)

DECORATIONS = {
    "lead": "Category: {}",
    "lead in bold": "**Category:** {}",
    "lead and bold": "Label: **{}**",
    "long lead": "The final answer is: {}",
    "arrow": "Category → {}",
    "double quotes": '"{}"',
    "single quotes": "'{}'",
    "typographic quotes": "“{}”",
    "guillemets": "«{}»",
    "backticks": "`{}`",
    "bold": "**{}**",
    "underlined": "__{}__",
    "brackets": "[{}]",
    "json text": '"{}"',
    "json object": '{{"category": "{}"}}',
    "json with reasons": '{{"label": "{}", "reason": "it is not something else", "confidence": 0.9}}',
    "json with one text": '{{"route": "{}", "confidence": 0.9}}',
    "nested json": '{{"result": {{"category": "{}"}}}}',
    "json list": '["{}"]',
    "python dict": "{{'category': '{}'}}",
    "fenced json": '```json\n{{"category": "{}"}}\n```',
    "fence": "```\n{}\n```",
    "tag": "<category>{}</category>",
    "full stop": "{}.",
    "quotes and full stop": '"{}".',
    "exclamation": "{}!",
    "whitespace": " \n{}\t\n",
    "bullet": "- {}",
    "number": "1. {}",
    "heading": "# {}",
    "sentence": "The category is {}.",
    "quoted in a sentence": 'The correct label is "{}".',
    "long sentence": "Based on the message, I would classify this ticket as {}.",
    "german": "Die Kategorie ist {}.",
    "french": "La catégorie est {}.",
    "spanish": "La categoría es {}.",
    "label above an explanation": "{}\n\nThe customer says so in the first line.",
    "label below an explanation": "The customer says so.\nCategory: {}",
}


@pytest.mark.parametrize("decoration", DECORATIONS.values(), ids=DECORATIONS.keys())
@pytest.mark.parametrize("label", TRIAGE.labels)
def test_what_models_wrap_around_a_label_is_taken_off(decoration: str, label: str) -> None:
    assert TRIAGE.read(decoration.format(label)) == Reading(answer=label, recovered=True)


@pytest.mark.parametrize(
    "spelling", ["Billing_Charge", "BILLING CHARGE", "billing-charge", "Billing  Charge", "billing\u2011charge"]
)
def test_case_and_separators_do_not_matter(spelling: str) -> None:
    assert TRIAGE.read(spelling) == Reading(answer="billing_charge", recovered=True)


@pytest.mark.parametrize(
    "text",
    [
        "billing_charge or refund",
        "refund: billing_charge",
        "billing_charge\nlogin_access",
        "It is billing_charge, not refund_request.",
        '["billing_charge", "refund"]',
        '{"category": "billing_charge", "label": "refund"}',
        '{"category": "billing_charge", "category": "refund"}',
        "billing_charge\n\nIt could also have been login_access.",
    ],
)
def test_two_labels_mean_nothing(text: str) -> None:
    assert TRIAGE.read(text) == Reading(answer=None)


@pytest.mark.parametrize(
    "text",
    [
        "bil",
        "billing",
        "billing_",
        "billing_charg",
        "login",
        "refund_r",
        "plan_c",
        "plan c",
        "Category: bil",
        "Category: refund_req",
        '{"category": "billing_ch',
        "**billing_cha",
        "billing_charge...",
        "The category is plan ch",
        "The category is plan",
    ],
)
def test_an_answer_that_breaks_off_is_never_completed(text: str) -> None:
    assert TRIAGE.read(text) == Reading(answer=None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "I'm sorry, but I can't help with that.",
        "I don't know how to help with this.",
        "Not: refund",
        "This is not billing_charge.",
        "This isn\u2019t billing_charge.",
        "Is it billing_charge?",
        "Maybe billing_charge",
        "I would need some other information.",
        "The customer has another plan in mind",
        "The customer wants a refund for the other order.",
        "Please see our page on how to log in.",
        "refunds",
        "planned",
        "Das ist kein refund.",
        "x" * 100_000,
        "[" * 3_999,
    ],
)
def test_a_text_that_gives_no_label_as_its_verdict_means_nothing(text: str) -> None:
    assert TRIAGE.read(text) == Reading(answer=None)


def test_no_text_means_nothing() -> None:
    assert TRIAGE.read(None) == Reading(answer=None)


@pytest.mark.parametrize("text", ["The label is refund_request.", "Category: refund request", "refund request"])
def test_the_longest_label_counts_where_one_is_part_of_another(text: str) -> None:
    assert TRIAGE.read(text).answer == "refund_request"


def test_a_label_at_the_end_of_a_longer_one_is_not_a_second_label() -> None:
    assert Classify(labels=("change", "plan_change")).read("The label is plan change.").answer == "plan_change"


def test_labels_that_differ_in_case_only_are_read_literally_or_not_at_all() -> None:
    task = Classify(labels=("Apple", "apple", "pear"))

    assert task.read("apple") == Reading(answer="apple")
    assert task.read("Fruit: Apple") == Reading(answer="Apple", recovered=True)
    assert task.read("APPLE").answer is None
    assert task.read("The answer is APPLE.").answer is None


def test_labels_may_be_words_that_turn_other_sentences_around() -> None:
    task = Classify(labels=("yes", "no"))

    assert task.read("The answer is no.").answer == "no"
    assert task.read("No.").answer == "no"
    assert task.read("There is no doubt that this is yes.").answer is None


def test_labels_may_be_numbers() -> None:
    task = Classify(labels=("1", "2", "3"))

    assert task.read('{"rating": 0, "label": 3}').answer == "3"
    assert task.read("1. 2").answer is None
    assert task.read("The customer has 3 issues").answer is None


def test_case_is_folded_as_unicode_says() -> None:
    assert Classify(labels=("straße", "weg")).read("STRASSE").answer == "straße"
    assert Classify(labels=("café", "thé")).read("CAFE\u0301").answer == "café"


@given(any_sets)
def test_a_label_is_itself(labels: tuple[str, ...]) -> None:
    task = Classify(labels=labels)

    assert all(task.read(label) == Reading(answer=label) for label in labels)


@given(any_sets, st.text(max_size=40))
def test_nothing_outside_the_label_set_comes_back(labels: tuple[str, ...], text: str) -> None:
    assert Classify(labels=labels).read(text).answer in {None, *labels}


@given(slug_sets, st.data())
def test_reading_is_idempotent(labels: tuple[str, ...], data: st.DataObject) -> None:
    task = Classify(labels=labels)
    decoration = data.draw(st.sampled_from(list(DECORATIONS.values())))
    first = task.read(decoration.format(data.draw(st.sampled_from(labels)))).answer

    assert first is None or task.read(first) == Reading(answer=first)


@given(slug_sets, st.data())
def test_decoration_never_turns_one_label_into_another(labels: tuple[str, ...], data: st.DataObject) -> None:
    """Words of the decoration may be labels, too: then it may mean nothing, but never the other one."""
    label = data.draw(st.sampled_from(labels))
    decoration = data.draw(st.sampled_from(list(DECORATIONS.values())))

    assert Classify(labels=labels).read(decoration.format(label)).answer in {label, None}


@given(st.lists(st.text("bcdfgjkqxz", min_size=3, max_size=6), min_size=1, max_size=4, unique=True), st.data())
def test_every_decoration_is_recovered_for_labels_made_of_no_english(labels: list[str], data: st.DataObject) -> None:
    label = data.draw(st.sampled_from(labels))
    decoration = data.draw(st.sampled_from(list(DECORATIONS.values())))

    read = Classify(labels=tuple(labels)).read(decoration.format(label))

    assert read == Reading(answer=label, recovered=True)


@given(slug_sets, st.data())
def test_a_beginning_means_nothing_unless_it_is_a_label(labels: tuple[str, ...], data: st.DataObject) -> None:
    label = data.draw(st.sampled_from(labels))
    beginning = label[: data.draw(st.integers(0, len(label) - 1))]

    read = Classify(labels=labels).read(beginning).answer

    assert read is None or beginning.rstrip("_") == read


@given(st.lists(st.one_of(st.none(), st.sampled_from(["refund", "Category: refund", "bil", "other", ""])), max_size=30))
def test_a_column_reads_as_its_texts_do(texts: list[str | None]) -> None:
    answer, recovered = TRIAGE.read_column(pl.Series("text", texts, dtype=pl.String))

    one_by_one = [TRIAGE.read(text) for text in texts]
    assert answer.to_list() == [reading.answer for reading in one_by_one]
    assert recovered.to_list() == [reading.recovered for reading in one_by_one]
    assert (answer.name, recovered.name) == ("answer", "recovered")


def test_an_answer_scores_one_or_nothing() -> None:
    assert TRIAGE.score("refund", "refund") == 1.0
    assert TRIAGE.score("refund", "other") == 0.0
    assert TRIAGE.score(None, "other") == 0.0


def test_it_comes_through_the_door_of_the_plug_ins() -> None:
    task = build("tasks", {"kind": "classify", "labels": ["a", "b"]}, key="kind", where="task")

    assert task == Classify(labels=("a", "b"))


@pytest.mark.parametrize(("labels", "fault"), [(("a", " "), "blank"), (("a", "b", "a"), "'a' twice")])
def test_labels_that_cannot_be_told_apart_are_refused(labels: tuple[str, ...], fault: str) -> None:
    with pytest.raises(ContractError, match=fault):
        Classify(labels=labels)


def test_a_million_answers_are_read_in_seconds() -> None:
    texts = pl.Series([*TRIAGE.labels, "Category: other", "bil"] * 100_000)
    began = time.process_time()

    TRIAGE.read_column(texts)

    assert time.process_time() - began < 5.0


@pytest.mark.parametrize("text", ["((((" * 500, '"a: ' * 900, "- " * 1900, "a\n" * 1900, "```\n" * 900, "<a>" * 1300])
def test_no_text_takes_long_to_read(text: str) -> None:
    began = time.process_time()

    TRIAGE.read(text)

    assert time.process_time() - began < 1.0
