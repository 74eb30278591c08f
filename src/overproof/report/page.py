"""The page: one HTML file that needs nothing else, from one record."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from msgspec.structs import replace

from overproof.core.types import Candidate, Estimate, Record, SliceResult, Verdict
from overproof.report import alone, bought, charts, likeness, sentences, suggested, svg, words
from overproof.report.story import Story


class Row(Record):
    """One candidate on one slice, as the interval plot shows it."""

    candidate: Candidate
    result: SliceResult | None
    verdict: Verdict | None
    estimate: Estimate | None
    alone: Estimate | None
    """The candidate without the teacher behind it."""
    state: str
    """Verdict in one word; where no bar stands, `plain`, or `unproven` where the slice is left to the teacher."""
    lacks: str
    """Why the teacher goes on answering this slice; empty where it does not."""
    bar: float | None
    """Drawn as a line; None for bars on a difference, which is another scale."""
    takeover: bool = True
    """Whether the candidate may answer anything; where not, the system is the teacher."""


class Group(Record):
    """One slice of the interval plot."""

    slice: str
    result: SliceResult | None
    bars: tuple[str, ...]
    rows: tuple[Row, ...]


def render(story: Story) -> str:
    """Return the page as HTML: no script, nothing loaded, every text escaped."""
    groups = interval_groups(story)
    page = (
        _environment()
        .get_template("page.html.j2")
        .render(
            story=story,
            headline=sentences.headline(story),
            badge=sentences.BADGES[story.decision.outcome],
            standing_line=sentences.standing_line(story),
            kept_line=sentences.kept_line(story),
            unanswered=alone.unanswered(story),
            hidden_slice=alone.hidden_slice(story),
            steps=sentences.next_steps(story),
            groups=groups,
            scale=charts.span(
                [row.estimate for group in groups for row in group.rows],
                [row.bar for group in groups for row in group.rows if row.bar is not None],
                [row.alone for group in groups for row in group.rows if row.candidate.family == "student"],
            ),
        )
    )
    return words.clean(page)


def interval_groups(story: Story) -> tuple[Group, ...]:
    """Return the interval plot's rows: every slice that was measured or promised, every tested candidate in each."""
    tested = [each for each in story.candidates if each.tested or each.slices]
    results = {row.slice: row for row in story.slices}
    promised = [each.slice for one in tested for each in one.verdicts if each.condition == "bar"]
    names = sorted(dict.fromkeys([*results, *promised]), key=lambda name: name != "all")
    return tuple(_group(name, results.get(name), tested) for name in names)


def _group(name: str, result: SliceResult | None, candidates: Sequence[Candidate]) -> Group:
    rows = tuple(_row(each, name) for each in candidates)
    bars = dict.fromkeys(words.promised(row.verdict) for row in rows if row.verdict is not None)
    drawn = {row.bar for row in rows if row.bar is not None}
    if len(drawn) == 1:  # the slice's bar runs through the rows of untested candidates too
        rows = tuple(replace(row, bar=min(drawn)) for row in rows)
    return Group(slice=name, result=result, bars=tuple(bars), rows=rows)


def _row(candidate: Candidate, name: str) -> Row:
    result = words.find_slice(candidate, name)
    verdict = words.find_verdict(candidate, "bar", name)
    alike = verdict is not None and words.quantity(verdict) == "share"
    system = result.system if result is not None else None
    lacks = alone.lacking(candidate, name)
    return Row(
        candidate=candidate,
        result=result,
        verdict=verdict,
        estimate=verdict.estimate if verdict is not None and alike else system,
        alone=result.student if result is not None else None,
        state=_state(candidate, verdict, lacks),
        lacks=lacks,
        bar=verdict.bar if verdict is not None and alike else None,
        takeover=candidate.calibration.threshold is not None,
    )


def _state(candidate: Candidate, verdict: Verdict | None, lacks: str) -> str:
    if candidate.calibration.threshold is None:
        return "plain"
    return verdict.outcome if verdict is not None else "unproven" if lacks else "plain"


def moment(when: datetime) -> str:
    """Return a time as people read it, in UTC."""
    utc = when.astimezone(UTC) if when.tzinfo else when
    return f"{utc.day} {utc:%B %Y, %H:%M} UTC"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("overproof.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    tools: dict[str, Any] = {
        "charts": charts,
        "svg": svg,
        "w": words,
        "s": sentences,
        "a": alone,
        "bought": bought,
        "likeness": likeness,
        "suggested": suggested,
    }
    environment.globals.update(tools, moment=moment)
    return environment
