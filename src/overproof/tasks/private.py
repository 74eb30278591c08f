"""Find what is private in a text: mail addresses, phone numbers, payment cards, IBANs; keys are `credentials`'.

Each finder returns spans. What can be checked is (Luhn, mod 97, country lengths); what cannot, phone numbers above all,
is told from order numbers, dates and amounts by its shape and the words before it. Names are not looked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from overproof.tasks import credentials

Span = tuple[int, int]

PLACEHOLDER = re.compile(r"\[(EMAIL|PHONE|CARD|KEY|IBAN|PERSON|ADDRESS)_([0-9]{1,9})\]")
"""What stands for something private."""

SUSPECT = rf"@|[0-9](?:[^0-9]{{0,3}}[0-9]){{6}}|{credentials.SUSPECT}"
"""Holds wherever a finder could find something, in a text or in the JSON of one. Polars knows no look-around."""

_SEVEN_DIGITS = re.compile(r"[0-9](?:[^0-9]{0,3}[0-9]){6}")
_EMAIL = re.compile(
    r"(?<![\w.%+-])[\w.%+'-]{1,64}@(?![0-9]{1,9}(?:\.[0-9]{1,9}){1,4}\.[a-z]{1,9}[0-9])(?:[\w-]{1,63}\.){1,8}"
    r"(?!(?:png|jpe?g|gif|svg|webp|css|js|html?|json|mp[34])(?![^\W\d_]))[^\W\d_]{2,24}(?![^\W\d_]|@)"
)
"""What follows an address may touch it (`anna@example.com-2024`). Neither `logo@2x.png` nor `lib@1.0.rc1` is one."""

_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?=[ -]?[A-Za-z0-9])")
_IBAN_LENGTHS = {
    country: int(length)
    for country, length in re.findall(
        "([A-Z]{2})([0-9]{2})",
        "AD24 AE23 AT20 BE16 BG22 CH21 CY28 CZ24 DE22 DK18 EE20 ES24 FI18 FR27 GB22 GI23"
        " GR27 HR21 HU28 IE22 IL23 IS26 IT27 LI21 LT20 LU20 LV21 MC27 MT31 NL18 NO15 PL28 PT25 RO24 RS22"
        " SA24 SE24 SI19 SK24 SM27 TR26 UA29",
    )
}
"""Characters of an IBAN by country (SWIFT IBAN registry)."""

_DIGIT_RUN = re.compile(r"(?<![\w.])[0-9](?:[ -]?[0-9]){13,}")
_CARD = re.compile(
    r"4[0-9]{15}(?:[0-9]{3})?|5[1-5][0-9]{14}|2[2-7][0-9]{14}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}"
    r"|6(?:011|4[4-9][0-9]|5[0-9]{2})[0-9]{12}|35[0-9]{14}|62[0-9]{14,17}"
)
"""Lengths and first digits that card schemes issue."""
SUSPECT_NAME = (
    rf"{credentials.SHAPES}|(?i:bearer)|(?:^|[^A-Za-z0-9])(?i:{'|'.join(_IBAN_LENGTHS)})[0-9]{{2}}[ -]?[A-Za-z0-9]"
    rf"|(?:^|[^0-9])(?:{_CARD.pattern})(?:[^0-9]|$)|[2-6][0-9]{{3}}-[0-9]{{4,6}}-[0-9]{{4,5}}"
)
"""Holds wherever a key, an account or a card could be found in a name: digits alone are most often a running number."""

_SPACE = r"[ \u00a0\u202f]"
_GAP = rf"(?:{_SPACE}?[()-]{{0,2}}{_SPACE}?|\.)"
_PHONES = (
    re.compile(rf"\+[1-9](?:{_GAP}[0-9]){{7,14}}"),  # +44 20 7946 0187
    re.compile(rf"00[1-9][0-9]{{0,2}}(?:{_SPACE}|[-(])(?:{_GAP}[0-9]){{6,12}}"),  # 0049 170 1234567
    re.compile(rf"0[1-9](?:({_SPACE}|[.-])[0-9]{{2}})(?:\1[0-9]{{2}}){{3}}"),  # 06 12 34 56 78
    re.compile(rf"\(?0[0-9]{{2,4}}\)?(?:{_SPACE}|[/-]){{1,3}}[0-9]{{3,8}}(?:(?:{_SPACE}|-)[0-9]{{2,4}}){{0,3}}"),
    re.compile(r"(?:1[ .-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .-])[0-9]{3}[ .-][0-9]{4}"),  # (555) 123-4567
)
"""International; in French pairs; with an area code that starts with 0 (020 7946 0187, 030/1234567); North American."""
_NUMBER = re.compile(rf"\(?[0-9](?:{_GAP}[0-9]){{6,11}}")
_CALL = re.compile(
    r"(?i)(?<![^\W_])(?:tel|telé|télé|phone|mobi|móvil|cell|handy|natel|fax|whatsapp|sms|txt|text|call|ring|reach|dial"
    r"|landline|anruf|ruf|rückruf|erreich|festnetz|appel|rappel|joindre|joignable|fixe|numéro|llam|llám|celular|celu\b|fijo"
    r"|número|chiam|fisso|numero|ligue|ligar|bel\b|bellen|bereikbaar|number|nummer)[^0-9\n]*$"
)
"""A word about calling, and nothing but words between it and a number."""
_BREAK = re.compile(r"(?i)[.!?](?:\s|$)|[\n,;]|(?:call|ring|text|reach|phone|tel)\w*")
"""Where what comes before says nothing any more about a number that follows."""
_REFERENCE = re.compile(
    r"(?i)order|invoice|ticket|case|quote|quotation|tracking|reference|ref\b|account|customer|serial|article|sku|parcel"
    r"|shipment|\binv\b|\bpo\b|\bid\b|_id|code|bestell|rechnung|auftrag|kunden|vorgang|beleg|artikel|sendung|konto"
    r"|steuer|serie|série|facture|commande|dossier|devis|compte|colis|client|référence|siret|factura|pedido|caso|cuenta"
    r"|env[ií]o|referencia|c[óo]digo|ordin|fattura|codice|spedizione|fiscal|encomenda|factuur|klant|pakket|\bkvk\b|\blot"
)
"""Words whose numbers are not for calling."""
_AMOUNT_AFTER = re.compile(r"\s?(?:€|\$|£|%|(?:EUR|USD|GBP|CHF|euros?|dollars?|units|Stück|kg|km|ms)\b)", re.IGNORECASE)
_DATE = re.compile(
    r"(?:(?:19|20)[0-9]{2}[./ -][0-9]{1,2}[./ -][0-9]{1,2}|[0-9]{1,2}[./ -][0-9]{1,2}[./ -](?:19|20)[0-9]{2})(?![0-9])"
    r"|(?:19|20)[0-9]{2}-[0-9]{3,}|[0-9]{1,2}\.[0-9]{2} ?- ?[0-9]{1,2}\.[0-9]{2}$|[0-9]{1,3}(?:\.[0-9]{3})+$"
)
"""Dates, years with a running number, spans of time, and thousands set off by dots."""


def emails(text: str) -> Iterator[Span]:
    """Yield mail addresses."""
    if "@" in text:
        for found in _EMAIL.finditer(text):
            yield found.span()


def ibans(text: str) -> Iterator[Span]:
    """Yield account numbers of a known country, with its length, whose check digits hold."""
    for found in _IBAN.finditer(text) if _SEVEN_DIGITS.search(text) else ():
        length = _IBAN_LENGTHS.get(found[0][:2].upper(), 0)
        end = _end_of(text, found.start(), length)
        if end is None or text[end : end + 1].isalnum():
            continue
        if _mod97("".join(filter(str.isalnum, text[found.start() : end]))):
            yield found.start(), end


def cards(text: str) -> Iterator[Span]:
    """Yield payment card numbers: a scheme's first digits and length, and Luhn's check digit."""
    for run in _DIGIT_RUN.finditer(text) if _SEVEN_DIGITS.search(text) else ():
        groups = [(run.start() + group.start(), run.start() + group.end()) for group in re.finditer(r"[0-9]+", run[0])]
        after = 0
        for i, (start, first) in enumerate(groups):
            if start < after or first - start < 4:  # cards are written in groups of four and more
                continue
            for _, end in reversed(groups[i : i + 5]):
                if _is_card(text[start:end]):
                    yield start, end
                    after = end
                    break


def phones(text: str) -> Iterator[Span]:
    """Yield phone numbers: by their shape, or after a word about calling; never what is named as something else."""
    if not _SEVEN_DIGITS.search(text):
        return
    for shape in _PHONES:
        for found in shape.finditer(text):
            start, end = _trimmed(text, *found.span())
            if _digits(text[start:end]) >= (8 if text[start] == "+" else 9) and _is_number(text, start, end):
                yield start, end
    for found in _NUMBER.finditer(text):
        start, end = _trimmed(text, *found.span())
        called = _CALL.search(text[max(0, start - 50) : start])
        if (
            called
            and not _REFERENCE.search(called[0])
            and _digits(text[start:end]) >= 7
            and _is_number(text, start, end)
        ):
            yield start, end


FINDERS: dict[str, Callable[[str], Iterator[Span]]] = {
    "key": credentials.keys,
    "email": emails,
    "iban": ibans,
    "card": cards,
    "phone": phones,
}
"""In this order: what an earlier one found is no longer there for a later one."""


def normal(kind: str, value: str) -> str:
    """Return the form in which two spellings of one value are equal."""
    if kind == "phone":
        return re.sub(r"[^0-9]", "", value)
    if kind in ("card", "iban"):
        return re.sub(r"[ -]", "", value).upper()
    return value.lower() if kind == "email" else value


def _digits(text: str) -> int:
    return sum(map(str.isdigit, text))


def _trimmed(text: str, start: int, end: int) -> Span:
    """Cut off what only follows a number: a lone digit, and groups that make a national one longer than 12 digits."""
    while (cut := max(text.rfind(each, start, end) for each in " -\u00a0\u202f")) > start:
        is_long = not text.startswith(("+", "00"), start) and _digits(text[start:end]) > 12
        if not is_long and end - cut > 2:
            break
        end = cut
    return start, end


def _is_number(text: str, start: int, end: int) -> bool:
    """Say whether the digits stand alone, and are no date, no amount and no reference by the words before them."""
    if _is_part(text, start, end) or _DATE.match(text, start, end) or _AMOUNT_AFTER.match(text, end):
        return False
    if re.fullmatch(r"\+[0-9]+\.[0-9]+", text[start:end]):
        return False  # a decimal with its sign
    if text[start] == "+":
        return True
    lead = _BREAK.split(text[max(0, start - 30) : start])[-1]
    return _REFERENCE.search(lead) is None


def _is_part(text: str, start: int, end: int) -> bool:
    """Say whether the digits are part of a longer word, number, path or amount."""
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    if before[-1:].isalnum() or before[-1:] in ("_", "#", "@", "+", "€", "$", "£"):
        return True
    if before[-1:] in ("-", ".", ",") and before[:1].isalnum():
        return before[:1].isdigit() or before[-1:] == "-"
    return after[:1].isalnum() or after[:1] in ("_", "@") or (after[:1] in ("-", ".", ",", ":") and after[1:].isdigit())


def _end_of(text: str, start: int, length: int) -> int | None:
    """Return where `length` letters and digits from `start` on end, None when something else comes between them."""
    for i in range(start, min(len(text), start + 2 * length)):
        if text[i].isalnum():
            length -= 1
            if not length:
                return i + 1
        elif text[i] not in " -":
            return None
    return None


def _mod97(iban: str) -> bool:
    """ISO 13616: moved by four and with letters as numbers, it leaves 1 when divided by 97."""
    if not iban.isascii():
        return False
    return int("".join(str(int(each, 36)) for each in iban[4:] + iban[:4])) % 97 == 1


def _is_card(text: str) -> bool:
    digits = re.sub(r"[^0-9]", "", text)
    return _CARD.fullmatch(digits) is not None and _luhn(digits)


def _luhn(digits: str) -> bool:
    """ISO/IEC 7812: from the right, every second digit doubled, the sum of all digits divides by ten."""
    doubled = (int(each) * (1 + i % 2) for i, each in enumerate(reversed(digits)))
    return sum(each - 9 * (each > 9) for each in doubled) % 10 == 0
