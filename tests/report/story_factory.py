"""Stories of every outcome for tests. Numbers are made up, but hang together."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Literal

from msgspec.structs import replace

from overproof.core.types import (
    BoundKind,
    Calibration,
    Candidate,
    Ceiling,
    CurvePoint,
    Decision,
    Economics,
    Estimate,
    FileRead,
    Funnel,
    FunnelRow,
    Kept,
    LogSummary,
    Manifest,
    Match,
    MatchRow,
    PromptSummary,
    Reference,
    ReliabilityBin,
    Sampling,
    SliceResult,
    SliceThreshold,
    Spending,
    Verdict,
)
from overproof.report.story import Promise, Shown, Story

Outcome = Literal["released", "baseline", "not_proven", "exploratory"]
Condition = Literal["bar", "risk", "saving", "latency", "cost"]
Judged = Literal["proven", "failed", "unproven"]

OUTCOMES: tuple[Outcome, ...] = ("released", "baseline", "not_proven", "exploratory")

HOSTILE = (
    "<script>alert(1)</script>",
    "</style><script>alert(2)</script>",
    '"><img src=https://evil.example/x onerror=alert(3)>',
    "url(https://evil.example/y) @import 'https://evil.example/z'",
    "{{ story.title }} {% raw %}",
    "مرحبا بالعالم, שלום",
    "\u202egnp.exe \U0001f4a3 \x1b[2J[bold red]markup[/bold red]",
    "a" * 140,
)


def estimate(value: float, requests: int, units: int, level: float = 0.04, kind: BoundKind = "anytime") -> Estimate:
    half = 2.1 * math.sqrt(max(value * (1 - value), 0.002) / max(units, 1))
    return Estimate(
        value=value,
        lower=max(0.0, value - half),
        upper=min(1.0, value + 0.8 * half),
        kind=kind,
        level=level,
        requests=requests,
        units=units,
        effective=units * 0.86,
    )


def between(value: float, half: float, requests: int, units: int) -> Estimate:
    return replace(estimate(0.5, requests, units), value=value, lower=value - half, upper=value + half)


def judged(measured: Estimate, bar: float, *, at_least: bool) -> Judged:
    lower, upper, promise = (
        (measured.lower, measured.upper, bar) if at_least else (-measured.upper, -measured.lower, -bar)
    )
    return "proven" if lower >= promise else "failed" if upper < promise else "unproven"


def calibration(
    name: str, reference: Reference, *, threshold: float | None = 0.83, kept: tuple[str, ...] = ()
) -> Calibration:
    curve = tuple(
        CurvePoint(
            threshold=0.99 - 0.6 * c,
            coverage=c,
            risk=0.004 + 0.11 * c**3,
            risk_upper=0.016 + 0.012 / (c + 0.15) + 0.12 * c**3,
            teacher_share=1 - c,
            cost_per_1k=2.1 * (1 - c) + 0.002,
            latency_mean_ms=820 * (1 - c) + 1.2,
        )
        for c in (0.12 + i * 0.044 for i in range(20))
    )
    bins = tuple(
        ReliabilityBin(
            lower=i / 10,
            upper=(i + 1) / 10,
            confidence=i / 10 + 0.055,
            accuracy=min(1, i / 10 + 0.02 + 0.03 * (i % 3)),
            n=8 + i**3,
        )
        for i in range(2, 10)
    )
    return Calibration(
        candidate=name,
        reference=reference,
        alpha=0.05,
        delta=0.05,
        temperature=1.31,
        threshold=threshold,
        coverage=0.0 if threshold is None else 0.63,
        risk=0.0 if threshold is None else 0.021,
        answered_units=94 if threshold is None else 431,
        errors=1 if threshold is None else 9,
        p_value=0.048 if threshold is None else 0.0021,
        always_teacher=kept,
        slices=(
            SliceThreshold(
                slice="enterprise",
                certified=threshold is not None and "enterprise" not in kept,
                answered_units=88,
                errors=5,
                p_value=0.41,
            ),
            SliceThreshold(
                slice="german",
                certified=threshold is not None and "german" not in kept,
                answered_units=31,
                errors=2,
                p_value=0.41,
                more_units=140,
                more_days=11.2,
            ),
        ),
        curve=curve,
        ece=0.031,
        brier=0.087,
        reliability=bins,
    )


SHAPE: tuple[tuple[str, bool, float, int, int], ...] = (
    ("all", False, 1.0, 1612, 1104),
    ("enterprise", True, 0.21, 338, 214),
    ("german", True, 0.09, 145, 97),
    ("long", False, 0.17, 274, 208),
    ("new", False, 0.71, 1145, 902),
    ("repeat", False, 0.29, 467, 202),
)


def candidate(
    name: str,
    *,
    reference: Reference,
    family: Literal["baseline", "student"] = "student",
    kind: str = "linear",
    accuracy: float = 0.945,
    tested: bool = True,
    kept: tuple[str, ...] = (),
    weak: tuple[str, ...] = (),
    certified: bool = True,
    exploratory: bool = False,
    hostile: str = "",
) -> Candidate:
    """Return a candidate; alone it is bad on the slices `weak`, and where not `certified` it may answer nothing."""
    kept = kept if certified else ("enterprise", "german")
    if not tested:
        nothing = calibration(name, reference, threshold=None)
        return Candidate(name=name, family=family, kind=kind, calibration=nothing, size_bytes=91_300_000, margin=-1.2)
    rows = tuple(
        SliceResult(
            slice=hostile if hostile and part == "long" else part,
            critical=critical,
            requests=requests,
            units=units,
            share=share,
            answered=0.0 if part in kept or not certified else 0.63 - 0.1 * critical,
            student=estimate(accuracy - (0.3 if part in weak else 0.041), requests, units, kind="anytime"),
            system=estimate(accuracy - 0.012 * critical, requests, units, kind="anytime"),
            teacher=estimate(0.955, requests, units, kind="anytime"),
            always_teacher=part in kept,
        )
        for part, critical, share, requests, units in SHAPE
    )

    def verdict(condition: Condition, part: str, metric: str, bar: float, measured: Estimate) -> Verdict:
        outcome = judged(measured, bar, at_least=condition in {"bar", "saving"})
        return Verdict(
            condition=condition,
            slice=part,
            metric=metric,
            subject="system",
            reference=reference,
            bar=bar,
            outcome=outcome,
            estimate=measured,
            level=0.04,
            n_max=3,
            capped=0.021,
            worst_case=3 if part == "enterprise" else 0,
            more_units=164 if outcome == "unproven" else None,
            more_days=8.3 if outcome == "unproven" and part != "german" else None,
            required=part != "repeat",
            exploratory=exploratory,
        )

    alone = estimate(accuracy - 0.041, 1612, 1104)
    verdicts = (
        verdict("bar", "all", "accuracy", 0.92, estimate(accuracy, 1612, 1104)),
        verdict("bar", "enterprise", "accuracy", 0.88, estimate(accuracy - 0.012, 338, 214)),
        verdict("bar", "german", "accuracy", 0.85, estimate(accuracy - 0.012, 145, 97)),
        verdict("bar", "new", "accuracy", 0.9, estimate(accuracy - 0.004, 1145, 902)),
        verdict("bar", "repeat", "accuracy_minus_teacher", -0.02, between(accuracy - 0.949, 0.015, 467, 202)),
        verdict("risk", "all", "error_among_answered", 0.05, estimate(0.024, 1016, 731, kind="exact")),
        verdict("saving", "all", "saved_share", 0.1, estimate(0.58, 1612, 1104)),
        verdict("latency", "all", "latency_p95_ms", 50, between(3.2, 0.4, 1016, 731)),
        verdict("cost", "all", "cost_per_1k", 1.2, between(0.78, 0.07, 1612, 1104)),
        replace(verdict("bar", "all", "accuracy", 0.92, alone), subject="student", required=False),
    )
    proven = all(each.outcome == "proven" for each in verdicts if each.required)
    return Candidate(
        name=name,
        family=family,
        kind=kind,
        calibration=calibration(name, reference, threshold=0.83 if certified else None, kept=kept),
        verdicts=verdicts,
        slices=rows,
        economics=Economics(
            requests_per_month=41_200,
            teacher_per_1k=2.1,
            student_per_1k=0.00034,
            blended_per_1k=0.78,
            saved_per_month=54.4,
            spent=11.82,
            break_even_requests=8_954,
        ),
        margin=2.7 if proven else 0.4,
        size_bytes=1_240_000,
        latency_p50_ms=0.42,
        latency_p95_ms=3.2,
        train_seconds=6.4,
        tested=True,
        proven=proven,
    )


def kept(way: Literal["first answer", "targeted", "random"], part: str, right: int, kept: int, **more: float) -> Kept:
    """Return a row whose interval is about as wide as it should be."""
    value, half = right / kept, 1 / math.sqrt(kept)
    return Kept(
        way=way,
        slice=part,
        prompts=int(more.get("prompts", 2000)),
        right_before=int(more.get("right_before", 1904)),
        kept=kept,
        right=right,
        lower=max(0.0, value - half),
        upper=min(1.0, value + half),
        resampled=int(more.get("resampled", 0)),
        usd=more.get("usd", 0.0),
    )


def sampling(hostile: str = "") -> Sampling:
    few = {"prompts": 400, "right_before": 370}
    return Sampling(
        doubted=431,
        reasons={hostile or "a student trained on the others says otherwise": 402, "its samples disagree": 29},
        resampled=388,
        answers=702,
        settled=341,
        verified=120,
        refuted=77,
        dropped=103,
        usd=0.42,
        rows=(
            kept("first answer", hostile or "german", 370, 400, **few),
            kept("targeted", hostile or "german", 352, 361, **few, resampled=96, usd=0.11),
            kept("random", "all", 183, 192, prompts=200, right_before=191, resampled=200, usd=0.31),
            kept("targeted", "all", 1871, 1897, resampled=388, usd=0.42),
            kept("first answer", "all", 1904, 2000),
        ),
    )


def _candidates(outcome: Outcome, reference: Reference, hostile: str) -> tuple[Candidate, ...]:
    def baseline(name: str, accuracy: float, *, certified: bool = True) -> Candidate:
        return candidate(
            name,
            reference=reference,
            family="baseline",
            kind=name,
            accuracy=accuracy,
            certified=certified,
            hostile=hostile,
        )

    def student(
        name: str, accuracy: float, *, kind: str = "linear", tested: bool = True, kept: tuple[str, ...] = ()
    ) -> Candidate:
        marked = outcome == "exploratory"
        return candidate(
            name,
            reference=reference,
            kind=kind,
            accuracy=accuracy,
            tested=tested,
            kept=kept,
            weak=kept,
            exploratory=marked,
            hostile=hostile,
        )

    if outcome == "baseline":
        return baseline("answer_cache", 0.951), student(hostile or "linear", 0.9, tested=False)
    good = outcome != "not_proven"
    return (
        baseline("majority", 0.71, certified=False),
        baseline("answer_cache", 0.93),
        student(hostile or "linear", 0.945 if good else 0.928, kept=("german",)),
        student("linear-wide", 0.949, tested=good),
        student("encoder", 0.9, kind="encoder", tested=False),
    )


def story(outcome: Outcome = "released", *, reference: Reference = "gold", hostile: str = "") -> Story:
    """Return a story that ended in `outcome`; `hostile` is put wherever a user's text goes."""
    candidates = _candidates(outcome, reference, hostile)
    winner = {"released": hostile or "linear", "baseline": "answer_cache"}.get(outcome)
    made = datetime(2026, 3, 12, 9, 41, tzinfo=UTC)
    text = hostile or "My card was charged twice for March, order [number-1]."
    return Story(
        title=hostile or "Ticket triage",
        generated_at=made,
        decision=Decision(
            outcome=outcome,
            winner=winner,
            reason=hostile
            or {
                "released": "Of the candidates that proved every condition, linear serves cheapest.",
                "baseline": "The answer cache proved every condition, so nothing was distilled.",
                "not_proven": "linear was tested first and left two conditions unproven; the sequence stops there.",
                "exploratory": "The bar on enterprise was changed after this test had been read.",
            }[outcome],
            release="releases/triage-20260312" if outcome == "released" else None,
            level=0.04,
        ),
        promise=Promise(
            task=hostile or "triage",
            teacher=hostile or "gpt-5.2",
            reference=reference,
            alpha=0.05,
            confidence=0.95,
            bars=(
                hostile or "accuracy on all at least 92%",
                "accuracy on enterprise at least 88%",
                "cost per 1,000 at most $1.20",
            ),
        ),
        logs=LogSummary(
            files=(
                FileRead(
                    path=hostile or "logs/2026-02.jsonl.zst",
                    format="openai",
                    sure=0.98,
                    rows=8210,
                    kept=8197,
                    set_aside=13,
                    failed=41,
                    saw=hostile or "JSON Lines; by its first 20 row(s) openai, 98% sure",
                ),
            ),
            reasons={hostile or "not JSON": 9, "no messages": 4},
            redacted={"email": 412, "phone": 96},
            gold=3105,
        ),
        prompts=PromptSummary(
            exchanges=7034,
            out_of_scope=1163,
            prompts=5218,
            units=4790,
            joined_by=("near_duplicate", "conversation"),
            not_joined_by={"user": hostile or "one user would hold 31% of all requests"},
            largest_unit=0.0187,
            windows="time",
            cut_at=datetime(2026, 2, 12, tzinfo=UTC),
            days=27.4,
            requests={"train": 2981, "tune": 527, "calibrate": 1604, "test": 1612, "dropped": 310},
            split_units={"train": 2210, "tune": 391, "calibrate": 1085, "test": 1104},
            n_max=3,
            requests_per_month=41_200,
            notes=(hostile,) if hostile else (),
        ),
        match=Match(
            rows=(
                MatchRow(
                    dimension="label",
                    total_variation=0.031,
                    expected=0.044,
                    prompt_set={
                        hostile or "billing_charge": 0.31,
                        "login_access": 0.22,
                        "cancel_account": 0.2,
                        "other": 0.27,
                    },
                    live={
                        hostile or "billing_charge": 0.29,
                        "login_access": 0.24,
                        "cancel_account": 0.2,
                        "other": 0.27,
                    },
                    explained={
                        hostile or "billing_charge": 0.034,
                        "login_access": 0.03,
                        "cancel_account": 0.029,
                        "other": 0.033,
                    },
                    flagged=False,
                ),
                MatchRow(
                    dimension="language",
                    total_variation=0.061,
                    expected=0.027,
                    prompt_set={"en": 0.91, "de": 0.09},
                    live={"en": 0.85, "de": 0.15},
                    explained={"en": 0.027, "de": 0.027},
                    moved=("de", "en"),
                    flagged=True,
                ),
                MatchRow(
                    dimension="joint", total_variation=0.07, expected=0.091, prompt_set={}, live={}, flagged=False
                ),
            ),
            auc=0.53,
            auc_lower=0.5,
            auc_upper=0.56,
            prompt_set_requests=3508,
            live_requests=3216,
        ),
        spending=Spending(reused=4891, cached=120, bought=327, failed=2, usd=0.61, usd_all_runs=11.82),
        ceiling=Ceiling(pairs=127, agreeing=119, agreement=0.937, upper=0.985, level=0.05, source="repeats in the log"),
        funnel=Funnel(
            prompts=2601,
            completions=2928,
            recovered=61,
            resampled=109,
            rejected=88,
            disagreed=12,
            examples=2507,
            rows=(
                FunnelRow(rule="label_set", slice="all", rejected=71, reasons={hostile or "not one of the labels": 71}),
                FunnelRow(rule="refusal", slice="all", rejected=17, reasons={"refused": 17}),
            ),
            by_slice={"all": (2601, 2507), "enterprise": (540, 522), hostile or "long": (431, 402)},
        ),
        sampling=sampling(hostile),
        candidates=candidates,
        gate=hostile
        or (
            "answer_cache proved every condition."
            if outcome == "baseline"
            else "No baseline proved every condition, so students were tested."
        ),
        examples=tuple(
            Shown(
                kind=kind,
                input=text,
                answer=hostile or "Category: Billing charge",
                other=hostile or "billing_charge",
                note=hostile,
            )
            for kind in ("recovered", "rejected", "differs")
        ),
        lineage=tuple(
            Manifest(
                stage=stage,
                key=(stage.encode().hex() * 4)[:32],
                version=1,
                inputs={"logs": "9f" * 16},
                made_at=made,
                seconds=4.2,
            )
            for stage in ("logs", "prompts", "teacher", "filters", "baselines", "students", "release")
        ),
        reproduce=(hostile or "cd triage", "overproof run", "overproof report"),
        ledger=(hostile or "12 March 2026: decision 1 on test units a91f, spent 4% (gate 0.8%, students 3.2%)",),
        environment={"overproof": "0.1.0", "python": "3.11.9", "numpy": "2.2.1", hostile or "polars": "1.31"},
    )
