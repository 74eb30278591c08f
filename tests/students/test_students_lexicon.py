from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from overproof.students.lexicon import learn
from overproof.students.linear import Linear

TEXTS = ["reset my password", "reset my login", "where is my parcel"]
texts = st.lists(st.text(st.sampled_from("ab c"), max_size=12), max_size=8)


def test_every_word_is_known_and_only_repeated_runs_are() -> None:
    known = learn(TEXTS, Linear()).lexicon.runs

    assert set(known) == {"reset", "my", "password", "login", "where", "is", "parcel", "reset my"}


def test_the_most_frequent_runs_stay_when_there_are_too_many() -> None:
    counted = learn(TEXTS, Linear(max_features=2))

    assert dict(zip(counted.lexicon.runs, counted.runs, strict=True)) == {"my": 3, "reset": 2}


def test_pieces_that_one_text_holds_are_left_out() -> None:
    known = learn(TEXTS, Linear(characters=(3, 3))).lexicon.pieces

    assert "<re" in known
    assert "<wh" not in known


def test_longer_runs_can_stand_alone() -> None:
    known = learn(TEXTS, Linear(words=(2, 2))).lexicon.runs

    assert known == ("reset my",)


def test_unknown_words_are_handed_on_only_where_pieces_can_read_them() -> None:
    plain, cut = (learn(TEXTS, Linear(characters=sizes)).lexicon for sizes in (None, (2, 3)))

    assert plain.read("my passwort").unknown == []
    assert cut.read("my passwort passwort").unknown == ["passwort"]
    assert cut.pieces_of("rest")


@given(texts)
def test_a_text_it_learned_from_holds_no_unknown_word(learned: list[str]) -> None:
    lexicon = learn(learned, Linear(characters=(2, 3))).lexicon

    assert all(not lexicon.read(text).unknown for text in learned)


@given(texts)
def test_counts_are_of_texts_that_hold_the_run(learned: list[str]) -> None:
    counted = learn(learned, Linear(words=(1, 3), min_count=1))

    for row, count in enumerate(counted.runs):
        assert count == sum(row in counted.lexicon.read(text).rows for text in learned)


@given(texts)
def test_no_row_is_found_twice_in_a_text(learned: list[str]) -> None:
    lexicon = learn(learned, Linear(min_count=1)).lexicon

    for text in learned:
        rows = lexicon.read(text).rows
        assert len(rows) == len(set(rows))
