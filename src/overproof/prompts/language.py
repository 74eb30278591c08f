"""The language of each input, where it can be told."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

SURE = 0.6
"""Probability from which a language is named."""
LETTERS = 12
"""A text with fewer letters says too little."""
CHARACTERS = 1000
"""So much of a text is looked at; more changes nothing and costs time."""


def languages(texts: pl.Series) -> pl.Series:
    """Return the ISO 639-1 code of each text's language, "" when unsure; each distinct text is looked at once."""
    distinct = texts.unique()
    heads = distinct.str.slice(0, CHARACTERS)
    letters = heads.str.count_matches(r"\p{L}") >= LETTERS
    codes = pl.Series(
        [_language(text) if enough else "" for text, enough in zip(heads, letters, strict=True)], dtype=pl.String
    )
    return texts.replace_strict(distinct, codes, return_dtype=pl.String).alias("language")


def _language(text: str) -> str:
    code, probability = _identifier().classify(text)
    return code if probability >= SURE and len(code) == 2 else ""


@cache
def _identifier() -> LanguageIdentifier:
    """Load the classifier once (0.4 s). Its weights are plain arrays in its package: no pickle, no network."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
