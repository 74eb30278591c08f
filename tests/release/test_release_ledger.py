from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overproof.core.errors import UserError
from overproof.release import ledger
from overproof.release.ledger import Ledger, Permit, Result, concluded

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DELTA = 0.05


def units(*names: str, request: str = "") -> pl.DataFrame:
    return pl.DataFrame({"unit": names, "request_id": [f"request of {request or name}" for name in names]})


def decided(
    book: Ledger,
    requests: pl.DataFrame,
    key: str,
    *,
    promises: str = "promises",
    outcome: Result | None = "not_proven",
    shown: bool = False,
) -> tuple[Ledger, Permit]:
    permit = book.permit(requests, promises, DELTA, key)
    reading = book.reading(requests, permit, promises, key, NOW)
    book = book.plus(reading)
    return (book if outcome is None else book.plus(concluded(reading, outcome, NOW, shown=shown))), permit


def test_the_first_decision_spends_four_fifths() -> None:
    _, permit = decided(Ledger(), units("a", "b"), "k1")

    assert permit.level == pytest.approx(0.8 * DELTA)
    assert not permit.exploratory
    assert permit.fresh
    assert permit.units == ("a", "b")


@settings(deadline=None, max_examples=12)  # each example makes many small tables
@given(st.integers(1, 12))
def test_decisions_on_the_same_units_never_spend_more_than_delta(looks: int) -> None:
    book, levels = Ledger(), []
    for look in range(looks):
        book, permit = decided(book, units("a", "b"), f"k{look}")
        levels.append(permit.level)
        assert not permit.exploratory

    assert levels[:2] == pytest.approx([0.8 * DELTA, 0.16 * DELTA][:looks])
    assert sum(levels) < DELTA


def test_once_a_table_was_shown_the_next_decision_only_explores() -> None:
    book, _ = decided(Ledger(), units("a", "b"), "k1", shown=True)
    _, permit = decided(book, units("a", "b"), "k2")

    assert permit.exploratory
    assert "fresh traffic" in permit.reason


def test_showing_later_counts_as_well() -> None:
    book, _ = decided(Ledger(), units("a"), "k1")
    first = book.entries[0]
    book = book.plus(concluded(first, "not_proven", NOW, shown=True))

    assert book.permit(units("a"), "promises", DELTA, "k2").exploratory


@pytest.mark.parametrize("outcome", ["released", "baseline", "exploratory"])
def test_any_other_outcome_than_not_proven_says_something_about_the_units(outcome: Result) -> None:
    book, _ = decided(Ledger(), units("a"), "k1", outcome=outcome)

    assert book.permit(units("a"), "promises", DELTA, "k2").exploratory


def test_a_bar_changed_after_the_test_was_read_cannot_release() -> None:
    book, _ = decided(Ledger(), units("a"), "k1")
    permit = book.permit(units("a"), "lower bars", DELTA, "k2")

    assert permit.exploratory
    assert "promises were changed" in permit.reason


def test_changing_the_bar_back_and_forth_does_not_help() -> None:
    book, _ = decided(Ledger(), units("a"), "k1")
    book, _ = decided(book, units("a"), "k2", promises="lower bars", outcome="exploratory")

    assert book.permit(units("a"), "promises", DELTA, "k3").exploratory


def test_fresh_units_carry_the_next_decision_alone() -> None:
    book, _ = decided(Ledger(), units("a", "b"), "k1", shown=True)
    permit = book.permit(units("a", "b", "c", "d"), "promises", DELTA, "k2")

    assert not permit.exploratory
    assert permit.units == ("c", "d")
    assert permit.level == pytest.approx(0.8 * DELTA)
    assert "2 units were read before" in permit.reason


def test_fresh_units_may_be_read_under_new_promises() -> None:
    book, _ = decided(Ledger(), units("a"), "k1", shown=True)

    assert book.permit(units("a", "c"), "lower bars", DELTA, "k2").units == ("c",)


def test_units_read_but_not_shown_may_join_fresh_ones_at_what_is_left() -> None:
    book, _ = decided(Ledger(), units("a", "b"), "k1")
    permit = book.permit(units("a", "b", "c"), "promises", DELTA, "k2")

    assert permit.units == ("a", "b", "c")
    assert permit.level == pytest.approx(0.16 * DELTA)


def test_units_whose_looks_together_left_nothing_are_set_aside() -> None:
    book, _ = decided(Ledger(), units("a"), "k1")
    book, _ = decided(book, units("b"), "k2")
    permit = book.permit(units("a", "b", "c"), "promises", DELTA, "k3")

    assert permit.units == ("c",)
    assert book.permit(units("a", "b"), "promises", DELTA, "k4").exploratory


def test_a_unit_that_was_renamed_is_known_by_its_requests() -> None:
    book, _ = decided(Ledger(), units("a"), "k1", shown=True)
    renamed = units("merged", request="a")

    assert book.permit(renamed, "promises", DELTA, "k2").exploratory


def test_a_unit_with_new_requests_is_known_by_its_name() -> None:
    book, _ = decided(Ledger(), units("a"), "k1", shown=True)

    assert book.permit(units("a", request="tomorrow"), "promises", DELTA, "k2").exploratory


def test_the_same_question_gets_the_same_permit_whatever_happened_since() -> None:
    book, first = decided(Ledger(), units("a", "b"), "k1", shown=True)
    book, _ = decided(book, units("a", "b"), "k2", outcome="exploratory")
    again = book.permit(units("a", "b"), "promises", DELTA, "k1")

    assert again == first
    assert book.reading(units("a", "b"), again, "promises", "k1", NOW).decision == 1


def test_an_exploratory_question_stays_exploratory_when_asked_again() -> None:
    book, _ = decided(Ledger(), units("a"), "k1", shown=True)
    book, _ = decided(book, units("a"), "k2", outcome=None)

    assert book.permit(units("a"), "promises", DELTA, "k2").exploratory


def test_a_run_killed_while_reading_has_spent_its_level() -> None:
    book, _ = decided(Ledger(), units("a"), "k1", outcome=None)

    assert book.permit(units("a"), "promises", DELTA, "k2").level == pytest.approx(0.16 * DELTA)


def test_the_ledger_holds_no_id_of_a_unit_or_request() -> None:
    book, _ = decided(Ledger(), units("someone@example.com"), "k1")

    assert "someone" not in str(book)


# --- the file --------------------------------------------------------------------------------------------------------


def test_what_was_appended_is_read_back(tmp_path: Path) -> None:
    book, _ = decided(Ledger(), units("a", "b"), "k1")
    for entry in book.entries:
        ledger.append(tmp_path / "ledger.jsonl", entry)

    assert ledger.load(tmp_path / "ledger.jsonl") == book


def test_no_ledger_is_an_empty_one(tmp_path: Path) -> None:
    assert ledger.load(tmp_path / "none.jsonl") == Ledger()


@settings(deadline=None, max_examples=20)  # each example waits for the disk
@given(cut=st.integers(1, 60))
def test_a_line_broken_off_by_a_kill_is_left_out_and_mended(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("ledger") / "ledger.jsonl"
    book, _ = decided(Ledger(), units("a"), "k1")
    for entry in book.entries:
        ledger.append(path, entry)
    path.write_bytes(path.read_bytes()[:-cut])

    assert ledger.load(path).entries == book.entries[:1]

    ledger.append(path, book.entries[1])

    assert ledger.load(path) == book


def test_an_edited_ledger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    book, _ = decided(Ledger(), units("a"), "k1")
    for entry in book.entries:
        ledger.append(path, entry)
    path.write_bytes(path.read_bytes().replace(b'"level"', b'"Level"', 1))

    with pytest.raises(UserError, match="line 1"):
        ledger.load(path)


def gated(planned: str, *, shown: bool = True, outcome: Result = "baseline") -> Ledger:
    """Return the ledger after a gate that had `planned` students before it."""
    permit = Ledger().permit(units("a", "b"), "promises", 0.2 * DELTA, "gate", family="gate", planned=planned)
    reading = Ledger().reading(units("a", "b"), permit, "promises", "gate", NOW, family="gate", planned=planned)
    return Ledger().plus(reading, concluded(reading, outcome, NOW, shown=shown))


def test_the_gates_table_does_not_close_its_units_to_the_students_it_had_planned() -> None:
    book = gated("these students")

    permit = book.permit(units("a", "b"), "promises", 0.8 * DELTA, "s", family="students", planned="these students")

    assert not permit.exploratory
    assert permit.level == pytest.approx(0.8 * 0.8 * DELTA)


@pytest.mark.parametrize("planned", ["other students", ""])
def test_the_gates_table_closes_its_units_to_students_thought_of_afterwards(planned: str) -> None:
    book = gated("these students")

    assert book.permit(units("a"), "promises", 0.8 * DELTA, "s", family="students", planned=planned).exploratory


def test_a_second_gate_finds_the_table_of_the_first() -> None:
    book = gated("these students")

    assert book.permit(units("a"), "promises", 0.2 * DELTA, "g", family="gate", planned="these students").exploratory


def test_each_family_has_a_schedule_of_its_own() -> None:
    book = gated("", shown=False, outcome="not_proven")

    students = book.permit(units("a"), "promises", 0.8 * DELTA, "s", family="students")
    again = book.permit(units("a"), "promises", 0.2 * DELTA, "g", family="gate")

    assert students.level == pytest.approx(0.8 * 0.8 * DELTA)
    assert again.level == pytest.approx(0.2 * 0.8 * 0.2 * DELTA)
