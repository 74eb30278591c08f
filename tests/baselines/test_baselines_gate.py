"""Is there a baseline that keeps every promise?"""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.baselines.gate import Miss, gate
from overproof.core.types import Calibration, Candidate, CurvePoint, Economics, Estimate, Outcome, Verdict


def verdict(
    value: float | None,
    bar: float,
    outcome: Outcome,
    condition: Literal["bar", "risk", "saving", "latency", "cost"] = "bar",
    **given_fields: Any,  # noqa: ANN401 - fields of the record
) -> Verdict:
    estimate = None
    if value is not None:
        estimate = Estimate(
            value=value,
            lower=value - 0.02,
            upper=value + 0.02,
            kind="anytime",
            level=0.05,
            requests=500,
            units=400,
            effective=380.0,
        )
    fields: dict[str, Any] = {"metric": "accuracy", "subject": "system", "reference": "gold", "level": 0.05}
    return Verdict(condition=condition, bar=bar, outcome=outcome, estimate=estimate, **(fields | given_fields))


def candidate(
    name: str,
    *verdicts: Verdict,
    proven: bool = False,
    blended: float | None = 1.0,
    family: Literal["baseline", "student"] = "baseline",
    threshold: float | None = 0.5,
    curve: tuple[CurvePoint, ...] = (),
) -> Candidate:
    economics = None
    if blended is not None:
        economics = Economics(
            requests_per_month=1000,
            teacher_per_1k=2.0,
            student_per_1k=0.1,
            blended_per_1k=blended,
            saved_per_month=1.0,
            spent=0.0,
            break_even_requests=0.0,
        )
    calibration = Calibration(
        candidate=name,
        reference="gold",
        alpha=0.05,
        delta=0.025,
        threshold=threshold,
        coverage=0.5,
        risk=0.01,
        answered_units=200,
        errors=2,
        p_value=0.01,
        curve=curve,
        ece=0.01,
        brier=0.02,
    )
    return Candidate(
        name=name,
        family=family,
        kind="endpoint",
        calibration=calibration,
        verdicts=verdicts,
        economics=economics,
        tested=bool(verdicts),
        proven=proven,
    )


def test_the_cheapest_proven_baseline_wins() -> None:
    found = gate([candidate("dear", proven=True, blended=1.5), candidate("cheap", proven=True, blended=0.25)])

    assert found.winner == "cheap"
    assert found.reason == (
        "cheap is proven to keep every promise at $0.25 per 1,000 requests: nothing needs to be distilled"
    )
    assert found.misses == ()


def test_a_proven_baseline_without_a_cost_comes_after_those_with_one() -> None:
    assert gate([candidate("a", proven=True, blended=None), candidate("b", proven=True)]).winner == "b"


def test_a_miss_is_told_with_the_promise_it_misses() -> None:
    found = gate([candidate("tern-mini", verdict(0.869, 0.92, "failed"), verdict(0.99, 0.9, "proven"))])

    assert found.winner is None
    assert found.misses == (Miss(name="tern-mini", reason="accuracy 0.869 against a bar of 0.92, failed"),)
    assert found.reason == (
        "no baseline is proven to keep every promise (tern-mini: accuracy 0.869 against a bar of 0.92, failed)"
    )


@pytest.mark.parametrize(
    ("verdicts", "told"),
    [
        ((verdict(0.9, 0.92, "failed"), verdict(0.7, 0.92, "failed", slice="vip")), "accuracy on vip 0.7 against"),
        ((verdict(0.5, 0.92, "unproven"), verdict(0.9, 0.92, "failed")), "accuracy 0.9 against a bar of 0.92, failed"),
        ((verdict(0.93, 0.92, "unproven"),), r"accuracy 0.93 (0.91 to 0.95) against a bar of 0.92, unproven"),
        ((verdict(0.12, 0.05, "failed", "risk", metric="error"),), "error 0.12 against a limit of 0.05, failed"),
        ((verdict(None, 0.9, "unproven", slice="vip"),), "accuracy on vip could not be measured, unproven"),
        (
            (verdict(0.1, 0.9, "failed", required=False), verdict(0.91, 0.92, "unproven")),
            "accuracy 0.91 (0.89 to 0.93) against a bar of 0.92, unproven",
        ),
    ],
)
def test_the_worst_required_miss_is_told(verdicts: tuple[Verdict, ...], told: str) -> None:
    (miss,) = gate([candidate("x", *verdicts)]).misses

    assert miss.reason.startswith(told)


def test_misses_of_different_kinds_are_compared_by_how_far_they_are_off() -> None:
    very_slow = verdict(400.0, 50.0, "failed", "latency", metric="latency_p95_ms")
    slow = verdict(55.0, 50.0, "failed", "latency", metric="latency_p95_ms")
    weak = verdict(0.6, 0.92, "failed")

    assert (
        gate([candidate("x", weak, very_slow)]).misses[0].reason.startswith("latency p95 ms 400 against a limit of 50")
    )
    assert gate([candidate("x", slow, weak)]).misses[0].reason.startswith("accuracy 0.6 against a bar of 0.92")


def test_what_was_never_tested_says_so() -> None:
    silent, waiting = candidate("silent", threshold=None), candidate("waiting")

    assert [miss.reason for miss in gate([silent, waiting]).misses] == [
        "it speaks too seldom for any threshold to be tried",
        "not tested",
    ]


def test_a_baseline_that_may_answer_nothing_says_by_how_much_it_errs() -> None:
    points = [
        CurvePoint(
            threshold=threshold, coverage=coverage, risk=risk, risk_upper=0.2, teacher_share=0.1, cost_per_1k=0.1
        )
        for threshold, coverage, risk in ((0.2, 1.0, 0.15), (0.8, 0.9, 0.13))
    ]
    silent = candidate("tern-mini", verdict(0.0, 0.25, "failed", "saving"), threshold=None, curve=tuple(points))

    (miss,) = gate([silent]).misses

    assert miss.reason == "wrong in 13.0% of the 90% it would answer, 5% tolerated"


def test_students_are_none_of_its_business() -> None:
    assert gate([candidate("linear", proven=True, family="student")]).winner is None
    assert gate([]).reason == "no baseline was tried"


@given(st.lists(st.tuples(st.booleans(), st.floats(0.01, 10)), max_size=6))
def test_every_baseline_is_the_winner_or_proven_too_or_told_why_not(given_each: list[tuple[bool, float]]) -> None:
    candidates = [candidate(f"b{i}", proven=proven, blended=cost) for i, (proven, cost) in enumerate(given_each)]
    found = gate(candidates)

    assert [miss.name for miss in found.misses] == [each.name for each in candidates if not each.proven]
    assert (found.winner is None) == (not any(each.proven for each in candidates))
    if found.winner is not None:
        cheapest = min(cost for proven, cost in given_each if proven)
        assert given_each[int(found.winner[1:])] == (True, cheapest)
