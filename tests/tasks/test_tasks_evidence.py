from __future__ import annotations

import polars as pl
import pytest

from overproof.core import tables
from overproof.core.errors import NotEnoughData
from overproof.core.types import Completion, Price, PromptId, Request, UnitId
from overproof.tasks.classify import Classify
from overproof.tasks.evidence import COLUMNS, evidence

TASK = Classify(labels=("billing", "login"))
PRICE = Price(input=1.0, output=10.0)


def request(number: int, **fields: object) -> Request:
    known: dict[str, object] = {
        "id": f"r{number}",
        "prompt_id": PromptId(f"p{number}"),
        "unit": UnitId(f"u{number}"),
        "window": "evaluation",
        "split": "test",
        "slices": ("all", "new"),
        "by_teacher": True,
        "cost_usd": 0.5,
    }
    return Request(**(known | fields))  # type: ignore[arg-type]  # the tests name real fields


def asked(prompt: str, text: str | None, **fields: object) -> Completion:
    known: dict[str, object] = {"prompt_id": PromptId(prompt), "model": "t", "text": text, "source": "asked"}
    return Completion(**(known | fields))  # type: ignore[arg-type]  # the tests name real fields


def laid_out(requests: list[Request], completions: list[Completion] = [], **options: object) -> list[dict[str, object]]:  # noqa: B006 - read only
    known: dict[str, object] = {"reference": "teacher", "price": PRICE}
    table = evidence(
        tables.frame(requests, Request),
        tables.frame(completions, Completion),
        TASK,
        **(known | options),  # type: ignore[arg-type]  # the tests name real options
    )
    return table.to_dicts()


def test_every_request_has_one_row_in_the_order_given() -> None:
    rows = laid_out(
        [request(i, answer="billing", prompt_id=PromptId("same")) for i in (3, 1, 2)], [asked("same", "login")]
    )

    assert [row["request_id"] for row in rows] == ["r3", "r1", "r2"]
    assert tuple(rows[0]) == COLUMNS


def test_an_answer_from_a_gateways_cache_cost_nothing_unless_the_log_says_so() -> None:
    hit = {"metadata": {"cache_hit": "true"}, "answer": "billing", "input_tokens": 10**6, "output_tokens": 0}
    rows = laid_out(
        [
            request(1, **hit, cost_usd=None),
            request(2, **hit, cost_usd=0.25),
            request(3, **(hit | {"metadata": {}}), cost_usd=None),
        ]
    )

    assert [row["teacher_cost"] for row in rows] == [0.0, 0.25, 1.0]


def test_the_teachers_own_logged_answer_goes_before_one_bought_later() -> None:
    (row,) = laid_out(
        [request(1, answer="Category: billing", latency_ms=12.0)], [asked("p1", "login", latency_ms=99.0)]
    )

    assert (row["teacher"], row["teacher_latency_ms"]) == ("billing", 12.0)


@pytest.mark.parametrize(
    "unusable",
    [
        {"answer": "I cannot say"},
        {"answer": "billing", "finish_reason": "length"},
        {"answer": None},
        {"answer": "billing", "by_teacher": False},
    ],
)
def test_an_answer_that_cannot_be_used_is_replaced_by_the_one_asked_for(unusable: dict[str, object]) -> None:
    (row,) = laid_out([request(1, **unusable)], [asked("p1", "login", latency_ms=99.0, cost_usd=0.1)])

    assert (row["teacher"], row["reference"], row["teacher_latency_ms"]) == ("login", "login", 99.0)


def test_the_lowest_readable_sample_counts() -> None:
    samples = [asked("p1", "billing", sample=2), asked("p1", "nonsense", sample=0), asked("p1", "login", sample=1)]
    (row,) = laid_out([request(1)], samples)

    assert row["teacher"] == "login"


def test_a_request_nobody_could_answer_stays_and_has_no_reference() -> None:
    (row,) = laid_out([request(1, answer="no idea")], [asked("p1", None)])

    assert (row["reference"], row["teacher"]) == (None, None)


def test_gold_is_read_like_an_answer_and_never_mixed_with_the_teachers() -> None:
    rows = laid_out(
        [request(1, answer="login", gold="Billing"), request(2, answer="login"), request(3, gold="no label")],
        reference="gold",
    )

    assert [row["reference"] for row in rows] == ["billing", None, "no label"]


def test_outside_a_random_sample_of_gold_requests_are_left_out() -> None:
    rows = laid_out(
        [request(1, gold="billing"), request(2), request(3, gold="?")], reference="gold", gold_missing="random_sample"
    )

    assert [row["request_id"] for row in rows] == ["r1", "r3"]


def test_a_gold_sample_nothing_is_in_is_said() -> None:
    with pytest.raises(NotEnoughData, match="right answer"):
        laid_out([request(1)], reference="gold", gold_missing="random_sample")


def test_the_teachers_cost_is_logged_or_priced_or_that_of_the_completion_or_the_mean() -> None:
    tokens = {"input_tokens": 1000, "output_tokens": 100}
    rows = laid_out(
        [
            request(1, cost_usd=0.003),
            request(2, cost_usd=None, **tokens),
            request(3, cost_usd=None, by_teacher=False),
            request(4, cost_usd=9.0, by_teacher=False),
        ],
        [asked("p3", "login", input_tokens=2000, output_tokens=0)],
    )

    assert [row["teacher_cost"] for row in rows] == pytest.approx([0.003, 0.002, 0.002, 0.007 / 3])


def test_without_any_cost_it_asks_for_the_price() -> None:
    with pytest.raises(NotEnoughData, match="price"):
        laid_out([request(1, cost_usd=None)], price=None)


def test_an_empty_answer_column_is_no_trouble() -> None:
    rows = laid_out([request(1, answer=None), request(2, answer=None)], [])

    assert [row["teacher"] for row in rows] == [None, None]


def test_slices_and_times_pass_through_untouched() -> None:
    table = evidence(tables.frame([request(1)], Request), tables.frame([], Completion), TASK, "teacher", price=PRICE)

    assert table.schema["slices"] == pl.List(pl.String)
    assert table.schema["at"] == tables.TIME
