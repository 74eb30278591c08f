"""How models decline, in English, German, French and Spanish.

Openings only, few and narrow: a customer's "I cannot log in" and a clerk's "sorry for the delay" are no refusals.
Patterns are written for lower-case text without accents and with straight apostrophes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_OPENING = 200
"""Characters looked at: a refusal says so at once; later in a text the same words are more often told than meant."""

_SORRY = (
    r"(?:(?:(?:(?:i'?m|i am|we'?re|we are) )?(?:(?:so|very|really) )?(?:sorry|afraid)|"
    r"unfortunately|i apologi[sz]e|apologies)\W+)?(?:but )?"
)
_CANNOT = (
    r"(?:i|we)(?: (?:can'?t|cannot|can not|won'?t|will not)|"
    r"(?:'m| am|'re| are) (?:unable|not able) to| (?:must|have to) decline to)"
)
_MATTER = r"(?:request|question|task|message|content|topic|ticket)"
_THIS = rf"(?:that|this|your|such)\b(?: {_MATTER}\b)?(?:[.,;:!]|$| (?:because|as)\b)"
_DEAL = r"(?:answer|classify|categori[sz]e|process|complete|continue with|discuss|respond to|engage with|support|do)"

_ENGLISH = (
    rf"{_SORRY}{_CANNOT} (?:help|assist)(?: you)?(?:[.,;:!]|$| here\b| with {_THIS})",
    rf"{_SORRY}{_CANNOT} (?:comply\b|fulfil|{_DEAL} {_THIS})",
    r"as an ai\b",
    r"i (?:must|have to) (?:decline|refuse)\b",
    r"(?:this|your) (?:request|content|message) (?:violates|goes against)\b",
)
_NICHT = r"\b.{0,30}\bnicht (?:(?:weiter)?helfen|behilflich sein)\b"
_GERMAN = (
    rf"(?:(?:es )?tut mir (?:sehr )?leid|leider|entschuldigung)\b.{{0,40}}\b(?:kann|darf|konnen)(?: ich| wir)?{_NICHT}",
    rf"(?:ich kann|ich darf|(?:dabei|damit|hierbei|da) kann ich){_NICHT}",
    r"als ki\b",
)
_DESOLE = r"(?:(?:(?:je suis )?(?:vraiment )?desolee?|malheureusement)\W+)?(?:mais )?"
_AIDER = r"(?:vous |t'|te )?(?:aider|assister|repondre a (?:cette|votre|ta)\b)"
_FRENCH = (
    rf"{_DESOLE}je ne (?:peux pas|puis|suis pas en mesure de) {_AIDER}",
    r"en tant qu(?:e modele de langage|'ia|'intelligence artificielle|'assistant ia)\b",
)
_SIENTO = r"(?:(?:lo siento|lo lamento|disculpa|lamentablemente)\W+)?(?:pero )?"
_AYUDAR = r"(?:ayudar(?:te|le|les)?|asistir(?:te|le)?|responder a (?:esa|esta|tu|su))\b"
_SPANISH = (
    rf"{_SIENTO}no (?:puedo|podemos) {_AYUDAR}",
    r"como (?:modelo de lenguaje|ia|inteligencia artificial|asistente de ia)\b",
)
_REFUSAL = re.compile(rf"\W*(?:{'|'.join((*_ENGLISH, *_GERMAN, *_FRENCH, *_SPANISH))})")


def declines(text: str, also: Iterable[str] = ()) -> bool:
    """Return whether `text` opens like a refusal, or like one of the patterns in `also`."""
    opening = _plain(text[:_OPENING])
    return _REFUSAL.match(opening) is not None or any(re.match(pattern, opening) for pattern in also)


def _plain(text: str) -> str:
    spread = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in spread if not unicodedata.combining(c)).replace("\u2019", "'")
