"""Find names of people and places with Presidio and a spaCy model for each language: the extra `names`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from overproof.core.errors import MissingExtra, UserError
from overproof.tasks.private import PLACEHOLDER, Span

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

KINDS = {"PERSON": "person", "LOCATION": "address"}
"""Presidio's entities, and the kinds they are masked as."""
WHAT = "masking names of people and places (privacy.names)"
MODELS = {"en": "en_core_web_sm"}
"""Where the contract names none."""
SURE = 0.5
"""What Presidio is less sure of stays."""


class Analyzer(Protocol):
    """What of Presidio's `AnalyzerEngine` is used here."""

    def analyze(self, *, text: str, language: str, entities: Sequence[str], score_threshold: float) -> Sequence[Any]:
        """Return results with `entity_type`, `start`, `end`."""


class Names:
    """A finder of names: one analyzer, the languages it has models for."""

    def __init__(self, analyzer: Analyzer, languages: Sequence[str]) -> None:
        self._analyzer = analyzer
        self._languages = tuple(languages)

    def find(self, text: str) -> dict[str, list[Span]]:
        """Return the spans of names by kind."""
        found: dict[str, list[Span]] = {}
        if not any(map(str.isalpha, text)):
            return found
        results = self._analyzer.analyze(
            text=text, language=self._language(text), entities=list(KINDS), score_threshold=SURE
        )
        for each in results:
            if each.end > each.start and not _in_placeholder(text, each.start, each.end):
                found.setdefault(KINDS[each.entity_type], []).append((each.start, each.end))
        return found

    def _language(self, text: str) -> str:
        """Return the language to look in: the most likely of those there are models for."""
        return self._languages[0] if len(self._languages) == 1 else _among(self._languages).classify(text)[0]


def _in_placeholder(text: str, start: int, end: int) -> bool:
    """Say whether a span touches a placeholder such as `[PERSON_1]`, which a model may take for a name."""
    return any(start < mark.end() and end > mark.start() for mark in PLACEHOLDER.finditer(text))


@cache
def _among(languages: tuple[str, ...]) -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(languages))
    return identifier


def finder(models: Mapping[str, str]) -> Names:
    """Return the finder for these spaCy models by language (ISO 639-1), loaded once in a process.

    Raises:
        MissingExtra: Presidio is not installed.
        UserError: a model is not installed. Nothing is downloaded.
    """
    return _opened(tuple(sorted((models or MODELS).items())))


def versions(models: Mapping[str, str]) -> dict[str, str]:
    """Return each language's model with its version: another one would mask otherwise.

    Raises:
        MissingExtra, UserError: as `finder`.
    """
    return {language: f"{model} {_version(model)}" for language, model in sorted((models or MODELS).items())}


def same(versions: Mapping[str, str]) -> Names:
    """Return the finder that `versions` names; another version of a model is refused.

    Raises:
        MissingExtra, UserError: as `finder`, and when what is installed is not what masked the logs.
    """
    models = {language: name.partition(" ")[0] for language, name in versions.items()}
    for language, name in versions.items():
        model, _, version = name.partition(" ")
        if (here := _version(model)) != version:
            raise UserError(
                f"names were masked by {model} {version} and {here} is installed, which would mask others: "
                f"install {model} {version}, the model for {language!r}"
            )
    return finder(models)


def _version(model: str) -> str:
    from importlib import metadata
    from importlib.util import find_spec

    if find_spec("presidio_analyzer") is None:
        raise MissingExtra("names", WHAT)
    try:
        return metadata.version(model)
    except metadata.PackageNotFoundError as missing:
        raise UserError(
            f"{WHAT} needs the spaCy model {model!r}: python -m spacy download {model}, "
            "or name another in privacy.names_models"
        ) from missing


@cache
def _opened(models: tuple[tuple[str, str], ...]) -> Names:
    for _, model in models:
        _version(model)  # or Presidio would download it
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import NlpEngineProvider
    from presidio_analyzer.predefined_recognizers import SpacyRecognizer

    languages = [language for language, _ in models]
    named = [{"lang_code": language, "model_name": model} for language, model in models]
    engine = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": named}).create_engine()
    registry = RecognizerRegistry(supported_languages=languages)
    for language in languages:
        registry.add_recognizer(SpacyRecognizer(supported_language=language, supported_entities=list(KINDS)))
    return Names(AnalyzerEngine(nlp_engine=engine, registry=registry, supported_languages=languages), languages)
