from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import polars as pl
import pytest
from msgspec.structs import replace

from overproof.core import tables
from overproof.core.splits import Calibrate, Test
from overproof.core.types import Calibration, Prediction, PromptId, Verdict
from overproof.evaluate import sequence
from overproof.evaluate.conditions import Conditions
from overproof.evaluate.economics import economics
from overproof.evaluate.evaluate import Evaluation, evaluate, holds, routed_by
from overproof.evaluate.options import Bar, TargetOptions
from overproof.evaluate.order import margin, ordered
from overproof.evaluate.promises import Promises
from overproof.tasks.classify import Classify
from overproof.tasks.scoring import Units

TASK = Classify(labels=("a", "b"))
N = 600
RNG = np.random.default_rng(1)
CONFIDENCE = RNG.beta(4, 1, N)
WRONG = RNG.random(N) < 0.08 * (1 - CONFIDENCE)
VIP = np.arange(N) % 2 == 0

PROMISES = Promises(
    bars=(Bar(at_least=0.93), Bar(slice="vip", at_least=0.85)),
    critical=("vip",),
    targets=TargetOptions(latency_p95_ms=50.0, cost_per_1k=0.9),
    reference="gold",
    n_max=2,
    teacher_cap=0.004,
    own_cap=1e-5,
)
CALIBRATION = Calibration(
    candidate="c",
    reference="gold",
    alpha=0.05,
    delta=0.05,
    threshold=0.7,
    coverage=0.7,
    risk=0.02,
    answered_units=400,
    errors=8,
    p_value=0.001,
    ece=0.01,
    brier=0.05,
)


def evidence(**columns: object) -> pl.DataFrame:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    known: dict[str, object] = {
        "request_id": [f"r{i}" for i in range(N)],
        "prompt_id": [f"p{i}" for i in range(N)],
        "unit": [f"u{i}" for i in range(N)],
        "slices": [["all", "new", *(["vip"] if VIP[i] else [])] for i in range(N)],
        "reference": ["a"] * N,
        "teacher": ["a" if i % 40 else "b" for i in range(N)],
        "teacher_cost": [0.001] * N,
        "teacher_latency_ms": [400.0] * N,
        "at": [start + timedelta(hours=i) for i in range(N)],
    }
    return pl.DataFrame(known | columns, schema_overrides={"at": tables.TIME, "reference": pl.String})


def predictions(wrong: np.ndarray = WRONG, cost: float = 1e-6, latency_ms: float | None = 1.0) -> pl.DataFrame:
    rows = [
        Prediction(
            prompt_id=PromptId(f"p{i}"),
            answer="b" if wrong[i] else "a",
            confidence=float(CONFIDENCE[i]),
            cost_usd=cost,
            latency_ms=latency_ms,
        )
        for i in range(N)
    ]
    return tables.frame(rows, Prediction)


def evaluated(
    said: pl.DataFrame | None = None,
    calibration: Calibration = CALIBRATION,
    promises: Promises = PROMISES,
    table: pl.DataFrame | None = None,
    **options: bool,
) -> Evaluation:
    return evaluate(
        Test(evidence() if table is None else table),
        predictions() if said is None else said,
        calibration,
        promises,
        task=TASK,
        level=0.04,
        **options,
    )


def one(found: Evaluation, condition: str, slice_: str = "all", subject: str = "system") -> Verdict:
    (verdict,) = [
        each for each in found.verdicts if (each.condition, each.slice, each.subject) == (condition, slice_, subject)
    ]
    return verdict


def test_a_good_student_is_proven_in_everything_promised() -> None:
    found = evaluated()

    assert found.proven
    assert {(each.condition, each.slice) for each in found.verdicts if each.required} == {
        ("bar", "all"),
        ("bar", "vip"),
        ("risk", "all"),
        ("risk", "vip"),
        ("saving", "all"),
        ("latency", "all"),
        ("cost", "all"),
    }


def test_the_student_alone_stands_beside_it_and_decides_nothing() -> None:
    found = evaluated()
    alone = one(found, "bar", subject="student")

    assert not alone.required
    assert alone.estimate is not None
    assert alone.estimate.value == pytest.approx(1 - WRONG.mean())


def test_every_verdict_says_the_level_it_spent_and_what_right_means() -> None:
    assert {(each.level, each.reference) for each in evaluated().verdicts} == {(0.04, "gold")}


def test_it_is_proven_exactly_when_the_conditions_hold() -> None:
    for wrong in (WRONG, np.ones(N, dtype=bool)):
        said = predictions(wrong)
        routed = routed_by(evidence(), said, CALIBRATION, TASK)
        conditions = Conditions(routed, Units.of(routed, PROMISES.seed), PROMISES, ()).required()

        assert holds(conditions, 0.04) == evaluated(said).proven


def test_one_promise_that_fails_is_enough() -> None:
    found = evaluated(predictions(WRONG | (VIP & (np.arange(N) % 3 == 0))))

    assert one(found, "risk", "vip").outcome == "failed"
    assert not found.proven


def test_a_slice_left_to_the_teacher_needs_no_proof_of_risk_but_keeps_its_bar() -> None:
    found = evaluated(predictions(WRONG | VIP), replace(CALIBRATION, always_teacher=("vip",)))

    assert not one(found, "risk", "vip").required
    assert one(found, "risk", "vip").estimate is None
    assert one(found, "bar", "vip").required
    assert found.proven


def test_a_candidate_that_answers_nothing_passes_nothing() -> None:
    found = evaluated(calibration=replace(CALIBRATION, threshold=None))

    assert one(found, "saving").outcome == "failed"
    assert one(found, "risk").outcome == "unproven"
    assert not found.proven


def test_a_slice_nobody_is_in_is_unproven_and_says_so_by_having_no_estimate() -> None:
    found = evaluated(promises=replace(PROMISES, critical=("vip", "gone"), bars=(Bar(slice="gone", at_least=0.9),)))

    for condition in ("bar", "risk"):
        verdict = one(found, condition, "gone")

        assert (verdict.outcome, verdict.estimate, verdict.more_units) == ("unproven", None, None)
    assert [row.requests for row in found.slices if row.slice == "gone"] == [0]


def test_unproven_says_about_how_many_units_and_days_are_missing() -> None:
    verdict = one(evaluated(promises=replace(PROMISES, bars=(Bar(at_least=0.975),))), "bar")

    assert verdict.outcome == "unproven"
    assert verdict.more_units is not None
    assert verdict.more_days == pytest.approx(verdict.more_units * (N - 1) / 24 / N)


def test_a_request_without_a_reference_is_counted_against_the_candidate_and_counted() -> None:
    missing = ["a" if i % 10 else None for i in range(N)]
    found = evaluated(table=evidence(reference=missing))

    assert one(found, "bar").worst_case == N // 10
    assert one(found, "bar").outcome == "failed"
    assert one(found, "risk").outcome == "failed"


def test_within_of_the_teacher_is_paired() -> None:
    """The student errs where the teacher does: apart they look unsure, together they are the same."""
    said = predictions(np.arange(N) % 40 == 0)
    found = evaluated(said, promises=replace(PROMISES, bars=(Bar(within=0.02, of="teacher"),)))
    verdict = one(found, "bar")

    assert verdict.outcome == "proven"
    assert verdict.bar == -0.02
    assert verdict.estimate is not None
    assert verdict.estimate.value == 0.0


def test_the_slice_table_holds_every_slice_once_with_all_three_beside_each_other() -> None:
    rows = {row.slice: row for row in evaluated().slices}

    assert list(rows) == ["all", "new", "repeat", "vip"]
    assert rows["vip"].critical
    assert rows["vip"].share == pytest.approx(0.5)
    assert rows["repeat"].system is None
    assert rows["all"].teacher is not None
    assert rows["all"].teacher.value == pytest.approx(0.975)


def test_requests_beyond_n_max_are_shown() -> None:
    table = evidence(unit=["big"] * 12 + [f"u{i}" for i in range(N - 12)])

    assert one(evaluated(table=table), "bar").capped == pytest.approx(10 / N)


def test_an_exploratory_evaluation_marks_every_verdict() -> None:
    assert all(each.exploratory for each in evaluated(exploratory=True).verdicts)


def test_records_survive_json() -> None:
    """No infinity hides in an estimate: JSON would turn it into null."""
    for found in (
        evaluated(),
        evaluated(predictions(latency_ms=None)),
        evaluated(calibration=replace(CALIBRATION, threshold=None)),
    ):
        assert msgspec.json.decode(msgspec.json.encode(found), type=Evaluation) == found


def test_it_reads_nothing_but_the_test() -> None:
    with pytest.raises(TypeError, match="test only"):
        evaluate(
            Calibrate(evidence()),  # type: ignore[arg-type]  # the very mistake
            predictions(),
            CALIBRATION,
            PROMISES,
            task=TASK,
            level=0.04,
        )


def test_gold_and_teacher_references_are_never_mixed() -> None:
    with pytest.raises(ValueError, match="calibrated against teacher"):
        evaluated(calibration=replace(CALIBRATION, reference="teacher"))


# --- order, sequence, economics, promises ----------------------------------------------------------------------------


def test_the_better_candidate_has_the_larger_margin() -> None:
    good = margin(Calibrate(evidence()), predictions(), CALIBRATION, PROMISES, TASK)
    bad = margin(Calibrate(evidence()), predictions(WRONG | (np.arange(N) % 9 == 0)), CALIBRATION, PROMISES, TASK)

    assert good > 0 > bad


def test_candidates_are_ordered_by_margin_and_ties_by_name() -> None:
    assert ordered({"b": 1.0, "a": 1.0, "c": 2.0, "d": float("-inf")}) == ("c", "a", "b", "d")


def test_the_order_cannot_be_made_on_the_test() -> None:
    with pytest.raises(TypeError, match="calibrate only"):
        margin(Test(evidence()), predictions(), CALIBRATION, PROMISES, TASK)  # type: ignore[arg-type]  # the very mistake


def test_nobody_after_the_first_failure_is_tested() -> None:
    asked: list[str] = []
    outcomes = {"a": evaluated(), "b": evaluated(predictions(np.ones(N, dtype=bool))), "c": evaluated()}

    def test(name: str) -> Evaluation:
        asked.append(name)
        return outcomes[name]

    assert list(sequence.tested(("a", "b", "c"), test)) == ["a", "b"] == asked


def test_costs_are_of_the_system_and_pay_for_what_was_spent() -> None:
    costs = evaluated().costs
    money = economics(costs, requests_per_month=10_000, spent=3.0)
    answered = float((CONFIDENCE >= 0.7).mean())

    assert costs.blended_per_1k == pytest.approx(0.001 + (1 - answered) * 1.0)
    assert money.saved_per_month == pytest.approx(10 * (costs.teacher_per_1k - costs.blended_per_1k))
    assert money.break_even_requests == pytest.approx(3.0 / (money.saved_per_month / 10_000))


def test_what_saves_nothing_never_pays() -> None:
    costs = evaluated(predictions(cost=0.002), promises=replace(PROMISES, own_cap=0.01)).costs

    assert economics(costs, 1000, 1.0).break_even_requests is None


def test_the_digest_of_promises_changes_with_each_promise_and_not_with_the_caps() -> None:
    digest = PROMISES.digest()

    assert replace(PROMISES, teacher_cap=9.0, own_cap=9.0).digest() == digest
    for change in (
        {"bars": (Bar(at_least=0.92),)},
        {"alpha": 0.06},
        {"critical": ()},
        {"min_saving": 0.2},
        {"targets": TargetOptions()},
        {"reference": "teacher"},
        {"confidence": 0.9},
        {"n_max": 3},
        {"seed": "another"},
        {"definitions": {"vip": "tier = 'gold'"}},
        {"group": "customer"},
    ):
        assert replace(PROMISES, **change).digest() != digest


def test_a_new_promise_is_part_of_the_digest_unless_it_is_a_cap() -> None:
    assert set(Promises.__struct_fields__) == {
        "bars", "alpha", "critical", "min_saving", "targets", "reference", "confidence", "n_max", "seed", "definitions",
        "group", "teacher_cap", "own_cap",
    }  # fmt: skip
