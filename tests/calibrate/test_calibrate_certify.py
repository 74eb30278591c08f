from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overproof.calibrate.certify import Choice, Drawn, choose, share
from overproof.proof import thresholds

N = 600


def drawn(wrong: np.ndarray, confidence: np.ndarray, **members: np.ndarray) -> Drawn:
    rows = {"all": np.arange(len(wrong)), **{name: np.flatnonzero(inside) for name, inside in members.items()}}
    return Drawn(confidence, wrong, rows, members)


def decide(
    evidence: Drawn,
    unroutable: frozenset[str] = frozenset(),
    tune: np.ndarray | None = None,
    by_slice: dict[str, np.ndarray] | None = None,
) -> Choice:
    tuned = evidence.confidence if tune is None else tune
    grid = thresholds.grid_from_tune(tuned, len(evidence.wrong), 200, 50)
    return choose(
        evidence,
        grid,
        tuned,
        alpha=0.05,
        delta=0.1,
        start_units=200,
        unroutable=unroutable,
        tune_by_slice=by_slice,
    )


@given(st.integers(0, 12))
def test_the_shares_of_all_sets_add_up_to_one(of: int) -> None:
    sets = [chosen for size in range(of + 1) for chosen in combinations(range(of), size)]

    assert sum(share(len(chosen), of) for chosen in sets) == pytest.approx(1.0)


def test_leaving_nobody_out_has_half_and_alone_all() -> None:
    assert share(0, 4) == 0.5
    assert share(0, 0) == 1.0


def test_a_perfect_candidate_answers_everything() -> None:
    confidence = np.linspace(0.5, 1, N)
    choice = decide(drawn(np.zeros(N, dtype=bool), confidence, vip=np.arange(N) % 6 == 0))

    assert choice.threshold == 0.5
    assert choice.always_teacher == ()


def test_a_slice_the_candidate_is_less_sure_of_is_kept_once_tune_says_so() -> None:
    hard = np.arange(N) < 100
    evidence = drawn(np.zeros(N, dtype=bool), np.linspace(0.5, 1, N), hard=hard)

    assert decide(evidence).always_teacher == ("hard",)
    assert decide(evidence, by_slice={"hard": evidence.confidence[hard]}).always_teacher == ()


def test_a_slice_that_is_wrong_is_left_to_the_teacher_and_does_not_veto_the_rest() -> None:
    bad = np.arange(N) % 6 == 0
    choice = decide(drawn(bad.copy(), np.linspace(0.5, 1, N), vip=bad))

    assert choice.threshold is not None
    assert choice.always_teacher == ("vip",)
    assert choice.claims["all"].errors == 0
    assert choice.claims["vip"].errors > 0


def test_a_bad_slice_no_router_can_see_stops_everything() -> None:
    bad = np.arange(N) % 6 == 0
    choice = decide(drawn(bad.copy(), np.linspace(0.5, 1, N), label=bad), unroutable=frozenset({"label"}))

    assert choice.threshold is None


def test_a_slice_no_router_can_see_pushes_the_threshold_to_where_it_is_certified() -> None:
    confidence = np.tile(np.linspace(0.5, 1, 100), 6)
    seen_by_none = np.arange(N) % 2 == 0
    wrong = seen_by_none & (confidence < 0.6)
    choice = decide(drawn(wrong, confidence, label=seen_by_none), unroutable=frozenset({"label"}))

    assert choice.threshold is not None
    assert choice.threshold > 0.55
    assert choice.always_teacher == ()


def test_a_slice_too_small_to_be_certified_is_left_out_and_costs_the_others_nothing() -> None:
    small = np.arange(N) < 20
    choice = decide(drawn(np.zeros(N, dtype=bool), np.linspace(0.5, 1, N), small=small))

    assert choice.always_teacher == ("small",)
    assert choice.claims["all"].level == pytest.approx(0.1)


def test_a_candidate_that_is_always_wrong_answers_nothing_and_the_teacher_keeps_every_slice() -> None:
    choice = decide(drawn(np.ones(N, dtype=bool), np.linspace(0.5, 1, N), vip=np.arange(N) < 100))

    assert choice.threshold is None
    assert choice.always_teacher == ("vip",)


def test_constant_confidence_has_one_threshold() -> None:
    choice = decide(drawn(np.zeros(N, dtype=bool), np.ones(N)))

    assert choice.threshold == 1.0
    assert choice.claims["all"].answered == N


def test_a_cache_answers_its_hits_only() -> None:
    hits = np.where(np.arange(N) % 2 == 0, 1.0, 0.0)
    choice = decide(drawn(hits == 0, hits))

    assert choice.threshold == 1.0
    assert (choice.claims["all"].answered, choice.claims["all"].errors) == (N // 2, 0)


def test_without_anything_in_tune_nothing_is_answered() -> None:
    choice = decide(drawn(np.zeros(N, dtype=bool), np.ones(N)), tune=np.array([]))

    assert choice.threshold is None


def test_without_evidence_nothing_is_answered() -> None:
    empty = Drawn(np.array([]), np.array([], dtype=bool), {"all": np.array([], dtype=int)}, {})

    assert choose(empty, np.array([0.5]), np.array([0.5]), alpha=0.05, delta=0.1, start_units=200).threshold is None
