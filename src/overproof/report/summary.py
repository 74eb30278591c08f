"""The same story on one screen of a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from io import StringIO
from typing import TYPE_CHECKING

from overproof.core.types import Candidate, Verdict
from overproof.report import alone, bought, likeness, sentences, suggested, words
from overproof.report.page import Row, interval_groups, moment
from overproof.report.story import Story

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

MOST_LINES = 50
"""Lines of the whole. What is least needed goes first; every next step stays."""

MOST_CANDIDATES = 10
MOST_SLICES = 5
MOST_REASONS = 3
"""Rows of a table before the rest is left to the page: the whole is to fit one screen."""

_WIDE = 90
"""Columns from which there is room for whole sentences."""

_STEP_LINES, _FACT_LINES = 6, 8
"""What a step or a fact may take there: more than any of the program's own."""

_NAMES = 9
"""Columns of the names of facts."""

_STYLES = {"proven": "green", "failed": "red", "unproven": "yellow", "no takeover": "dim", "not tested": "dim"}

_DROPPED = ("suggests", "match", "alone", "teacher", "threshold", "funnel", "size", "slices", "sampling", "economics")
"""Blocks that make room for the next steps, first to last; the page has all of them."""


def summary(story: Story, *, page: str = "", width: int = 100, color: bool = False) -> str:
    """Return the summary, on one screen of `width` columns; `page` is where the full report lies."""
    blocks = [(name, _drawn(list(parts), width, color)) for name, parts in _blocks(story, page, width)]
    for name in _DROPPED:
        if sum(len(lines) for _, lines in blocks) <= MOST_LINES:
            break
        blocks = [each for each in blocks if each[0] != name]
    lines = [line for _, found in blocks for line in found]
    return "\n".join(_single_blanks(lines)) + "\n"


def _single_blanks(lines: list[str]) -> Iterator[str]:
    """Yield lines without blank ones that follow each other, as they do where a block was dropped."""
    before = ""
    for line in lines:
        if line or before:
            yield line
        before = line


def _drawn(parts: list[RenderableType], width: int, color: bool) -> list[str]:
    from rich.console import Console

    out = StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    for part in parts:
        console.print(part, no_wrap=True, overflow="ellipsis", crop=True)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def _blocks(story: Story, page: str, width: int) -> Iterator[tuple[str, Iterable[RenderableType]]]:
    """Yield what is shown, from top to bottom, each with its name."""
    yield "head", _head(story, width)
    for step in sentences.next_steps(story):
        if step not in set(sentences.left_to_teacher(story)):  # it stands below, slice by slice
            yield "next", _hanging("next", step, width, _STEP_LINES if width >= _WIDE else 2)
    yield "blank", [_text("")]
    for name, value in [*_data(story), ("gate", sentences.gate_line(story))]:
        yield name, _hanging(name, value, width, _FACT_LINES if width >= _WIDE else 2)
    yield "blank", [_text("")]
    yield "candidates", _all_candidates(story, width)
    if story.lead is not None and story.lead.slices:
        yield "blank", [_text("")]
        yield "slices", [_slices(story, story.lead, width)]
    yield "blank", [_text("")]
    if story.lead is not None:
        yield "left", _left(story.lead, width)
    yield from _lessons(story, width)
    for name, value in _money(story):
        yield name, _hanging(name, value, width, _FACT_LINES if width >= _WIDE else 2)
    if page:
        yield "report", [_facts([("report", page)])]


def _lessons(story: Story, width: int) -> Iterator[tuple[str, Iterable[RenderableType]]]:
    """Yield what averages and sizes hide, and where else to look."""
    if alone.hidden(story) is not None:
        yield "alone", _hanging("alone", alone.hidden_short(story), width, 2)
    if alone.outgrown(story) is not None:
        yield "size", _hanging("size", alone.outgrown_sentence(story).removeprefix("Size is not quality: "), width, 3)
    if suggested.short(story):
        yield "suggests", _hanging("suggests", suggested.short(story), width, 1)


def _head(story: Story, width: int) -> Iterator[RenderableType]:
    symbol, badge = sentences.BADGES[story.decision.outcome]
    yield _text(f"{symbol} {badge} · Overproof · {story.promise.task} · {moment(story.generated_at)}", "bold")
    yield from _wrapped(sentences.headline(story), width, 2, "bold")
    yield from _wrapped(words.sentence(story.decision.reason), width, 3)
    yield from _wrapped(sentences.standing_line(story), width, 2, "dim")


def _all_candidates(story: Story, width: int) -> Iterator[RenderableType]:
    """Yield the table, and below it which promises are not kept."""
    yield _candidates(story, width)
    lacking = {each.name: words.lacks(each) for each in story.candidates[:MOST_CANDIDATES]}
    for lacks in list(dict.fromkeys(filter(None, lacking.values())))[:MOST_REASONS]:
        names = ", ".join(name for name, each in lacking.items() if each == lacks)
        yield from _hanging("lacking", f"{names}: {lacks}", width, 2)
    if story.withheld:
        yield from _wrapped(story.withheld, width, 2, "yellow")


def _left(lead: Candidate, width: int) -> Iterator[RenderableType]:
    """Yield why the teacher goes on answering critical slices, slices with the same reason together."""
    kept = lead.calibration.always_teacher if lead.calibration.threshold is not None else ()
    for why in list(dict.fromkeys(alone.unproven(lead, name) for name in kept))[:MOST_REASONS]:
        names = ", ".join(name for name in kept if alone.unproven(lead, name) == why)
        yield from _hanging("left", f"{names}: {words.SYMBOLS['unproven']} {why}", width, 3)


def _data(story: Story) -> Iterator[tuple[str, str]]:
    prompts, match, spending, funnel = story.prompts, story.match, story.spending, story.funnel
    dealt = (
        f"{words.many(prompts.exchanges, 'exchange')}, {words.many(prompts.prompts, 'prompt')}, "
        f"{words.many(prompts.units, 'unit')}; test {words.many(prompts.requests.get('test', 0), 'request')} "
        f"in {words.many(prompts.split_units.get('test', 0), 'unit')}"
    )
    aside = sum(each.set_aside for each in story.logs.files)
    yield "data", f"{dealt}; {words.many(aside, 'row')} set aside" if aside else dealt
    auc = f"AUC {match.auc:.2f} [{match.auc_lower:.2f}, {match.auc_upper:.2f}]"
    yield "match", f"{auc} telling prompt set from live traffic; beyond chance: {likeness.apart(match) or 'nothing'}"
    answers = (
        f"{words.many(spending.reused, 'answer')} reused, {words.count(spending.cached)} cached, "
        f"{words.count(spending.bought)} bought for {words.dollars(spending.usd)} "
        "(the teacher's answers, this run)"
    )
    yield "teacher", answers
    sifted = (
        f"{words.many(funnel.completions, 'answer')} to {words.many(funnel.prompts, 'prompt')}: "
        f"{words.count(funnel.rejected)} rejected, "
        f"{words.count(funnel.disagreed)} without majority, {words.many(funnel.examples, 'example')}"
    )
    empty = funnel.prompts - funnel.examples - funnel.disagreed
    sifted += f"; {words.many(empty, 'prompt')} without any accepted answer" if empty > 0 else ""
    yield "funnel", sifted
    if story.sampling is not None:
        yield "sampling", bought.sentence(story.sampling)


def _money(story: Story) -> Iterator[tuple[str, str]]:
    lead = story.lead
    if lead is None:
        return
    calibration = lead.calibration
    if calibration.threshold is None:
        yield "threshold", f"{lead.name} {alone.uncertified(calibration)}"
    else:
        covers = words.percent(calibration.coverage)
        yield "threshold", f"{lead.name} at confidence ≥ {calibration.threshold:.3g}: {covers} of calibrate"
    money = lead.economics
    if money is not None:
        costs = (
            f"teacher {words.dollars(money.teacher_per_1k)}, both {words.dollars(money.blended_per_1k)} per 1,000; "
            f"{words.saved(money.saved_per_month)}; break-even: {sentences.break_even(lead)} (paid so far "
            f"{words.dollars(money.spent)} for all models asked, over all runs)"
        )
        yield "economics", costs


def _candidates(story: Story, width: int) -> RenderableType:
    rows: list[tuple[Text, ...]] = []
    for each in story.candidates[:MOST_CANDIDATES]:
        row, bar = words.find_slice(each), words.find_verdict(each, "bar")
        standing = words.standing(each)
        marked = ", exploratory" if words.exploratory(each) else ""
        rows.append(
            (
                _text(each.name, "bold" if each.name == story.decision.winner else ""),
                _text(f"{words.SYMBOLS[standing]} {standing}{marked}", _STYLES[standing]),
                _text(words.interval(row.student) if row else words.NONE),
                _text(words.interval(row.system) if row else words.NONE),
                _text(words.bar(bar) if bar else words.NONE),
                _text(words.percent(row.answered) if row else words.NONE),
                _text(words.dollars(each.economics.blended_per_1k) if each.economics else words.NONE),
                _text(words.size(each.size_bytes)),
            )
        )
    columns = ("candidate", "verdict", "alone", "system", "bar", "answers", "per 1,000", "size")
    return _table(columns, rows, len(story.candidates), "candidate", width)


def _slices(story: Story, lead: Candidate, width: int) -> RenderableType:
    groups = interval_groups(story)
    rows: list[tuple[Text, ...]] = []
    for group in groups[:MOST_SLICES]:
        row = next(each for each in group.rows if each.candidate.name == lead.name)
        result, verdict = row.result, row.verdict
        rows.append(
            (
                _text(group.slice),
                _stands(row, width),
                _text(words.interval(row.alone)),
                _text(words.interval(row.estimate)),
                _text(words.bar(verdict) if verdict else words.NONE),
                _text(f"{words.count(result.requests)} in {words.count(result.units)}" if result else words.NONE),
            )
        )
    columns = (f"{lead.name} on", "verdict", "alone", "system", "bar", "in units")
    return _table(columns, rows, len(groups), "slice", width)


def _stands(row: Row, width: int) -> Text:
    """Return a verdict in few words, and whether the teacher answers this slice; why stands below the table."""
    verdict = row.verdict
    if not row.takeover:
        return _text(f"{words.NONE} no takeover", "dim")
    left = ", teacher answers" if row.lacks else ""
    if verdict is None:
        return _text(f"{words.SYMBOLS['unproven']} unproven{left}", "yellow") if left else _text("no bar", "dim")
    short = verdict.outcome if width < _WIDE else _briefly(verdict)
    notes = (", exploratory" if verdict.exploratory else "") + left
    return _text(f"{words.SYMBOLS[verdict.outcome]} {short}{notes}", _STYLES[verdict.outcome])


def _briefly(verdict: Verdict) -> str:
    """Return the outcome of a bar, and what the bar lacks."""
    if verdict.outcome != "unproven" or not verdict.more_units:
        return verdict.outcome
    found = words.missing(verdict.more_units, verdict.more_days)
    lacks = "far more units" if found == words.TOO_MANY else found.removesuffix(" at this rate").replace("about ", "~")
    return f"unproven: bar lacks {lacks}"


def _table(columns: tuple[str, ...], rows: list[tuple[Text, ...]], n: int, noun: str, width: int) -> RenderableType:
    """Return a table; columns that do not fit are left out from the right, so that no figure is cut."""
    from rich.console import Group
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_edge=False)
    taken, shown = 0, 0
    for i, name in enumerate(columns):
        longest = max([len(name), *(row[i].cell_len for row in rows)])
        room = min(longest, 24) if i == 0 else longest
        taken += room + 2
        if i > 1 and taken > width:
            break
        table.add_column(_text(name), no_wrap=True, overflow="ellipsis", width=room)
        shown += 1
    for row in rows:
        table.add_row(*row[:shown])
    rest = _text(f"and {words.many(n - len(rows), f'more {noun}')} in the report", "dim")
    return Group(table, rest) if n > len(rows) else table


def _facts(pairs: list[tuple[str, str]]) -> RenderableType:
    from rich.table import Table

    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(no_wrap=True, width=_NAMES)
    grid.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for name, value in pairs:
        grid.add_row(_text(name, "dim"), _text(value))
    return grid


def _hanging(name: str, text: str, width: int, most: int) -> Iterator[RenderableType]:
    """Yield a named fact over several lines, in line with the others."""
    flat = " ".join(words.clean(text).split())
    room = max(width - _NAMES - 2, 10)
    for i, line in enumerate(textwrap.wrap(flat, room, max_lines=most, placeholder=" …")):
        yield _facts([(name if i == 0 else "", line)])


def _wrapped(text: str, width: int, most: int, style: str = "") -> Iterator[RenderableType]:
    flat = " ".join(words.clean(text).split())
    for line in textwrap.wrap(flat, width, max_lines=most, placeholder=" …"):
        yield _text(line, style)


def _text(text: str, style: str = "") -> Text:
    """Return text that is never read as markup, on one line and without control characters."""
    from rich.text import Text

    return Text(" ".join(words.clean(text).split()), style=style)
