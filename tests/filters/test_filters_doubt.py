"""Three witnesses make a doubt; one is enough, and none can acquit."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.filters.doubt import FLOOR, SAMPLES, STUDENT, UNSURE, doubted, weigh
from overproof.filters.opinion import Opinion

COLUMNS = {
    "prompt_id": pl.String,
    "answer": pl.String,
    "source": pl.String,
    "rule": pl.String,
    "logprob": pl.Float64,
}


def judged(*rows: tuple[str, str, float | None]) -> pl.DataFrame:
    """Return accepted answers that were asked for: prompt, answer, log-probability."""
    table = [(prompt, answer, "asked", None, logprob) for prompt, answer, logprob in rows]
    return pl.DataFrame(table, schema=COLUMNS, orient="row")


def thinks(**wrong: float) -> Opinion:
    """Return an opinion on answer "a" to each prompt, half of which can be shown."""
    likely = np.array([[each] for each in wrong.values()])
    return Opinion({name: row for row, name in enumerate(wrong)}, {"a": 0}, likely, likely / 2)


def dealt(*names: str, weights: dict[str, float] | None = None) -> pl.DataFrame:
    return pl.DataFrame({"prompt_id": names, "weight": [(weights or {}).get(name, 1.0) for name in names]})


def test_each_witness_alone_is_the_reason() -> None:
    rows = [("p", "a", None), ("q", "a", None), ("q", "a", None), ("q", "b", None), ("r", "a", math.log(0.6))]

    table = weigh(judged(*rows), thinks(p=0.3))

    assert dict(table.select("prompt_id", "because").rows()) == {"p": STUDENT, "q": SAMPLES, "r": UNSURE}
    assert table["doubt"].to_list() == pytest.approx([0.3, 1 / 3, 0.4])


def test_what_can_be_shown_of_the_students_witness_stands_beside_it() -> None:
    table = weigh(judged(("p", "a", None), ("q", "a", math.log(0.6))), thinks(p=0.4, q=0.4))

    assert table["doubt"].to_list() == pytest.approx([0.4, 1 - 0.6 * 0.6])
    assert table["at_least"].to_list() == pytest.approx([0.2, 1 - 0.8 * 0.6])


def test_an_answer_nobody_speaks_against_is_not_doubted() -> None:
    assert weigh(judged(("p", "a", None)), Opinion.none())["doubt"].to_list() == [0.0]


def test_the_student_speaks_about_what_leads_the_vote() -> None:
    rows = [("p", "a", None), ("p", "b", None), ("p", "b", None)]

    table = weigh(judged(*rows), thinks(p=0.9))

    assert table.select("leader", "because").rows() == [("b", SAMPLES)]


@given(st.floats(0, 1), st.floats(-5, 0), st.integers(1, 4), st.integers(0, 3))
def test_more_doubt_of_any_kind_is_never_less_doubt(wrong: float, logprob: float, top: int, against: int) -> None:
    rows = [("p", "a", logprob)] * (top + against + 1) + [("p", "b", None)] * against
    doubt = weigh(judged(*rows), thinks(p=wrong))["doubt"][0]
    parts = [wrong, 1 - math.exp(logprob), against / (top + 2 * against + 1)]

    assert max(parts) - 1e-9 <= doubt <= min(1, sum(parts)) + 1e-9


def test_the_most_doubted_come_first_and_no_more_than_their_share() -> None:
    names = [f"p{i}" for i in range(10)]
    table = weigh(judged(*[(name, "a", None) for name in names]), thinks(**{n: i / 20 for i, n in enumerate(names)}))

    assert doubted(table, dealt(*names), 0.3)["prompt_id"].to_list() == ["p9", "p8", "p7"]
    assert doubted(table, dealt(*names), 0.0).is_empty()


def test_what_is_hardly_doubted_is_not_doubted_however_large_the_share() -> None:
    table = weigh(judged(("p", "a", None), ("q", "a", None)), thinks(p=FLOOR - 0.001, q=FLOOR))

    assert doubted(table, dealt("p", "q"), 1.0)["prompt_id"].to_list() == ["q"]


def test_of_equal_doubts_the_one_asked_more_often_comes_first() -> None:
    table = weigh(judged(("p", "a", None), ("q", "a", None)), thinks(p=0.4, q=0.4))

    assert doubted(table, dealt("p", "q", weights={"q": 7.0}), 0.5)["prompt_id"].to_list() == ["q"]
