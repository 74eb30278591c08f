"""Languages: right where named, and not named where the text says too little."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from overproof.prompts import language
from overproof.prompts.language import BYTES, LETTERS, SURE, languages

SPOKEN = [
    "The invoice is wrong, please correct it as soon as you can.",
    "DIE RECHNUNG IST FALSCH, BITTE KORRIGIEREN SIE DAS UMGEHEND.",
    "La factura es incorrecta, por favor corríjanla cuanto antes.",
    "Cafe\u0301 ferme\u0301, ou\u0300 est ma commande ? Merci de me re\u0301pondre.",
    "Счёт неверный, исправьте его, пожалуйста.",  # noqa: RUF001 - Cyrillic is the point
    "請求書が間違っています。早急に修正してください。",
    "발송된 주문이 아직 도착하지 않았습니다.",
    "Račun je pogrešan, molim vas ispravite ga.",
    "aaaa aaaa aaaa aaaa aaaa aaaa",
    "def main(): return [x for x in range(10)]",
]


def told_alone(text: str, identifier: Any) -> str:  # noqa: ANN401 - the package's own class
    """What the package says of a text."""
    if sum(map(str.isalpha, text)) < LETTERS:
        return ""
    code, probability = identifier.classify(text)
    return code if probability >= SURE and len(code) == 2 else ""


def test_named_languages_are_right_and_nearly_all_are_named(triage: pl.DataFrame) -> None:
    found = triage.with_columns(found=languages(triage["text"]))
    sure = found.filter(pl.col("found") != "")

    assert (sure["found"] != sure["language"]).sum() <= 0.002 * sure.height  # 0.9998 of rows
    assert sure.height / found.height >= 0.93  # 0.956


@pytest.mark.parametrize("text", ["", "ok", "12345 678 90123 4567", "???", "INV-500612"])
def test_a_text_that_says_too_little_has_no_language(text: str) -> None:
    assert languages(pl.Series([text])).to_list() == [""]


def test_codes_have_two_letters_and_rows_keep_their_places() -> None:
    german = "Die Rechnung ist falsch, bitte korrigieren Sie das umgehend."
    english = "The invoice is wrong, please correct it as soon as you can."

    assert languages(pl.Series([german, english, german])).to_list() == ["de", "en", "de"]


def test_texts_looked_at_together_are_told_as_the_package_tells_each_alone(triage: pl.DataFrame) -> None:
    short = triage.filter(pl.col("text").str.normalize("NFC").str.len_bytes() <= BYTES)["text"].unique().sort()
    texts = pl.concat([short.head(300), pl.Series([text for text in SPOKEN if len(text.encode()) <= BYTES])])
    identifier = language._identifier()

    assert languages(texts).to_list() == [told_alone(text, identifier) for text in texts]


def test_of_many_texts_hardly_one_is_told_otherwise(triage: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are many, languages that are never likely among them are not looked for."""
    texts = pl.concat([triage["text"], pl.Series(SPOKEN)])
    exactly = languages(texts)
    monkeypatch.setattr(language, "MANY", 100)
    monkeypatch.setattr(language, "DRAWN", 500)
    roughly = languages(texts)

    assert (exactly != roughly).sum() <= 0.003 * len(texts)
    assert not ((exactly != roughly) & (exactly != "") & (roughly != "")).any()
