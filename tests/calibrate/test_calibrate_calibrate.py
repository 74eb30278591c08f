from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from overproof.calibrate.calibrate import calibrate
from overproof.calibrate.options import CalibrateOptions
from overproof.core import tables
from overproof.core.splits import Calibrate, Test
from overproof.core.types import Calibration, Confidence, Prediction, PromptId
from overproof.proof.confidence import shifted
from overproof.tasks.classify import Classify

TASK = Classify(labels=("a", "b"))
N = 800
RNG = np.random.default_rng(0)
CONFIDENCE = RNG.beta(4, 1, N)
WRONG = RNG.random(N) < 0.3 * (1 - CONFIDENCE)
BAD = np.arange(N) % 10 == 0


def evidence() -> pl.DataFrame:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return pl.DataFrame(
        {
            "request_id": [f"r{i}" for i in range(N)],
            "prompt_id": [f"p{i}" for i in range(N)],
            "unit": [f"u{i // 2}" if i < 100 else f"u{i}" for i in range(N)],
            "slices": [["all", "new", *(["bad"] if BAD[i] else [])] for i in range(N)],
            "reference": ["a"] * N,
            "teacher": ["a"] * N,
            "teacher_cost": [0.001] * N,
            "teacher_latency_ms": [400.0] * N,
            "at": [start + timedelta(hours=i) for i in range(N)],
        },
        schema_overrides={"at": tables.TIME},
    )


def predictions(wrong: np.ndarray = WRONG | BAD, confidence: np.ndarray = CONFIDENCE) -> pl.DataFrame:
    rows = [
        Prediction(
            prompt_id=PromptId(f"p{i}"),
            answer="b" if wrong[i] else "a",
            confidence=float(confidence[i]),
            cost_usd=1e-6,
            latency_ms=1.0,
        )
        for i in range(N)
    ]
    return tables.frame(rows, Prediction)


def calibrated(
    said: pl.DataFrame | None = None,
    critical: tuple[str, ...] = ("bad",),
    tune: np.ndarray | None = None,
    shifts: dict[str, float] | None = None,
) -> Calibration:
    return calibrate(
        Calibrate(evidence()),
        predictions() if said is None else said,
        TASK,
        candidate="c",
        reference="gold",
        alpha=0.05,
        delta=0.05,
        critical=critical,
        tune_confidence=RNG.beta(4, 1, 400) if tune is None else tune,
        options=CalibrateOptions(),
        seed="s",
        shifts=shifts,
    )


def test_the_bad_slice_goes_to_the_teacher_and_the_rest_is_answered() -> None:
    found = calibrated()

    assert found.threshold is not None
    assert found.always_teacher == ("bad",)
    assert 0.4 < found.coverage <= 0.9


def test_the_slice_left_to_the_teacher_is_reported_with_its_errors() -> None:
    (bad,) = calibrated().slices

    assert not bad.certified
    assert bad.errors == bad.answered_units > 0
    assert bad.more_units is None


def test_a_slice_that_only_lacks_evidence_says_how_much() -> None:
    (bad,) = calibrated(predictions(np.zeros(N, dtype=bool))).slices

    assert bad.errors == 0
    assert bad.certified or (bad.more_units is not None and bad.more_days is not None)


def test_the_curve_runs_from_strict_to_lenient_and_adds_up() -> None:
    curve = calibrated().curve

    assert [point.threshold for point in curve] == sorted((point.threshold for point in curve), reverse=True)
    assert [point.coverage for point in curve] == sorted(point.coverage for point in curve)
    assert all(point.coverage + point.teacher_share == pytest.approx(1.0) for point in curve)
    assert all(point.risk <= point.risk_upper for point in curve)


def test_the_chosen_threshold_is_a_point_of_the_curve() -> None:
    found = calibrated()
    (point,) = [point for point in found.curve if point.threshold == found.threshold]

    assert point.coverage == pytest.approx(found.coverage)
    assert point.risk == pytest.approx(found.risk)
    assert point.cost_per_1k == pytest.approx(1000 * (1e-6 + (1 - found.coverage) * 0.001))
    assert point.latency_mean_ms == pytest.approx(1.0 + (1 - found.coverage) * 400)


def test_risk_is_counted_on_one_request_per_unit() -> None:
    found = calibrated(predictions(np.zeros(N, dtype=bool), np.ones(N)), critical=(), tune=np.ones(100))

    assert found.threshold == 1.0
    assert found.answered_units == 750
    assert found.reliability[0].n == 750


def test_a_candidate_of_constant_confidence_that_errs_too_often_answers_nothing() -> None:
    found = calibrated(predictions(np.arange(N) % 12 == 0, np.ones(N)), critical=(), tune=np.ones(100))

    assert found.threshold is None
    assert found.coverage == 0.0
    assert len(found.curve) == 1


def test_the_same_evidence_gives_the_same_calibration_in_any_order_of_rows() -> None:
    tune = np.linspace(0.1, 1, 200)
    shuffled = Calibrate(evidence().sample(fraction=1.0, shuffle=True, seed=1))
    again = calibrate(
        shuffled,
        predictions().reverse(),
        TASK,
        candidate="c",
        reference="gold",
        alpha=0.05,
        delta=0.05,
        critical=("bad",),
        tune_confidence=tune,
        options=CalibrateOptions(),
        seed="s",
    )
    first = calibrated(tune=tune)

    assert (again.threshold, again.errors, again.answered_units) == (
        first.threshold,
        first.errors,
        first.answered_units,
    )


WIDE = np.arange(N) % 2 == 0


def in_half(wrong: np.ndarray, shifts: dict[str, float] | None, tune: np.ndarray | None = None) -> Calibration:
    """Calibrate where `half` of the traffic is critical, and wrong below 0.8."""
    said = predictions(wrong)
    laid_out = evidence().with_columns(
        slices=pl.Series([["all", "half"] if inside else ["all"] for inside in WIDE], dtype=pl.List(pl.String))
    )
    return calibrate(
        Calibrate(laid_out),
        said,
        TASK,
        candidate="c",
        reference="gold",
        alpha=0.05,
        delta=0.05,
        critical=("half",),
        tune_confidence=CONFIDENCE if tune is None else tune,
        options=CalibrateOptions(again=0.0),
        seed="s",
        shifts=shifts,
    )


def test_a_shift_keeps_a_slice_that_one_threshold_for_all_would_leave_or_pay_for() -> None:
    wrong = WIDE & (CONFIDENCE < 0.8)
    moved = np.where(WIDE, shifted(CONFIDENCE, -2.5), CONFIDENCE)
    common, own = in_half(wrong, None), in_half(wrong, {"half": -2.5}, moved)

    assert own.always_teacher == ()
    assert own.shifts == {"half": -2.5}
    assert own.coverage > common.coverage + 0.05


def test_the_curve_is_drawn_after_the_shifts_and_the_reliability_before() -> None:
    wrong = WIDE & (CONFIDENCE < 0.8)
    moved = np.where(WIDE, shifted(CONFIDENCE, -2.5), CONFIDENCE)
    own = in_half(wrong, {"half": -2.5}, moved)
    (point,) = [point for point in own.curve if point.threshold == own.threshold]

    assert point.coverage == pytest.approx(own.coverage) == np.mean(moved >= own.threshold)
    assert own.reliability == in_half(wrong, None).reliability


def test_a_slice_left_to_the_teacher_needs_no_shift() -> None:
    found = calibrated(shifts={"bad": -1.0})

    assert found.always_teacher == ("bad",)
    assert found.shifts == {}


def test_what_confidence_is_goes_with_the_calibration() -> None:
    assert calibrated().confidence == Confidence()


def test_it_cannot_be_handed_the_test() -> None:
    with pytest.raises(TypeError, match="calibrate only"):
        calibrate(
            Test(evidence()),  # type: ignore[arg-type]  # the very mistake
            predictions(),
            TASK,
            candidate="c",
            reference="gold",
            alpha=0.05,
            delta=0.05,
            critical=(),
            tune_confidence=np.ones(1),
            options=CalibrateOptions(),
            seed="s",
        )
