"""Find what opens doors in a text: keys by their shapes, passwords, tokens and PINs by their names.

Names are looked for in English, German, French, Spanish, Italian, Portuguese and Dutch.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

Span = tuple[int, int]

_MARKS = (
    *("sk-", "sk_", "rk_", "AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox"),
    *("AIza", "hf_", "npm_", "SG.", "eyJ", "PRIVATE KEY", "GOCSPX-", "gsk_", "whsec_", "shpat_", "dop_v1_", "ya29."),
    *("pypi-", "xai-", "hvs."),
)
_SHAPE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:.*?-----END [A-Z ]*PRIVATE KEY-----|.*)"
    r"|(?<![\w-])(?:sk-[\w-]{16,}|[sr]k_(?:live|test)_\w{16,}|(?:AKIA|ASIA)[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{20,}"
    r"|github_pat_\w{20,}|glpat-[\w-]{20,}|xox[abeprs]-[\w-]{10,}|AIza[\w-]{35}|hf_[A-Za-z0-9]{20,}|npm_[A-Za-z0-9]{30,}"
    r"|SG\.[\w-]{16,}\.[\w-]{16,}|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?|GOCSPX-[\w-]{16,}|gsk_[A-Za-z0-9]{20,}"
    r"|whsec_[A-Za-z0-9+/=]{20,}|shpat_[a-f0-9]{20,}|dop_v1_[a-f0-9]{20,}|ya29\.[\w-]{20,}|pypi-[\w-]{40,}"
    r"|xai-[A-Za-z0-9]{20,}|hvs\.[\w-]{20,})(?![\w-])",
    re.DOTALL,
)

_BLANK = "[ \\t\\r\\n\u00a0]"
_IS = rf"(?:[:=]|is|ist|lautet|est|es|è|é|was changed to){_BLANK}{{0,2}}"
_KEY_NAMES = (
    r"api[ _-]?key|access[ _-]?key|secret[ _-]?key|private[ _-]?key|secret|token|schlüssel|clé(?: api)?|jeton|clave"
    r"|clave api|chiave(?: api)?|chave(?: api)?|sleutel|session(?:[ _-]?id)?"
)
_OPENERS = (
    r"passwor[dt]|passwd|pwd|passphrase|passcode|kennwort|mot de passe|mdp|contraseña|clave|senha|palavra[ -]passe"
    r"|wachtwoord"
)
_KEY = re.compile(rf"(?i)(?:{_KEY_NAMES})[\\\"']{{0,4}}{_BLANK}{{0,2}}{_IS}[\\\"']{{0,4}}(?P<value>[\w.~+/=%-]{{16,}})")
_PASS = re.compile(
    rf"(?i)(?:{_OPENERS}|(?<![^\W_])pass(?={_BLANK}?[:=]))[\\\"']{{0,4}}{_BLANK}{{0,2}}"
    rf"(?:[:=]{_BLANK}{{0,2}}|(?:is|ist|lautet|est|es|è|é|was changed to){_BLANK}{{1,2}})[\\\"']{{0,4}}"
    r"(?P<value>[^\s\"',;\[\]\\]{6,64})"
)
_PIN = re.compile(
    rf"(?i)(?<![^\W_])(?:pin|passcode){_BLANK}{{0,2}}(?:{_IS})?{_BLANK}?(?P<value>[0-9]{{4,8}})(?![^\W_]|[.,-][0-9])"
)
_SCHEME = re.compile(rf"(?i)\b(?:bearer|basic){_BLANK}{{1,3}}(?P<value>[\w.~+/=-]{{16,}})")
_IN_URL = re.compile(
    r"(?<![\w+.-])[A-Za-z][A-Za-z0-9+.-]{1,30}://[^\s/:@\[\]\"']{1,64}:(?P<value>[^\s/@\[\]\"']{3,128})@"
)

SHAPES = (
    r"[rs]k[_-]|AKIA|ASIA|gh[opsru]_|github_pat_|glpat-|xox|AIza|hf_|npm_|SG\.|eyJ|PRIVATE KEY|GOCSPX-|gsk_|whsec_"
    r"|shpat_|dop_v1_|ya29\.|pypi-|xai-|hvs\."
)
"""Holds wherever a key could be found by its shape."""
SUSPECT = (
    rf"{SHAPES}|(?i:bearer|basic(?:{_BLANK}|\\[nrt]){{1,3}}[\w.~+/=-]{{16}}|pass(?:{_BLANK}|\\[nrt])?[:=]"
    rf"|(?:pin|passcode)[^0-9]{{0,20}}[0-9]{{4}}"
    rf"|(?:{_KEY_NAMES}|{_OPENERS})[\\\"']{{0,12}}(?:{_BLANK}|\\[nrt]){{0,2}}(?:[:=]|is|es|lautet|è|é|was))"
)
"""Holds wherever `keys` could find something, in a text that holds no `@` or in the JSON of one."""


def keys(text: str) -> Iterator[Span]:
    """Yield keys by their known shapes, and passwords, tokens and PINs that are named as such."""
    if any(mark in text for mark in _MARKS):
        for found in _SHAPE.finditer(text):
            yield found.span()
    if "://" in text and "@" in text:
        for found in _IN_URL.finditer(text):
            yield found.span("value")
    lower = text.lower()
    for words, pattern, is_one in _NAMED:
        if any(word in lower for word in words):
            for found in pattern.finditer(text):
                if is_one(found["value"]):
                    yield found.span("value")


def _random(value: str) -> bool:
    """Say whether a value looks drawn by a machine: letters and digits, more than 3 bits of entropy a character."""
    counts = Counter(value)
    entropy = -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
    return _mixed(value) and entropy > 3.0


def _mixed(value: str) -> bool:
    return any(map(str.isdigit, value)) and any(map(str.isalpha, value))


_NAMED: tuple[tuple[Sequence[str], re.Pattern[str], Callable[[str], bool]], ...] = (
    (("bearer", "basic"), _SCHEME, _random),
    (
        (*("key", "secret", "token", "session"), *("schlüssel", "clé", "jeton", "clave", "chiave", "chave", "sleutel")),
        _KEY,
        _random,
    ),
    (
        (*("pass", "pwd"), *("kennwort", "mdp", "contrase", "clave", "senha", "palavra", "wachtwoord")),
        _PASS,
        _mixed,
    ),
    (("pin", "passcode"), _PIN, bool),
)
"""Words without which a pattern finds nothing, the pattern, and what a value must be like."""
