"""Options that commands share."""

from __future__ import annotations

from pathlib import Path

import click

PATH = click.Path(path_type=Path)
project_option = click.option(
    "--project", "-p", type=PATH, default=Path(), help="Folder that holds overproof.toml; this one when left out."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on standard output.")
