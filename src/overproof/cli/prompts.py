"""`overproof prompts`: look at the prompt set and its versions, and take it elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from overproof.cli.options import PATH, json_option, project_option

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")
SPLITS = click.Choice(["train", "tune", "calibrate", "test"])


def set_option(command: F) -> F:
    """Add `--set`."""
    says = "Prompt set to look at, by number or key; the present one when left out."
    return click.option("--set", "which", metavar="SET", help=says)(command)


def split_option(command: F) -> F:
    """Add `--split`."""
    says = "Split to take them from; repeatable. Train and tune when left out; looking at the others has its price."
    return click.option("--split", "splits", multiple=True, type=SPLITS, help=says)(command)


def slice_option(command: F) -> F:
    """Add `--slice`."""
    return click.option("--slice", "slices", multiple=True, help="Only prompts in this slice; repeatable.")(command)


@click.group(invoke_without_command=True)
@project_option
@json_option
@click.pass_context
def prompts(context: click.Context, project: Path, *, as_json: bool) -> None:
    """Look at the prompt set, and versions of it.

    Alone it lists the versions.
    """
    if context.invoked_subcommand is None:
        context.invoke(list_command, project=project, as_json=as_json)
    else:  # options given here are for the command that follows, unless it has its own
        given = {"project": project, "as_json": as_json}
        context.default_map = dict.fromkeys(prompts.commands, given)


@prompts.command(name="list")
@project_option
@json_option
def list_command(project: Path, *, as_json: bool) -> None:
    """List the versions of the prompt set."""
    from overproof.cli.prompts_shown import as_json_shown, listed
    from overproof.pipeline.prompt_sets import versions

    found = versions(project)
    click.echo(as_json_shown(found) if as_json else listed(found))


@prompts.command()
@click.argument("before", required=False)
@click.argument("after", required=False)
@project_option
@json_option
def diff(before: str | None, after: str | None, project: Path, *, as_json: bool) -> None:
    """Say what traffic changed from one prompt set to another.

    BEFORE and AFTER are numbers, keys or another project's folder: all requests of the one beside those that are new in
    the other. The newest two when left out.
    """
    from overproof.cli.prompts_shown import as_json_shown, changes
    from overproof.pipeline.prompt_sets import diff as compare

    found = compare(project, before, after)
    for warning in found.warnings:
        _say(f"Careful: {warning}.")
    click.echo(as_json_shown(found) if as_json else changes(found))


@prompts.command()
@click.option("-n", "n", type=click.IntRange(min=1), default=10, show_default=True, help="How many.")
@slice_option
@click.option("--label", "labels", multiple=True, help="Only prompts with this answer; repeatable.")
@split_option
@click.option(
    "--uniform",
    type=click.Choice(["slice", "label", "language"]),
    help="Draw from each of these in turn, however rare; as often as traffic asks when left out.",
)
@click.option("--seed", default="overproof", show_default=True, help="Another seed draws others.")
@set_option
@project_option
@json_option
def sample(
    *,
    n: int,
    slices: tuple[str, ...],
    labels: tuple[str, ...],
    splits: tuple[str, ...],
    uniform: Any,  # noqa: ANN401 - click has checked that it is one of three
    seed: str,
    which: str | None,
    project: Path,
    as_json: bool,
) -> None:
    """Draw prompts to look at: the same ones for the same seed."""
    from overproof.cli.prompts_shown import as_json_shown, drawn
    from overproof.pipeline.looking import LEARNING
    from overproof.pipeline.prompt_sets import sample as draw

    found = draw(
        project,
        n,
        splits=splits or LEARNING,
        slices=slices,
        labels=labels,
        uniform=uniform,
        seed=seed,
        which=which,
    )
    _mind(found.splits)
    click.echo(as_json_shown(found) if as_json else drawn(found))


@prompts.command()
@click.argument("prompt", metavar="ID")
@set_option
@project_option
@json_option
def show(prompt: str, which: str | None, project: Path, *, as_json: bool) -> None:
    """Show one prompt whole.

    ID is its id or the beginning of it, as `sample` prints it.
    """
    from overproof.cli.prompts_shown import as_json_shown, whole
    from overproof.pipeline.prompt_sets import show as look

    found = look(project, prompt, which=which)
    _mind([each.split for each in found.requests])
    click.echo(as_json_shown(found) if as_json else whole(found))


@prompts.command()
@click.option("--to", "target", type=PATH, required=True, help="File (openai) or folder (hf) to write.")
@click.option(
    "--as",
    "form",
    type=click.Choice(["openai", "hf"]),
    required=True,
    help="openai: fine-tuning JSON Lines; hf: Parquet files with a dataset card.",
)
@split_option
@slice_option
@click.option("--force", is_flag=True, help="Write over what is there.")
@set_option
@project_option
@json_option
def export(
    *,
    target: Path,
    form: Any,  # noqa: ANN401 - click has checked that it is one of two
    splits: tuple[str, ...],
    slices: tuple[str, ...],
    which: str | None,
    project: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Write prompts with their accepted answers for other tools."""
    from overproof.cli.prompts_shown import as_json_shown, exported
    from overproof.pipeline.looking import LEARNING
    from overproof.pipeline.prompt_sets import export as write

    found = write(project, target, form, splits=splits or LEARNING, slices=slices, force=force, which=which)
    _mind(found.examples)
    click.echo(as_json_shown(found) if as_json else exported(found))


def _mind(splits: Any) -> None:  # noqa: ANN401 - any collection of names of splits, None among them
    """Say what looking costs, where students are judged by what is looked at."""
    from overproof.pipeline.looking import LOOKED_AT

    if {"calibrate", "test"} & set(splits):
        _say(f"{LOOKED_AT[0].upper()}{LOOKED_AT[1:]}.")


def _say(text: str) -> None:
    from overproof.cli.prompts_shown import visible

    click.echo(visible(text), err=True)
