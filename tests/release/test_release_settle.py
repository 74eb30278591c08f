from __future__ import annotations

import pytest
from msgspec.structs import replace

from overproof.core.types import Calibration, Candidate, Economics, Outcome, Verdict
from overproof.release.ledger import Permit
from overproof.release.settle import settle, ships

PERMIT = Permit(level=0.04, exploratory=False, reason="first decision on 400 test units", units=("u",), fresh=True)
LOOKING = replace(PERMIT, exploratory=True, reason="what these test units showed is known")


def verdict(condition: str, outcome: Outcome = "proven", **fields: object) -> Verdict:
    known: dict[str, object] = {
        "condition": condition,
        "metric": "m",
        "subject": "system",
        "reference": "gold",
        "bar": 0.9,
        "outcome": outcome,
        "level": 0.04,
    }
    return Verdict(**(known | fields))  # type: ignore[arg-type]  # the tests name real fields


PROVEN = (verdict("bar"), verdict("risk"), verdict("saving"))


def candidate(name: str, price: float = 1.0, verdicts: tuple[Verdict, ...] = PROVEN, **fields: object) -> Candidate:
    calibration = Calibration(
        candidate=name,
        reference="gold",
        alpha=0.05,
        delta=0.05,
        threshold=0.8,
        coverage=0.6,
        risk=0.01,
        answered_units=300,
        errors=3,
        p_value=0.001,
        ece=0.01,
        brier=0.02,
    )
    money = Economics(
        requests_per_month=1000,
        teacher_per_1k=5.0,
        student_per_1k=0.1,
        blended_per_1k=price,
        saved_per_month=4.0,
        spent=1.0,
        break_even_requests=250.0,
    )
    known: dict[str, object] = {
        "name": name,
        "family": "student",
        "kind": "linear",
        "calibration": calibration,
        "verdicts": verdicts,
        "economics": money,
        "tested": True,
        "proven": True,
    }
    return Candidate(**(known | fields))  # type: ignore[arg-type]  # the tests name real fields


def test_of_the_proven_the_cheapest_ships() -> None:
    decision = settle([], [candidate("dear", 2.0), candidate("cheap", 1.0)], PERMIT)

    assert (decision.outcome, decision.winner, decision.level) == ("released", "cheap", 0.04)
    assert "cheapest of 2 proven" in decision.reason


def test_of_those_that_cost_about_the_same_the_smallest_ships() -> None:
    large, small = candidate("large", 1.0, size_bytes=90_000_000), candidate("small", 1.005, size_bytes=400_000)
    tiny = candidate("tiny", 1.05, size_bytes=1_000)

    decision = settle((), (large, small, tiny), PERMIT)

    assert decision.winner == "small"
    assert "the smallest of the 2 that cost least, of 3 proven" in decision.reason


def test_costs_that_differ_by_what_a_clock_may_do_give_one_sentence() -> None:
    large = candidate("large", 1.0, size_bytes=2)

    reasons = [settle((), (large, candidate("small", cost, size_bytes=1)), PERMIT).reason for cost in (0.999, 1.001)]

    assert len({reason.partition(";")[0] for reason in reasons}) == 1


def test_a_proven_baseline_goes_before_every_student() -> None:
    assert settle([candidate("cache", 3.0)], [candidate("student", 1.0)], PERMIT).outcome == "baseline"


def test_past_the_gate_a_proven_student_goes_first_and_an_unproven_one_does_not() -> None:
    unproven = candidate("student", verdicts=(*PROVEN, verdict("bar", "unproven")))

    assert settle([candidate("cache")], [candidate("student")], PERMIT, past_gate=True).winner == "student"
    assert settle([candidate("cache")], [unproven], PERMIT, past_gate=True).winner == "cache"


def test_an_exploratory_decision_never_releases() -> None:
    decision = settle([candidate("cache")], [candidate("student")], LOOKING)

    assert (decision.outcome, decision.winner) == ("exploratory", None)
    assert decision.reason == LOOKING.reason


@pytest.mark.parametrize(
    "broken",
    [
        {"verdicts": ()},
        {"verdicts": (verdict("bar"), verdict("saving"))},
        {"verdicts": (verdict("bar"), verdict("risk"))},
        {"verdicts": (verdict("risk"), verdict("saving", required=False))},
        {"verdicts": (*PROVEN, verdict("bar", "unproven"))},
        {"verdicts": (*PROVEN, verdict("bar", "failed"))},
        {"verdicts": (*PROVEN, verdict("latency", exploratory=True))},
        {"tested": False},
    ],
)
def test_nothing_ships_with_a_condition_open_missing_or_exploratory_whatever_its_flag_says(
    broken: dict[str, object],
) -> None:
    made = candidate("c", **broken)  # type: ignore[arg-type]  # the tests name real fields

    assert made.proven
    assert not ships(made)
    assert settle([made], [made], PERMIT).outcome == "not_proven"


def test_what_is_shown_beside_the_conditions_stops_nothing() -> None:
    assert ships(candidate("c", verdicts=(*PROVEN, verdict("bar", "failed", subject="student", required=False))))


def test_a_candidate_without_a_threshold_or_a_price_does_not_ship() -> None:
    made = candidate("c")

    assert not ships(replace(made, calibration=replace(made.calibration, threshold=None)))
    assert settle([], [replace(made, economics=None)], PERMIT).outcome == "not_proven"


def test_not_proven_says_what_the_likeliest_candidate_lacks() -> None:
    lacking = candidate(
        "b", verdicts=(*PROVEN, verdict("bar", "unproven", slice="vip", more_units=120, more_days=14.2)), margin=2.0
    )
    worse = candidate("a", verdicts=(*PROVEN, verdict("risk", "failed")), margin=-1.0)
    reason = settle([], [worse, lacking], PERMIT).reason

    assert "b was the likeliest" in reason
    assert "bar on vip (unproven: about 120 more units, 15 days at this rate)" in reason


def lacks(more_units: int, more_days: float) -> str:
    unproven = verdict("bar", "unproven", slice="vip", more_units=more_units, more_days=more_days)
    return settle([], [candidate("b", verdicts=(*PROVEN, unproven))], PERMIT).reason


def test_what_is_missing_is_told_in_the_right_number_and_only_where_it_can_come() -> None:
    assert "about 1 more unit, 1 day at this rate" in lacks(1, 0.4)
    assert "far more units than this traffic brings" in lacks(51_000, 12_800.0)


def test_what_may_answer_nothing_lacks_a_threshold_and_not_what_follows_from_that() -> None:
    made = candidate("b", verdicts=(*PROVEN, verdict("saving", "failed")))
    reason = settle([], [replace(made, calibration=replace(made.calibration, threshold=None))], PERMIT).reason

    assert reason == "b was the likeliest to pass and may answer nothing: no threshold could be certified"


@pytest.mark.parametrize(
    ("answered", "text"), [(0.996, ">99%"), (1.0, "100%"), (0.614, "61%"), (0.002, "<1%"), (0.0, "0%")]
)
def test_nearly_all_is_not_called_all(answered: float, text: str) -> None:
    made = candidate("b")
    proven = replace(made, calibration=replace(made.calibration, coverage=answered))

    assert f"it answers {text} itself" in settle([], [proven], PERMIT).reason


@pytest.mark.parametrize(
    ("price", "text"), [(123.0, "$123.00"), (0.18, "$0.18"), (0.00002, "less than $0.0001"), (0.0, "$0")]
)
def test_prices_are_told_as_prices(price: float, text: str) -> None:
    assert f"costs {text} per thousand" in settle([], [candidate("b", price)], PERMIT).reason


def test_with_nothing_tested_it_says_that() -> None:
    assert "nothing could be certified" in settle([], [candidate("a", tested=False)], PERMIT).reason
