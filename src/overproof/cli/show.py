"""What the commands print: results to stdout, talk to stderr, JSON when asked."""

from __future__ import annotations

import contextlib
import shlex
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import click
import msgspec

if TYPE_CHECKING:
    from overproof.pipeline.attempt import Unfinished
    from overproof.pipeline.init import Started
    from overproof.pipeline.plan import Plan
    from overproof.pipeline.run import Outcome
    from overproof.pipeline.status import Status

NARROWEST = 80
"""Columns the summary of a run needs at least."""


def as_json_text(value: object) -> str:
    """Return any record as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(value)).decode()


class Talking:
    """Tells a person on stderr how a run goes: a line for each stage, redrawn while it works on a terminal."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._drawn = 0.0

    def began(self, stage: str) -> None:
        """Show that a stage has begun."""
        self._redraw(f"  {stage:<10} ...")

    def step(self, stage: str, text: str, done: int = 0, total: int | None = None) -> None:
        """Show how far it is, a few times a second at most."""
        now = perf_counter()
        if now - self._drawn < 0.1:
            return
        self._drawn = now
        count = f"{done}/{total}" if total else (f"{done}" if done else "")
        self._redraw(f"  {stage:<10} {count} {text}")

    def ended(self, stage: str, seconds: float, *, fresh: bool) -> None:
        """Leave one line for the stage; stages that were fresh are only worth one when others were made."""
        if fresh:
            return
        self._redraw("")
        click.echo(f"  {stage:<10} {seconds:6.1f} s", err=True)

    def _redraw(self, line: str) -> None:
        if self._live:
            sys.stderr.write(f"\r\x1b[K{line[:110]}")
            sys.stderr.flush()


@contextlib.contextmanager
def listening() -> Iterator[Talking]:
    """Yield a listener that leaves the terminal as it found it."""
    talking = Talking()
    try:
        yield talking
    finally:
        talking._redraw("")  # noqa: SLF001 - its own module


def finished(outcome: Outcome, project: Path, *, as_json: bool) -> None:
    """Print how a run ended."""
    if as_json:
        click.echo(as_json_text(outcome))
        return
    click.echo(_summary(outcome, project).rstrip("\n"))
    click.echo(f"report     {project / outcome.report}")


def _summary(outcome: Outcome, project: Path) -> str:
    """Return the summary as it was kept, drawn again where the terminal is too narrow for it."""
    from overproof.cli.tables import terminal

    room = terminal()
    if room is None or room >= max(map(len, outcome.summary.splitlines()), default=0):
        return outcome.summary
    from overproof.core.errors import UserError
    from overproof.pipeline.tell import summarised

    try:
        return summarised(project, max(room, NARROWEST))
    except UserError:  # another version's report, still fresh: it is shown as it was kept
        return outcome.summary


def _wrapped(text: str, indent: str = "") -> str:
    """Return a line that a terminal does not break inside of words; the rest of it stands under `indent`."""
    from overproof.cli.tables import terminal

    room = terminal()
    if room is None:
        return text
    return textwrap.fill(text, max(room, 2 * len(indent)), subsequent_indent=indent, break_on_hyphens=False)


def show_plan(plan: Plan, *, as_json: bool) -> None:
    """Print what a run would do and spend."""
    if as_json:
        click.echo(as_json_text(plan))
        return
    for step in plan.steps:
        click.echo(_wrapped(f"  {step.stage:<10} {step.state:<6} {step.because}", " " * 20))
    if plan.answers_to_buy:
        click.echo(f"\nTo buy: {plan.answers_to_buy} answers for about ${plan.usd:.2f}.")
    else:
        click.echo("\nNothing to buy.")
    if plan.more_at_most:
        told = f"Asking again and verifying: at most {plan.more_at_most} more, about ${plan.more_usd:.2f}."
        click.echo(_wrapped(told))
    for note in plan.notes:
        click.echo(_wrapped(f"Note: {note}", "  "))
    verdict = "within" if plan.within_budget else "MORE THAN"
    click.echo(f"Spent so far ${plan.spent:.2f}; {verdict} the budget of ${plan.budget:.2f}.")


def show_status(status: Status, *, as_json: bool) -> None:
    """Print how the last run ended."""
    if as_json:
        click.echo(as_json_text(status))
        return
    if status.unfinished:
        click.echo(_unfinished(status.unfinished))
        click.echo("The run before, which stands:" if status.decision else "No run has ended well before.")
    if status.decision:
        click.echo(status.decision.reason)
    if status.decision and status.release:
        click.echo(f"Release: {status.release}, id {status.decision.release_id}")
    if not status.stale:
        click.echo("Nothing has changed since.")
    elif status.decision:
        click.echo(f"Changed since: {', '.join(status.stale)} would be made again by `overproof run`.")
    else:
        click.echo(f"Still to be made by `overproof run`: {', '.join(status.stale)}; what is made is kept.")


def _unfinished(last: Unfinished) -> str:
    """Say what became of a run that has not ended well."""
    at, where = (
        f"{last.at:%Y-%m-%d %H:%M} UTC",
        f"in the stage {last.stage}" if last.stage else "before the first stage",
    )
    if last.state == "at work":
        return f"A run is at work, {where} since {at}."
    if last.state == "stopped":
        return f"The last run did not end: {last.why}, {where}, {at}."
    return f"The last run failed {where}, {at}: {last.why}"


def show_init(started: Started, *, as_json: bool) -> None:
    """Print what was found and what to do next."""
    if as_json:
        click.echo(as_json_text(started))
        return
    click.echo(f"Wrote {started.path}: {_answers(started)}, teacher {started.teacher!r}, {started.exchanges} calls.")
    if started.warning:
        click.echo(f"overproof: {started.warning}", err=True)
    for note in started.notes:
        click.echo(f"  {note}")
    click.echo("Next: read it, and")
    for need in started.needs:
        click.echo(f"  - {need}")
    if started.kind != "classify":
        return
    project = shlex.quote(str(Path(started.path).parent))
    click.echo(f"Then `overproof plan --project {project}` and `overproof run --project {project}`.")


def _answers(started: Started) -> str:
    return f"{len(started.labels)} labels" if started.kind == "classify" else f"kind {started.kind}"


def show_report(path: Path, *, as_json: bool) -> None:
    """Print where the report is."""
    click.echo(as_json_text({"report": str(path)}) if as_json else str(path))
