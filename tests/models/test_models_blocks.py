from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from overproof.models.blocks import quoted, unquoted

MARKS = ("--- answer 0123456789abcdef ---\n", "\n--- end of answer 0123456789abcdef ---", "\n", "x", "---")
hostile = st.lists(st.one_of(st.sampled_from(MARKS), st.text(max_size=5)), max_size=6).map("".join)


@given(hostile, hostile)
def test_whatever_is_quoted_comes_out_as_it_went_in(request: str, answer: str) -> None:
    """No text can close its own block, nor open one that is taken for another."""
    message = quoted({"request": request, "answer": answer})

    assert unquoted("answer", message) == answer


def test_blocks_that_are_not_there_are_not_found() -> None:
    assert unquoted("answer", "--- answer 0123456789abcdef ---\nyes") is None
    assert unquoted("answer", quoted({"request": "yes"})) is None


def test_the_same_texts_make_the_same_message() -> None:
    assert quoted({"a": "x", "b": "y"}) == quoted({"a": "x", "b": "y"})
    assert quoted({"a": "x", "b": "y"}) != quoted({"a": "x", "b": "z"})
