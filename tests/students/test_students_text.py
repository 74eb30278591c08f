from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.students.text import LONGEST, pieces, words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ÜBERWEISUNG", "überweisung"),
        ("contraseña", "contrasena"),
        ("réinitialiser l'accès", "REINITIALISER L'ACCES"),
        ("Straße", "STRASSE"),
        ("order 4711", "order 12"),
        ("ﬁle", "file"),
    ],
)
def test_case_accents_and_digits_make_no_difference(one: str, other: str) -> None:
    assert words(one) == words(other)


@given(st.text())
def test_it_does_not_matter_how_an_accent_is_encoded(text: str) -> None:
    assert words(unicodedata.normalize("NFC", text)) == words(unicodedata.normalize("NFD", text))


@given(st.text(st.characters(exclude_categories=[])))
def test_a_word_holds_no_blank_and_can_be_written_as_utf8(text: str) -> None:
    """Runs of words are joined by blanks and saved as UTF-8; lone surrogates are left out."""
    for word in words(text):
        assert word
        assert not set(word) & set(" <>")
        assert word.encode("utf-8").decode("utf-8") == word


def test_scripts_without_spaces_are_cut_into_characters() -> None:
    assert words("退款 please") == ["退", "款", "please"]


def test_vowel_signs_stay_in_their_word() -> None:
    assert len(words("हिन्दी")) == 1


def test_an_emoji_is_a_word() -> None:
    assert words("great👍👍") == ["great", "👍", "👍"]


@given(st.text(max_size=60), st.integers(1, 4), st.integers(0, 3))
def test_pieces_are_distinct_and_of_the_sizes_asked_for(word: str, least: int, more: int) -> None:
    found = pieces(word, (least, least + more))

    assert len(found) == len(set(found))
    assert all(least <= len(piece) <= least + more for piece in found)


def test_pieces_know_where_a_word_starts_and_ends() -> None:
    assert pieces("pay", (2, 3)) == ["<p", "pa", "ay", "y>", "<pa", "pay", "ay>"]


def test_a_blob_costs_no_more_than_a_long_word() -> None:
    assert pieces("x" * 100_000, (2, 5)) == pieces("x" * LONGEST, (2, 5))
