"""`overproof discover`: the tasks in mixed logs, what they cost, and which could be distilled."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from overproof.cli.options import json_option

if TYPE_CHECKING:
    from overproof.discovery.records import Discovery, Found, Rate


@click.command()
@click.argument("logs")
@click.option("--probe/--no-probe", default=True, help="Fit a cheap student to the largest tasks, or not.")
@json_option
def discover(logs: str, *, probe: bool, as_json: bool) -> None:
    """Find the tasks in LOGS, and what they cost.

    LOGS is a log file or a glob (quoted); files of several formats may be mixed.
    """
    from overproof.cli.show import as_json_text, listening
    from overproof.pipeline.discover import discover as look

    with listening() as listen:
        found = look(logs, probe=probe, listen=listen)
    click.echo(as_json_text(found) if as_json else _told(found, logs), nl=as_json)


def _told(found: Discovery, logs: str) -> str:
    """Return a table, a sentence for each task that could be distilled and one for the rest, and the next step."""
    from overproof.discovery.says import not_yet

    lines = [_head(found), *(f"{note}." for note in found.notes)]
    lines += [each.says[0].upper() + each.says[1:] + "." for each in found.tasks if each.kind == "classify"]
    lines += not_yet(found.tasks)
    lines += [f"Task {each.number}: {note}." for each in found.tasks for note in each.notes]
    first = next((each.number for each in found.tasks if each.kind == "classify"), None)
    if first is not None:
        lines.append(f"Next: overproof init NAME --from {shlex.quote(logs)} --task {first}")
    return _table(found) + "\n".join(lines) + "\n"


NAMES = (
    "#",
    "task",
    "kind",
    "answers",
    "calls",
    "spend",
    "tokens",
    "p50/p95 ms",
    "repeat",
    "agrees",
    "faults",
    "to serve",
)
LEAST = ("p50/p95 ms", "tokens", "faults", "agrees", "repeat", "answers", "kind")
"""What a narrow terminal does without, the first ones first: what a task is, costs, and would save comes last."""


def _table(found: Discovery) -> str:
    from overproof.cli.tables import table

    rows = [_row(each) for each in found.tasks]
    return table(NAMES, rows, left=("task", "kind", "answers"), texts=("task",), least=LEAST)


def _row(each: Found) -> tuple[str, ...]:
    from overproof.discovery.says import percent

    tokens = each.input_tokens + each.output_tokens
    latency = f"{each.latency_p50_ms:.0f}/{each.latency_p95_ms:.0f}" if each.latencies else "-"
    served = each.probe and each.probe.served
    return (
        str(each.number),
        each.name,
        each.kind,
        _answers(each),
        f"{each.calls:,}",
        percent(each.share_of_spend) + (f" ${each.usd:,.2f}" if each.usd is not None and not each.unpriced else ""),
        f"{tokens:,}",
        latency,
        _rate(each.repeats),
        f"{_rate(each.consistency)} of {each.consistency.n}" if each.consistency.n else "-",
        _rate(each.faults.any),
        _rate(served) if served else "-",
    )


def _answers(each: Found) -> str:
    if each.kind == "classify":
        return f"{len(each.labels)} labels"
    if each.kind == "extract":
        return f"{len((each.schema or {}).get('properties', {}))} fields"
    return "text"


def _rate(rate: Rate) -> str:
    from overproof.discovery.says import percent

    if rate.rate is None:
        return "-"
    return percent(rate.rate)


def _head(found: Discovery) -> str:
    spend = f"${found.usd:,.2f}" if found.usd is not None else "an unknown sum"
    priced = f", {found.unpriced:,} of them without a known price" if found.unpriced else ""
    if found.calls == 1 and found.unpriced:
        priced = " without a known price"
    by = "" if found.spend_by == "dollars" else "; shares of spend are of tokens, output counted fourfold"
    are, whose = ("is", "its prompt was") if found.rest == 1 else ("are", "their prompts were")
    rest = f" {found.rest:,} {are} in no task: {whose} seen too rarely." if found.rest else ""
    calls = "1 call" if found.calls == 1 else f"{found.calls:,} calls"
    return f"{calls} for {spend}{priced}{by}.{rest}"
