"""The page says everything that is in the story, escapes all of it, and loads nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from story_factory import HOSTILE, OUTCOMES, Outcome, candidate, estimate, story

from overproof.core.types import Candidate, Verdict
from overproof.report import words
from overproof.report.alone import hidden_slice
from overproof.report.page import interval_groups, render
from overproof.report.sentences import headline
from overproof.report.story import Story

VOID = frozenset({"meta", "link", "br", "img", "input", "hr", "base", "embed", "source", "col", "wbr", "area", "track"})


class Page(HTMLParser):
    """What a browser would make of the page: elements, texts, and whether everything opened was closed."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.faults: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.styles: list[str] = []
        self.glued = False
        self.feed(html)
        self.close()
        self.faults += [f"never closed: {tag}" for tag in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.glued = tag == "wbr"  # a place to break at, not a space
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"closes what is not open: {tag} at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        if self.glued:
            self.texts[-1] += data
            self.glued = False
            return
        (self.styles if self.open and self.open[-1] == "style" else self.texts).append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    @property
    def loads(self) -> list[str]:
        """Everything that would make a browser fetch something."""
        named = {"src", "srcset", "href", "xlink:href", "data", "action", "poster", "background", "ping"}
        found = [value for _, name, value in self.attributes if name in named]
        inline = [value for _, name, value in self.attributes if name == "style"]
        css = re.findall(r"url\([^)]*\)|@import[^;]*", " ".join(self.styles + inline))
        return [each for each in found if not each.startswith(("#", "data:"))] + css


outcomes = pytest.mark.parametrize("outcome", OUTCOMES)
hostile = pytest.mark.parametrize("text", HOSTILE)


@outcomes
def test_every_element_that_is_opened_is_closed(outcome: Outcome) -> None:
    assert Page(render(story(outcome))).faults == []


@outcomes
def test_the_verdict_names_its_reference_and_the_level_spent(outcome: Outcome) -> None:
    told = Page(render(story(outcome, reference="teacher"))).text

    assert "Measured against teacher answers" in told
    assert "4%" in told
    assert {"released": "Released", "baseline": "Baseline suffices"}.get(outcome, outcome.split("_")[0].title()) in told


@outcomes
def test_every_candidate_and_every_slice_stands_on_the_page(outcome: Outcome) -> None:
    told = story(outcome)
    page = Page(render(told)).text

    assert [each.name for each in told.candidates if each.name not in page] == []
    assert [row.slice for row in told.slices if row.slice not in page] == []


@outcomes
def test_the_figures_of_every_candidate_alone_stand_beside_the_systems_on_every_slice(outcome: Outcome) -> None:
    told = story(outcome)
    rows = forest_of(told)
    measured = [(each, row) for each in told.candidates for row in each.slices]

    assert len(rows) == len(told.slices) * len([each for each in told.candidates if each.slices])
    assert measured
    assert [
        (each.name, row.slice)
        for each, row in measured
        if f"{words.interval(row.student)} {words.percent(row.answered)}" not in rows[each.name, row.slice]
    ] == []


def forest_of(told: Story) -> dict[tuple[str, str], str]:
    """Return the text of every row of the interval plot, by candidate and slice."""
    table = render(told).split('<table class="forest">')[1].split("</table>")[0]
    names = [each.name for each in told.candidates if each.tested or each.slices]
    rows = {}
    for group, body in zip(interval_groups(told), table.split("<tbody>")[1:], strict=True):
        for name, row in zip(names, body.split("<tr")[2:], strict=True):
            rows[name, group.slice] = Page(f"<tr{row}").text
    return rows


@outcomes
def test_what_to_do_next_stands_before_the_figures(outcome: Outcome) -> None:
    told = Page(render(story(outcome))).text
    places = [told.index(each) for each in (headline(story(outcome)), "What to do next", "answers itself")]

    assert places == sorted(places)


def test_what_the_average_hides_is_said_above_the_picture() -> None:
    told = Page(render(story())).text
    sentence = hidden_slice(story())

    assert sentence
    assert told.index("Candidates and slices") < told.index(sentence) < told.index("Accuracy by slice")


def test_nothing_is_said_to_be_hidden_where_nothing_is() -> None:
    even = candidate("linear", reference="gold")

    assert "would have hidden" not in Page(render(replace(story(), candidates=(even,)))).text


@outcomes
def test_sections_come_in_the_order_of_the_story(outcome: Outcome) -> None:
    ids = [value for tag, name, value in Page(render(story(outcome))).attributes if name == "id" and tag == "section"]

    assert ids == [
        "next",
        "data",
        "funnel",
        "sampling",
        "gate",
        "candidates",
        "threshold",
        "economics",
        "ledger",
        "lineage",
        "words",
    ]


def test_headings_go_down_one_level_at_a_time() -> None:
    levels = [int(each) for each in re.findall(r"<h([1-6])", render(story()))]

    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_table_has_a_caption_and_every_picture_a_name() -> None:
    html = render(story())
    pictures = re.findall(r"<svg[^>]*role=\"img\"[^>]*>", html)

    assert html.count("<table") == html.count("<caption>") + html.count("<caption class=")
    assert len(pictures) > 20
    assert all('aria-label="' in each for each in pictures)
    assert all(
        "aria-label" in each or 'aria-hidden="true"' in each or "overflow" in each
        for each in re.findall("<svg[^>]*>", html)
    )


@hostile
def test_what_logs_and_contract_say_is_text_and_nothing_else(text: str) -> None:
    honest, page = Page(render(story())), Page(render(story(hostile=text)))

    assert page.faults == []
    assert page.tags == honest.tags
    assert {name for _, name, _ in page.attributes} == {name for _, name, _ in honest.attributes}
    assert page.styles == honest.styles


@hostile
def test_no_text_makes_the_page_load_anything(text: str) -> None:
    assert Page(render(story(hostile=text))).loads == []


@settings(max_examples=15, deadline=None)
@given(st.text(min_size=1, max_size=40))
def test_any_text_at_all_gives_a_page_that_can_be_written(text: str) -> None:
    page = render(story(hostile=text))

    assert page.encode()
    assert Page(page).tags == Page(render(story())).tags


def test_a_script_is_neither_there_nor_allowed() -> None:
    html = render(story())

    assert "script" not in Page(html).tags
    assert "default-src 'none'" in html
    assert not [name for _, name, _ in Page(html).attributes if name.startswith("on")]


def test_what_is_unproven_says_what_it_would_take() -> None:
    told = Page(render(story("not_proven"))).text

    assert "unproven: about 164 more units, 9 days at this rate" in told


def test_a_slice_left_to_the_teacher_says_so_in_the_picture_and_in_every_table() -> None:
    wording = "unproven: risk ≤ 5% lacks about 140 more units, 12 days at this rate; the teacher goes on answering"
    told = story()
    html = render(told)

    assert f"{wording}" in forest_of(told)["linear", "german"]
    assert re.search(f'aria-label="linear on german;[^"]*; {wording}"', html)
    assert wording in Page(html).text.split("linear : every condition, every slice")[1]
    assert (
        "The teacher always answers: german (unproven: risk ≤ 5% lacks about 140 more units, 12 days at this rate)"
        in Page(html).text
    )
    assert "linear leaves to the teacher: german (unproven: risk ≤ 5% lacks about 140 more units" in Page(html).text
    assert "The teacher goes on answering german: nothing could be certified there." in Page(html).text


def test_a_slice_no_traffic_will_help_is_not_told_to_wait() -> None:
    one = candidate("linear", reference="gold", kept=("enterprise",))
    told = forest_of(told_of(one))["linear", "enterprise"]

    assert "unproven: risk ≤ 5% is missed: it errs as often or more, so more traffic will not help; the teacher" in told


def test_a_slice_without_a_bar_that_is_left_to_the_teacher_is_marked_unproven_not_plain() -> None:
    one = replace(candidate("linear", reference="gold", kept=("german",)), verdicts=())
    states = {group.slice: group.rows[0].state for group in interval_groups(told_of(one))}

    assert (states["german"], states["enterprise"]) == ("unproven", "plain")


def test_a_baseline_that_may_answer_nothing_says_by_how_much_it_misses() -> None:
    told = story()
    alone = told.candidates[0].slices[0].student
    section = Page(render(told)).text.split("Alternatives to distilling")[1].split("Candidates and slices")[0]

    assert "may answer nothing: 1 error in 94 answered units at the strictest threshold: p = 0.048" in section
    assert words.interval(alone) in section


def data_of(told: Story) -> str:
    """Return the section on the data, as HTML."""
    return render(told).split('id="data"')[1].split('id="funnel"')[0]


def test_what_differs_stands_first_and_names_what_moved() -> None:
    open_ = [Page(each).text for each in re.findall("<details open>.*?</details>", data_of(story()), re.DOTALL)]

    assert open_[0].startswith("By language ✕ beyond chance : de, en")
    assert "de: prompt set 9.0%, live 15.0%, by chance up to 2.7% apart: beyond chance" in open_[0]
    assert open_[1].startswith("By label ✓ within chance Distance")


def test_the_match_is_told_in_one_sentence() -> None:
    like = replace(story().match, rows=story().match.rows[:1])

    assert "It differs by language (de 9.0%, live 15.0%, and 1 more) : more than chance" in Page(data_of(story())).text
    assert "Nowhere does it differ by more than chance" in Page(data_of(replace(story(), match=like))).text
    assert "nothing can be compared" in Page(data_of(replace(story(), match=replace(like, rows=())))).text


def test_the_joint_distance_and_the_auc_are_drawn_with_what_chance_would_show() -> None:
    told = Page(data_of(story())).text

    assert "joint: total variation 7.0%, chance explains 9.1%" in told
    assert "AUC 0.53, interval 0.50 to 0.56; 0.50 is guessing" in told


def test_every_file_says_what_it_was_told_by_and_what_became_of_its_rows() -> None:
    told = Page(data_of(story())).text

    assert "of them failed set aside logs/2026-02.jsonl.zst JSON Lines; by its first 20 row(s) openai" in told
    assert "98% sure openai 98.0% 8,210 8,197 41 13" in told
    assert "from a cache" not in told


def test_many_files_are_folded() -> None:
    told = story()
    many = replace(told, logs=replace(told.logs, files=told.logs.files * 7))

    assert "<details open>\n  <summary>1 file, 8,210 rows" in data_of(told)
    assert "<details>\n  <summary>7 files, 57,470 rows" in data_of(many)


def test_candidates_that_were_not_tested_are_said_to_be() -> None:
    told = Page(render(story())).text

    assert "Not tested against any promise, so nothing is claimed of it: encoder" in told


def test_figures_of_an_untested_candidate_are_shown_as_such() -> None:
    described = replace(candidate("linear", reference="gold"), tested=False, verdicts=())
    told = Page(render(told_of(described))).text

    assert "nothing is claimed of it; figures shown describe: linear" in told
    assert "✓" not in told.split("Candidates and slices")[1].split("further left")[1].split("Reliability and")[0]


@outcomes
def test_exploratory_is_written_on_the_page_only_where_it_is(outcome: Outcome) -> None:
    body = render(story(outcome)).split("</style>")[1].split('id="words"')[0]

    assert (">exploratory</span>" in body) == (outcome == "exploratory")


def test_withheld_verdicts_are_named_as_left_out_and_none_is_shown() -> None:
    open_ = story("not_proven")
    closed = replace(
        open_,
        withheld="these units may decide once more",
        candidates=tuple(replace(each, verdicts=(), slices=(), economics=None) for each in open_.candidates),
    )
    told = Page(render(closed)).text

    assert "these units may decide once more" in told
    assert "164" not in told
    assert "Nothing is released" in told


def test_every_verdict_shows_requests_units_kind_and_level() -> None:
    told = story()
    row = conditions_of(told.candidates[2])

    assert "1,612 in 1,104 anytime, 4%" in row
    assert "1,016 in 731 exact, 4%" in row
    assert "n_max 3; 2.1% of requests beyond it; 184 effective units; 3 scored worst-case" in row


def conditions_of(one: Candidate) -> str:
    return Page(render(replace(story(), candidates=(one,)))).text


def test_a_story_in_which_nothing_could_be_measured_still_has_a_page() -> None:
    bare = replace(
        story("not_proven"),
        candidates=(candidate("linear", reference="gold", tested=False),),
        ceiling=None,
        examples=(),
        lineage=(),
        ledger=(),
        reproduce=(),
        environment={},
    )
    page = Page(render(bare))

    assert page.faults == []
    assert "No threshold could be certified for linear" in page.text


def test_a_bar_nothing_could_be_scored_for_is_shown_without_an_interval() -> None:
    one = candidate("linear", reference="gold")
    lost = replace(one.verdicts[1], estimate=None, outcome="unproven", more_units=None)
    told = Page(render(replace(story(), candidates=(replace(one, verdicts=(lost,)),)))).text

    assert "unproven: nothing here could be scored" in told


def test_the_interval_plot_shows_what_was_decided_on_not_what_merely_describes() -> None:
    decided = estimate(0.9, 10, 10, kind="exact")
    one = candidate("linear", reference="gold")
    verdict: Verdict = replace(one.verdicts[0], estimate=decided)
    groups = interval_groups(told_of(replace(one, verdicts=(verdict,))))

    assert groups[0].rows[0].estimate == decided


def test_the_bar_of_a_slice_runs_through_the_rows_of_untested_candidates() -> None:
    first = candidate("linear", reference="gold")
    second = replace(candidate("wide", reference="gold"), tested=False, verdicts=())
    groups = interval_groups(replace(story(), candidates=(first, second)))

    assert [row.bar for row in groups[0].rows] == [0.92, 0.92]
    assert [row.state for row in groups[0].rows] == ["proven", "plain"]


def test_a_bar_on_a_difference_is_not_drawn_on_the_scale_of_accuracy() -> None:
    groups = {each.slice: each for each in interval_groups(story())}

    assert groups["repeat"].rows[0].bar is None
    assert groups["repeat"].bars == ("accuracy minus the teacher's ≥ −2 points",)  # noqa: RUF001 - a true minus


def test_a_slice_left_to_the_teacher_has_no_risk_to_prove() -> None:
    one = candidate("linear", reference="gold", kept=("german",))
    risk = replace(one.verdicts[5], slice="german", estimate=None, outcome="unproven", required=False)
    told = Page(render(told_of(replace(one, verdicts=(*one.verdicts, risk))))).text

    assert "nothing here could be scored" not in told
    assert re.search(
        "errors among answered ≤ 5% on german system against gold.{1,60} unproven: risk ≤ 5% lacks about 140 more", told
    )


def test_a_candidate_that_takes_nothing_over_is_given_no_verdict_of_the_teachers() -> None:
    one = candidate("linear", reference="gold", certified=False)
    rows = forest_of(told_of(one))

    assert {name: "– no takeover" in row for name, row in rows.items()} == dict.fromkeys(rows, True)  # noqa: RUF001
    assert not [row for row in rows.values() if "✓" in row or "✕" in row]


def test_promises_that_are_not_kept_stand_by_name_in_the_table_of_candidates() -> None:
    table = Page(render(story("not_proven"))).text.split("All candidates, in the order")[1]

    assert "linear linear ○ unproven not proven: accuracy, accuracy on enterprise" in table.replace("student, ", "")


def test_requests_that_count_as_wrong_for_want_of_an_answer_stand_in_the_verdict() -> None:
    verdict = Page(render(story()).split('<header id="verdict"')[1].split("</header>")[0]).text

    assert "3 of 338 test requests in enterprise have no usable reference answer and count as wrong." in verdict


def test_what_was_paid_says_for_whom_and_over_what() -> None:
    told = Page(render(story())).text

    assert "327 were bought for $0.61 (the teacher's answers, this run)" in told
    assert "Paid so far: $11.82 for all models asked, over all runs" in told


def test_the_last_line_of_the_ledger_stands_first_as_it_is() -> None:
    told = replace(story(), ledger=("1. earlier", "This run: second decision"))
    section = Page(render(told).split('id="ledger"')[1].split("</section>")[0]).text

    assert section.index("This run: second decision") < section.index("1. earlier")
    assert section.count("This run: second decision") == 1


def test_the_curve_says_how_its_threshold_was_picked() -> None:
    assert "one that the test was likely to prove again, not the most lenient" in Page(render(story())).text


def test_prompts_without_an_accepted_answer_are_a_row_of_the_funnel() -> None:
    assert "prompts without any accepted answer: 82" in render(story())


def told_of(one: Candidate) -> Story:
    return replace(story(), candidates=(one,))
