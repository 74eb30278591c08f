"""The commands: each parses, calls one function of the library, and prints."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="overproof",
    help="From an expensive LLM's production logs to a small model that serves that traffic safely, with proof.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

ProjectDir = Annotated[Path, typer.Option("--project", "-p", help="Folder that holds overproof.toml.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
HERE = Path()


def run() -> None:
    """Run the command line: a `UserError` is one sentence and exit code 1, anything else shows its traceback."""
    from overproof.core.errors import UserError

    try:
        app()
    except UserError as wrong:
        print(f"overproof: {wrong}", file=sys.stderr)  # noqa: T201 - the one place where an error becomes text
        sys.exit(1)
    except KeyboardInterrupt:
        print("overproof: stopped; what was done is kept, run the same command to go on", file=sys.stderr)  # noqa: T201
        sys.exit(130)


@app.callback()
def main(
    *, version: Annotated[bool, typer.Option("--version", help="Print the version and leave.", is_eager=True)] = False
) -> None:
    """From an expensive LLM's production logs to a small model that serves that traffic safely, with proof."""
    if version:
        from overproof import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Folder to make the demo project in.")] = Path("overproof-demo"),
    *,
    as_json: AsJson = False,
) -> None:
    """Show the whole road on embedded data: no key, no network, about a minute."""
    from overproof.cli.show import finished, listening
    from overproof.pipeline.demo import demo as run_demo

    with listening() as listen:
        outcome = run_demo(folder, listen)
    finished(outcome, folder, as_json=as_json)


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="Name of the task, and of the folder to make.")],
    logs: Annotated[str, typer.Option("--from", help="Log file or glob to start from.")],
    teacher: Annotated[str | None, typer.Option(help="Model to distil; the most frequent one when left out.")] = None,
    where: Annotated[str | None, typer.Option(help="SQL over metadata that tells this task from others.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Write a contract, NAME/overproof.toml, from what the logs hold."""
    from overproof.cli.show import show_init
    from overproof.pipeline.init import init as start

    show_init(start(name, logs, teacher, where), as_json=as_json)


@app.command()
def plan(*, project: ProjectDir = HERE, as_json: AsJson = False) -> None:
    """Say what a run would do and what it would spend; asks nobody anything."""
    from overproof.cli.show import listening, show_plan
    from overproof.pipeline.plan import plan as look_ahead

    with listening() as listen:
        found = look_ahead(project, listen)
    show_plan(found, as_json=as_json)


@app.command(name="run")
def run_command(
    *,
    project: ProjectDir = HERE,
    past_gate: Annotated[bool, typer.Option("--past-gate", help="Go on although a baseline was proven.")] = False,
    again: Annotated[list[str] | None, typer.Option(help="Stage to make anew although it is fresh.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run the road: cached, resumable, within the budget."""
    from overproof.cli.show import finished, listening
    from overproof.pipeline.run import run as run_road

    with listening() as listen:
        outcome = run_road(project, past_gate=past_gate, again=again or (), listen=listen)
    finished(outcome, project, as_json=as_json)


@app.command()
def report(
    *,
    project: ProjectDir = HERE,
    examples: Annotated[bool, typer.Option(help="Show redacted examples.")] = True,
    output: Annotated[
        Path | None, typer.Option(help="Where to write it; report.html in the project when left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the last run's report again and say where it is."""
    from overproof.cli.show import show_report
    from overproof.pipeline.tell import report as write_report

    show_report(write_report(project, output, examples=examples), as_json=as_json)


@app.command()
def status(*, project: ProjectDir = HERE, as_json: AsJson = False) -> None:
    """Say how the last run ended, and whether anything has changed since."""
    from overproof.cli.show import show_status
    from overproof.pipeline.status import status as look

    show_status(look(project), as_json=as_json)


@app.command()
def schema() -> None:
    """Print the JSON Schema of overproof.toml, for editors."""
    from overproof.cli.show import as_json_text
    from overproof.contract import json_schema

    typer.echo(as_json_text(json_schema()))
