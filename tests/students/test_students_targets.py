from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lessons import LABELS, train
from overproof.core.errors import UserError
from overproof.students.targets import soft_labels

shares = st.dictionaries(st.sampled_from([*LABELS, "unreadable"]), st.floats(0, 1))


def test_without_votes_all_lies_on_the_answer() -> None:
    found = soft_labels(train([("a", "login"), ("b", "billing")]).frame, LABELS)

    assert found.tolist() == [[0, 1, 0], [1, 0, 0]]


def test_votes_are_what_is_learned_where_there_are_any() -> None:
    found = soft_labels(train([("a", "login")], {"a": {"login": 0.75, "billing": 0.25}}).frame, LABELS)

    assert found.tolist() == [[0.25, 0.75, 0]]


def test_votes_that_could_not_be_read_say_nothing() -> None:
    found = soft_labels(train([("a", "login")], {"a": {"login": 0.4, "billing": 0.4, "?": 0.2}}).frame, LABELS)

    assert found.tolist() == [[0.5, 0.5, 0]]


@given(shares)
def test_every_row_sums_to_one(votes: dict[str, float]) -> None:
    found = soft_labels(train([("a", "login")], {"a": votes}).frame, LABELS)

    assert found.sum() == pytest.approx(1)
    assert np.all(found >= 0)


def test_an_answer_that_is_no_label_is_named() -> None:
    with pytest.raises(UserError, match="'p1' has the answer 'weather'"):
        soft_labels(train([("a", "login"), ("b", "weather")]).frame, LABELS)
