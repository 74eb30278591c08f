"""`overproof forget`: a person, out of everything but the logs themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from overproof.cli.options import json_option, project_option

if TYPE_CHECKING:
    from overproof.pipeline.forget import Forgotten


@click.command()
@click.option("--user", required=True, metavar="ID", help="The person, by the id that the logs give them.")
@project_option
@json_option
def forget(user: str, project: Path, *, as_json: bool) -> None:
    """Remove a person from records, caches and reports.

    Later runs leave their calls unread. The log files themselves are yours to clear.
    """
    from overproof.cli.show import as_json_text
    from overproof.pipeline.forget import forget as remove

    gone = remove(project, user)
    click.echo(as_json_text(gone) if as_json else _told(gone))


def _told(gone: Forgotten) -> str:
    """Return what was removed, and what is left to do."""
    found = f"{gone.calls} calls, {gone.prompts} prompts that nobody else had sent, {gone.answers} bought answers"
    lines = [
        f"Forgotten: {found}, {gone.shown} examples in reports.",
        *(f"  {name}: {count} rows" for name, count in gone.rows.items() if count),
    ]
    if not (gone.calls or any(gone.rows.values())):
        lines = ["Nothing of this user is in the records; should the logs hold them, later runs leave them unread."]
    if gone.students:
        lines.append(
            f"Removed with them: {len(gone.students)} fitted students that had learned from them; "
            "`overproof run --again students` fits them anew."
        )
    if gone.releases:
        lines.append(f"These releases learned from them, and stay as they were proven: {', '.join(gone.releases)}.")
    if gone.unsure_releases:
        lines.append(f"Of these nobody can tell any more: {', '.join(gone.unsure_releases)}.")
    if gone.unknown_answers:
        lines.append(
            f"{gone.unknown_answers} bought answers were kept by an earlier version, without saying for whom: they "
            "stay. Delete .overproof/answers to be sure; they would be bought again."
        )
    lines.append("Your log files are not touched: clear them too.")
    return "\n".join(lines)
