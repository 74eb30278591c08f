"""Each rule objects to what it says, and to nothing else."""

from __future__ import annotations

import pytest

from overproof.core.errors import ContractError, UserError
from overproof.core.plugins import build
from overproof.core.protocols import Rule
from overproof.core.types import Completion, Message, Prompt, PromptId, Reading, UnitId
from overproof.filters.rules import FinishReason, LabelSet, MaxLength, Refusal, Regex

PROMPT = Prompt(id=PromptId("p"), input="hello", messages=(Message(role="user", content="hello"),), unit=UnitId("u"))
UNREADABLE = Reading(answer=None)


def judged(
    rule: Rule, text: str | None, reading: Reading = UNREADABLE, finish_reason: str | None = "stop"
) -> str | None:
    completion = Completion(prompt_id=PROMPT.id, model="m", text=text, finish_reason=finish_reason, source="log")
    return rule.reject(PROMPT, completion, reading)


def test_the_label_set_stops_what_is_no_label() -> None:
    assert judged(LabelSet(), "bil") == "not one of the labels"


@pytest.mark.parametrize("recovered", [False, True])
def test_the_label_set_lets_labels_pass(recovered: bool) -> None:
    assert judged(LabelSet(), "Category: a", Reading(answer="a", recovered=recovered)) is None


@pytest.mark.parametrize(
    ("finish_reason", "objection"),
    [
        ("length", "cut off (length)"),
        ("max_tokens", "cut off (max_tokens)"),
        ("content_filter", "filtered (content_filter)"),
        ("stop", None),
        ("end_turn", None),
        (None, None),
    ],
)
def test_an_answer_must_have_come_to_its_own_end(finish_reason: str | None, objection: str | None) -> None:
    assert judged(FinishReason(), "a", Reading(answer="a"), finish_reason) == objection


REFUSALS = [
    "I'm sorry, but I can't help with that.",
    "I\u2019m sorry, but I can\u2019t assist with that request.",
    "I'm afraid I cannot help you with this.",
    "Sorry, I can't help with that",
    "I cannot assist with this request.",
    "I can't comply with that.",
    "I'm unable to classify this message.",
    "I am not able to help with this.",
    "Unfortunately, I cannot process this request.",
    "As an AI language model, I do not have access to accounts.",
    "I must decline.",
    "  \"I'm sorry, I can't help with that.\"",
    "Es tut mir leid, aber dabei kann ich nicht helfen.",
    "Es tut mir leid, ich kann Ihnen dabei leider nicht weiterhelfen.",
    "Leider kann ich dir damit nicht helfen.",
    "Ich kann bei dieser Anfrage nicht helfen.",
    "Als KI-Sprachmodell kann ich das nicht beurteilen.",
    "Je suis désolé, mais je ne peux pas vous aider.",
    "Désolée, je ne peux pas répondre à cette demande.",
    "Je ne suis pas en mesure de vous aider.",
    "En tant qu\u2019IA, je ne peux pas juger.",
    "Lo siento, pero no puedo ayudarte con eso.",
    "No puedo ayudar con esa solicitud.",
    "Como modelo de lenguaje, no tengo acceso.",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_is_known_by_its_opening(text: str) -> None:
    assert judged(Refusal(), text) == "refused"


NO_REFUSALS = [
    "",
    "Sorry for the delay, your refund is on its way.",
    "I'm sorry to hear that. Please reset your password here.",
    "I cannot log in to my account",
    "I can't complete my order",
    "I can't help but notice the charge on the 3rd.",
    "We can't wait to help you with this!",
    "Unable to log in",
    "I'm unable to reach your support team",
    "I can't process the payment on my card, it fails",
    "As an airline we book flights",
    "The assistant said: I'm sorry, but I can't help with that.",
    "Es tut mir leid, dass Ihr Paket zu spät kommt. Ich kümmere mich darum.",
    "Leider ist das Paket nicht angekommen.",
    "Ich kann mich nicht einloggen",
    "Als Kind habe ich das geliebt",
    "Désolé pour le retard, votre colis arrive demain.",
    "Je ne peux pas me connecter",
    "En tant que client je suis déçu",
    "Lo siento por la demora, su pedido llega hoy.",
    "No puedo iniciar sesión",
    "Como cliente estoy molesto",
    "bil",
]


@pytest.mark.parametrize("text", NO_REFUSALS)
def test_regret_and_trouble_are_no_refusals(text: str) -> None:
    assert judged(Refusal(), text) is None


@pytest.mark.parametrize("text", REFUSALS[:3])
def test_an_answer_that_gives_a_label_is_no_refusal(text: str) -> None:
    assert judged(Refusal(), text, Reading(answer="a", recovered=True)) is None


def test_refusals_of_other_languages_can_be_added() -> None:
    rule = Refusal(also=(r"mi dispiace\b.*\bnon posso",))

    assert judged(rule, "Mi dispiace, ma non posso aiutarti.") == "refused"
    assert judged(rule, "Va bene.") is None


@pytest.mark.parametrize(("text", "objection"), [("12345", None), ("123456", "too long"), (None, None)])
def test_length_is_counted_in_characters(text: str | None, objection: str | None) -> None:
    assert judged(MaxLength(characters=5), text) == objection


@pytest.mark.parametrize(
    ("text", "objection"),
    [
        ("ORDER 12", None),
        ("order 12", "pattern not found: ^ORDER"),
        ("ORDER 12 <b>", "pattern found: <[a-z]+>"),
    ],
)
def test_patterns_must_or_must_not_be_found(text: str, objection: str | None) -> None:
    assert judged(Regex(must=("^ORDER",), must_not=("<[a-z]+>",)), text) == objection


@pytest.mark.parametrize("options", [{"must": ["("]}, {"must_not": ["[a"]}, {}])
def test_a_pattern_that_cannot_be_used_is_refused_where_it_is_written(options: dict[str, list[str]]) -> None:
    with pytest.raises(UserError, match="rule 'regex'"):
        build("rules", {"rule": "regex", **options}, key="rule", where="filters[0]")


def test_bad_options_are_told_in_one_sentence() -> None:
    with pytest.raises(UserError, match="'\\(' is not a regular expression"):
        Refusal(also=("(",))
    with pytest.raises(UserError, match="at least 1"):
        MaxLength(characters=0)
    with pytest.raises(ContractError, match="options of 'max_length': characters"):
        build("rules", {"rule": "max_length", "chars": 3}, key="rule", where="filters[0]")


@pytest.mark.parametrize("name", ["label_set", "finish_reason", "refusal", "max_length"])
def test_rules_come_through_the_door_of_the_plug_ins_under_their_own_names(name: str) -> None:
    rule: Rule = build("rules", {"rule": name}, key="rule", where="filters[0]")

    assert rule.name == name
