"""What sampling bought is told with its evidence, and never more than the figures say."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from story_factory import candidate, estimate, kept, sampling, story

from overproof.core.types import Candidate, Kept
from overproof.report import alone, bought
from overproof.report.page import render
from overproof.report.story import Story
from overproof.report.summary import summary

counts = st.integers(1, 500)


@given(prompts=counts, before=st.integers(0, 500), left=st.integers(0, 500), right=st.integers(0, 500))
def test_what_is_removed_and_what_is_left_are_all_the_wrong_labels(
    prompts: int, before: int, left: int, right: int
) -> None:
    before, left = min(before, prompts), min(left, prompts)
    right = min(right, left)
    row = replace(kept("targeted", "all", 1, 1), prompts=prompts, right_before=before, kept=left, right=right)

    assert bought.removed(row) + (left - right) == prompts - before


def test_rows_stand_by_slice_all_first_and_by_way_first_answers_first() -> None:
    found = bought.groups(sampling())

    assert [(group.slice, [row.way for row in group.rows]) for group in found] == [
        ("all", ["first answer", "targeted", "random"]),
        ("german", ["first answer", "targeted"]),
    ]


def test_a_dollar_is_held_against_the_mistakes_it_removed() -> None:
    def row(usd: float) -> Kept:
        return replace(kept("targeted", "all", 950, 960, usd=usd), prompts=1000, right_before=940)

    assert bought.per_dollar(row(0.5)) == "100"
    assert bought.per_dollar(row(0.0)) == "50 for nothing"
    assert bought.per_dollar(kept("first answer", "all", 940, 1000)) == "–"  # noqa: RUF001 - the page's dash


def test_the_sentence_says_before_and_after_and_against_what() -> None:
    told = bought.sentence(sampling())

    assert told.startswith("431 first answers doubted, 388 prompts asked again (702 answers), 120 answers verified, 77")
    assert told.endswith("labels right 95.2% before and 98.6% after, against gold, 94.8% kept")


def test_without_gold_nothing_is_said_about_being_right() -> None:
    one = replace(sampling(), rows=())
    page = render(replace(story(), sampling=one))

    assert "right" not in bought.sentence(one)
    assert "Without gold nobody can say how many of the labels are right" in page


def test_the_page_shows_every_way_and_each_track_says_in_words_what_it_shows() -> None:
    page = render(story())

    assert re.search(r'aria-label="asked again where in doubt on all; first answers 95\.2%; kept 98\.6% \[', page)
    assert "asked again at random" in page
    assert 'id="sampling"' not in render(replace(story(), sampling=None))


def test_nothing_kept_is_no_accuracy() -> None:
    nothing = replace(kept("targeted", "all", 1, 1), kept=0, right=0)

    assert bought.accuracy(nothing) is None
    assert "nothing kept" in render(replace(story(), sampling=replace(sampling(), rows=(nothing,))))


def sized(name: str, size: int, value: float, covers: float, units: int = 100) -> Candidate:
    one = candidate(name, reference="gold")
    row = replace(one.slices[0], slice="german", student=estimate(value, units, units))
    answers = replace(one.calibration, coverage=covers)
    return replace(one, size_bytes=size, slices=(row,), calibration=answers)


def told_of(*candidates: Candidate) -> Story:
    return replace(story("not_proven"), candidates=candidates)


def test_a_larger_student_that_may_answer_less_is_named_with_both_figures() -> None:
    told = told_of(sized("words", 400_000, 0.7, 0.64), sized("encoder", 23_000_000, 0.5, 0.58))
    said = alone.outgrown_sentence(told)

    assert said.startswith(
        "Size is not quality: encoder (23.0 MB) may answer 58.0% of calibrate, words (400.0 kB) 64.0%;"
    )
    assert re.search(r"alone, the one is right in 50\.0% \[.*\] in german, the other in 70\.0% \[.*against gold", said)
    assert "Size is not quality" in render(told)


@given(sizes=st.tuples(counts, counts), covers=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_nobody_is_outgrown_by_a_student_of_about_its_size_or_by_one_that_answers_less(
    sizes: tuple[int, int], covers: tuple[float, float]
) -> None:
    small, large = (sized(str(i), *each) for i, each in enumerate(zip(sizes, (0.7, 0.5), covers, strict=True)))
    found = alone.outgrown(told_of(small, large))

    assert (found is not None) == (sizes[1] >= 2 * sizes[0] and covers[1] < covers[0])


def test_the_terminal_tells_it_in_one_fact() -> None:
    assert "sampling" in summary(replace(story(), examples=()), width=100)
