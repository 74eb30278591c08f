"""The commands: each parses, calls one function of the library, and prints."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from overproof import __version__
from overproof.cli.discover import discover
from overproof.cli.forget import forget
from overproof.cli.models import models
from overproof.cli.options import PATH, json_option, project_option
from overproof.cli.prompts import prompts

EXIT_CODES = "Exit codes: 0 done, whatever the verdict; 1 something to mend; 2 wrong usage; 130 stopped."


class InOrder(click.Group):
    """Lists commands in the order people use them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names as they were defined."""
        return list(self.commands)


def run() -> None:
    """Run the command line: a `UserError` is one sentence and exit code 1, as is a file the system refuses.

    Anything else is a fault of ours and shows its traceback.
    """
    from overproof.core.errors import UserError

    try:
        main(standalone_mode=False)
    except UserError as wrong:
        click.echo(f"overproof: {wrong}", err=True)
        sys.exit(1)
    except OSError as wrong:
        place = wrong.filename2 or wrong.filename  # of a rename, where it was to go
        click.echo(f"overproof: {f'{place}: ' if place else ''}{wrong.strerror or wrong}", err=True)
        sys.exit(1)
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(wrong.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("overproof: stopped; what was done is kept, run the same command to go on", err=True)
        sys.exit(130)


@click.group(
    cls=InOrder,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="overproof")
def main() -> None:
    """From an expensive LLM's production logs to a small model that serves that traffic safely, with proof."""


@main.command()
@click.argument("folder", type=PATH, default=Path("overproof-demo"))
@json_option
def demo(folder: Path, *, as_json: bool) -> None:
    """Show the whole road on embedded data: no key, no network.

    Makes a project in FOLDER (overproof-demo when left out) and runs it.
    """
    from overproof.cli.show import finished, listening
    from overproof.pipeline.demo import demo as run_demo
    from overproof.pipeline.demo import hint

    with listening() as listen:
        outcome = run_demo(folder, listen)
    finished(outcome, folder, as_json=as_json)
    if lacking := hint():
        click.echo(lacking, err=True)


main.add_command(discover)


@main.command()
@click.argument("name")
@click.option("--from", "logs", required=True, metavar="LOGS", help="Log file or glob (quoted) to start from.")
@click.option("--teacher", help="Model to distil; the most frequent one in the logs when left out.")
@click.option("--where", help="SQL over metadata that tells this task from others: \"app = 'triage'\".")
@click.option("--task", type=int, metavar="N", help="Task of that number, as `overproof discover LOGS` gives it.")
@json_option
def init(name: str, logs: str, teacher: str | None, where: str | None, task: int | None, *, as_json: bool) -> None:
    """Write a contract, NAME/overproof.toml, from logs."""
    from overproof.cli.show import show_init
    from overproof.pipeline.init import init as start

    show_init(start(name, logs, teacher, where, task), as_json=as_json)


@main.command()
@project_option
@json_option
def plan(project: Path, *, as_json: bool) -> None:
    """Say what a run would do, and spend.

    Asks nobody anything.
    """
    from overproof.cli.show import listening, show_plan
    from overproof.pipeline.plan import plan as look_ahead

    with listening() as listen:
        found = look_ahead(project, listen)
    show_plan(found, as_json=as_json)


@main.command(name="run")
@project_option
@click.option("--past-gate", is_flag=True, help="Go on although a baseline was proven.")
@click.option("--again", multiple=True, metavar="STAGE", help="Make this stage anew although it is fresh; repeatable.")
@json_option
def run_command(project: Path, again: tuple[str, ...], *, past_gate: bool, as_json: bool) -> None:
    """Run the road: cached, resumable, within the budget."""
    from overproof.cli.show import finished, listening
    from overproof.pipeline.run import run as run_road

    with listening() as listen:
        outcome = run_road(project, past_gate=past_gate, again=again, listen=listen)
    finished(outcome, project, as_json=as_json)


@main.command()
@project_option
@click.option("--examples/--no-examples", default=True, help="Show redacted examples, or none.")
@click.option("--output", type=PATH, help="Where to write it; report.html in the project when left out.")
@json_option
def report(project: Path, output: Path | None, *, examples: bool, as_json: bool) -> None:
    """Write the last run's report again, and say where."""
    from overproof.cli.show import show_report
    from overproof.pipeline.tell import report as write_report

    show_report(write_report(project, output, examples=examples), as_json=as_json)


@main.command()
@project_option
@json_option
def status(project: Path, *, as_json: bool) -> None:
    """Say how the last run ended, and what has changed since."""
    from overproof.cli.show import show_status
    from overproof.pipeline.status import status as look

    show_status(look(project), as_json=as_json)


main.add_command(prompts)


@main.command()
@json_option
def schema(*, as_json: bool) -> None:
    """Print the JSON Schema of overproof.toml, for editors."""
    del as_json  # it is JSON either way; every command takes the option
    from overproof.cli.show import as_json_text
    from overproof.contract import json_schema

    click.echo(as_json_text(json_schema()))


main.add_command(forget)
main.add_command(models)
