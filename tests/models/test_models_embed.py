"""Texts as vectors: by their words, in any language."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.core.errors import UserError
from overproof.models.embed import WORDS, Words, embedder

TEXTS = st.lists(st.text(max_size=30), min_size=1, max_size=6)


def alike(*texts: str, learnt: Sequence[str] = ()) -> float:
    rows = (Words.learn(learnt) if learnt else Words()).embed(texts)
    return float((rows[[0]] @ rows[[1]].T).toarray()[0, 0])


@given(TEXTS)
def test_a_row_has_length_one_or_nothing_in_it(texts: list[str]) -> None:
    rows = Words.learn(texts).embed(texts)
    lengths = np.sqrt((rows * rows).sum(axis=1))

    assert rows.shape[0] == len(texts)
    for text, length in zip(texts, lengths, strict=True):
        assert length == pytest.approx(1, abs=1e-5) or length == 0
        assert length > 0 or not any(character.isalnum() for character in text if character.isascii())


@given(TEXTS, st.data())
def test_a_text_has_the_same_row_alone_as_among_others(texts: list[str], data: st.DataObject) -> None:
    words = Words.learn(texts)
    place = data.draw(st.integers(0, len(texts) - 1))

    alone, among = words.embed([texts[place]]), words.embed(texts)[[place]]

    assert np.array_equal(alone.toarray(), among.toarray())


def test_a_row_is_the_same_in_every_process() -> None:
    ask = "from overproof.models.embed import Words; print(Words().embed(['Grüße, 東京!']).indices.tolist())"

    said = {
        subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout for _ in range(2)
    }

    assert said == {f"{Words().embed(['Grüße, 東京!']).indices.tolist()}\n"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Where is my card?", "where is MY card"),
        ("Où est ma carte bancaire", "ou est ma carte bancaire"),
        ("order 4711", "order 12"),
        ("\u0915\u094d\u0930\u093f\u092f\u093e", "\u0915\u094d\u0930\u093f\u092f\u093e!"),
    ],
)
def test_case_accents_punctuation_and_digits_make_no_difference(one: str, other: str) -> None:
    assert alike(one, other) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("asked", "like", "unlike"),
    [
        ("my transfer has failed", "my transfers failed", "please close account"),
        ("银行卡丢了怎么办", "我的银行卡丢了", "今天天气很好"),
        ("รหัสผ่านผิด", "ลืมรหัสผ่าน", "ดีมาก"),
        ("🔥", "🔥🔥 help", "🙂"),
        ("Überweisungen", "überweisung fehlgeschlagen", "wo bleibt das paket"),
    ],
)
def test_what_shares_words_or_pieces_of_them_is_alike_in_any_script(asked: str, like: str, unlike: str) -> None:
    assert alike(asked, like) > 0.2
    assert alike(asked, like) > alike(asked, unlike)


def test_what_stands_everywhere_counts_less_once_that_is_learnt() -> None:
    common = [f"please help me with {thing}" for thing in ("cards", "fees", "limits", "transfers")]
    one, other = "please help me with dogs", "please help me with cats"

    assert alike(one, other, learnt=common) < alike(one, other)


def test_texts_without_a_letter_are_like_nothing() -> None:
    assert alike("?!", "?!") == 0
    assert alike("", "word") == 0


def test_an_encoder_must_be_installed_by_that_name(tmp_path: Path) -> None:
    assert isinstance(embedder(WORDS, ["a"], None), Words)
    with pytest.raises(UserError, match="no encoder is called 'minilm' here"):
        embedder("minilm", ["a"], tmp_path)
    with pytest.raises(UserError, match="no folder of installed encoders"):
        embedder("minilm", ["a"], None)


def test_an_installed_encoder_turns_texts_into_rows(minilm: Path) -> None:
    rows = embedder("minilm", [], minilm).embed(["my card is gone", "I lost my card", "what a nice day"])

    assert rows.shape == (3, 384)
    assert rows[0] @ rows[1] > rows[0] @ rows[2]
