"""How requests were dealt to splits, fixed from the first decision on: what was judged upon is never learned from.

Light on purpose, for every run asks whether the prompt set that is there still agrees with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from overproof.core.errors import UserError
from overproof.core.store import MANIFEST, file_digest, write_json
from overproof.core.types import Manifest, Record
from overproof.pipeline import topics
from overproof.pipeline.project import Project

if TYPE_CHECKING:
    import polars as pl


class Memory(Record):
    """What is known of the table of assignments."""

    assignments: str
    """Digest of the table."""
    dealt_by: tuple[str, ...]
    """Keys of the prompt sets that are all in it."""


def agrees(project: Project) -> bool:
    """Return whether the prompt set that is there agrees with what decisions have fixed since it was dealt."""
    memory = _memory(project)
    manifest = project.store.manifest("prompts", project.keys["prompts"])
    meant = manifest.summary.get("topics") if manifest else None
    if meant and topics.fixed_id(project) not in ("", meant):
        return False
    if memory is None:
        return not project.assignments.exists()
    dealt_with = manifest.summary.get("memory") if manifest else None
    return project.keys["prompts"] in memory.dealt_by or dealt_with == memory.assignments


def digest(project: Project) -> str:
    """Return the digest of what is fixed, "" before any decision."""
    return file_digest(project.assignments) if project.assignments.exists() else ""


def assignments(project: Project) -> pl.DataFrame | None:
    """Return which request was dealt to which split, None before any decision.

    Raises:
        UserError: the table is damaged.
    """
    import polars as pl

    if not project.assignments.exists():
        return None
    try:
        return pl.read_parquet(project.assignments)
    except (pl.exceptions.PolarsError, OSError) as broken:
        raise UserError(f"{project.assignments} cannot be read ({broken}): restore the file") from broken


def fix(project: Project) -> None:
    """Add how the present prompt set was dealt, and what topics mean in it; what was fixed before wins."""
    import polars as pl

    topics.fix(project, topics.of_prompts(project))
    memory = _memory(project) or Memory(assignments="", dealt_by=())
    key = project.keys["prompts"]
    if key in memory.dealt_by:
        return
    dealt = pl.read_parquet(project.folder("prompts") / "assignments.parquet")
    before = assignments(project)
    if before is not None:
        dealt = pl.concat([before, dealt]).unique(dealt.columns[0], keep="first", maintain_order=True)
    neighbour = project.assignments.with_suffix(".new")
    dealt.write_parquet(neighbour)
    neighbour.replace(project.assignments)
    write_json(project.memory, Memory(assignments=digest(project), dealt_by=(*memory.dealt_by, key)))


def follow(project: Project) -> None:
    """Name the table of assignments as it is now, wherever it is named, after rows were taken out of it."""
    memory, now = _memory(project), digest(project)
    if memory is None or memory.assignments == now:
        return
    for path in (project.store.root / "prompts").glob(f"*/{MANIFEST}"):
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
        if manifest.summary.get("memory") == memory.assignments:
            write_json(path, msgspec.structs.replace(manifest, summary=manifest.summary | {"memory": now}))
    write_json(project.memory, msgspec.structs.replace(memory, assignments=now))


def _memory(project: Project) -> Memory | None:
    try:
        return msgspec.json.decode(project.memory.read_bytes(), type=Memory)
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return None
