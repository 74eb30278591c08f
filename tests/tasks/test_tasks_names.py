"""The adapter to Presidio, with an analyzer that finds what the test says: no model is loaded here."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata, util

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.core.errors import MissingExtra, UserError
from overproof.tasks import names
from overproof.tasks.names import Names
from overproof.tasks.redact import redact_record


@dataclass
class Result:
    """What Presidio returns for each entity."""

    entity_type: str
    start: int
    end: int
    score: float = 0.85


class Analyzer:
    """Finds given words, as whole words or not, wherever they stand."""

    def __init__(self, people: Sequence[str] = (), places: Sequence[str] = ()) -> None:
        self._words = [("PERSON", each) for each in people] + [("LOCATION", each) for each in places]
        self.asked: list[tuple[str, str]] = []

    def analyze(self, *, text: str, language: str, entities: Sequence[str], score_threshold: float) -> list[Result]:
        assert list(entities) == ["PERSON", "LOCATION"]
        assert 0 < score_threshold < 1
        self.asked.append((language, text))
        return [
            Result(kind, place, place + len(word))
            for kind, word in self._words
            for place in range(len(text))
            if text.startswith(word, place)
        ]


def people(*found: str, places: Sequence[str] = ()) -> Names:
    return Names(Analyzer(found, places), ("en",))


def test_names_are_numbered_like_everything_else() -> None:
    texts, counts = redact_record(
        ["Ann wrote to Bob in Leeds, a@b.example", "Bob and Ann"], people("Ann", "Bob", places=["Leeds"])
    )

    assert texts == ("[PERSON_1] wrote to [PERSON_2] in [ADDRESS_1], [EMAIL_1]", "[PERSON_2] and [PERSON_1]")
    assert counts == {"email": 1, "person": 2, "address": 1}


def test_without_it_names_stay() -> None:
    assert redact_record(["Ann in Leeds"])[0] == ("Ann in Leeds",)


def test_a_model_that_takes_placeholders_for_names_is_not_believed() -> None:
    (text,), _ = redact_record(["a@b.example is Ann"], people("Ann", "[EMAIL_1]", "PERSON_1", "EMAIL"))

    assert text == "[EMAIL_1] is [PERSON_1]"


PIECES = st.lists(
    st.sampled_from(["Ann", "Bob Lee", "Lee", "Leeds", "a@b.example", "+44 7700 900461", "[PERSON_2]", " ", "x", "\n"]),
    max_size=8,
).map("".join)


@given(st.lists(PIECES, max_size=3))
def test_redacting_twice_is_redacting_once(texts: list[str]) -> None:
    finder = people("Ann", "Bob Lee", "Lee", places=["Leeds"])
    once, _ = redact_record(texts, finder)
    twice, counts = redact_record(once, finder)

    assert twice == once
    assert counts == {}


def test_each_text_is_looked_at_in_its_language() -> None:
    analyzer = Analyzer()
    both = Names(analyzer, ("de", "en"))
    both.find("Wo bleibt eigentlich meine Bestellung, ich warte schon seit zwei Wochen darauf")
    both.find("Where is my order, I have been waiting for two weeks for it to arrive")

    assert [language for language, _ in analyzer.asked] == ["de", "en"]


def test_a_text_without_letters_is_not_looked_at() -> None:
    analyzer = Analyzer()

    assert Names(analyzer, ("en",)).find("12.50") == {}
    assert analyzer.asked == []


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    monkeypatch.setattr(util, "find_spec", lambda _: None)

    with pytest.raises(MissingExtra, match=r"pip install 'overproof\[names\]'"):
        names.finder({"en": "no_such_model"})


def installed(monkeypatch: pytest.MonkeyPatch, versions: dict[str, str]) -> None:
    def version(name: str) -> str:
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(util, "find_spec", lambda name: name)
    monkeypatch.setattr(metadata, "version", version)


def test_a_model_that_is_not_installed_is_named_and_not_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, {})

    with pytest.raises(UserError, match="python -m spacy download xx_model"):
        names.finder({"xx": "xx_model"})


def test_another_version_of_a_model_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, {"en_model": "3.8.1"})

    assert names.versions({"en": "en_model"}) == {"en": "en_model 3.8.1"}
    with pytest.raises(UserError, match=r"en_model 3\.8\.0 and 3\.8\.1 is installed"):
        names.same({"en": "en_model 3.8.0"})
