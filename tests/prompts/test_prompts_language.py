"""Languages: right where named, and not named where the text says too little."""

from __future__ import annotations

import polars as pl
import pytest

from overproof.prompts.language import languages


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
