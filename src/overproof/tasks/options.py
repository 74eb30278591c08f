"""What the task is."""

from __future__ import annotations

from overproof.core.types import Record


class TaskOptions(Record):
    """The `[task]` table."""

    name: str
    """Names the task, and folders: letters, digits, spaces and `_ . -`."""
    kind: str = "classify"
    """`classify`, or a plug-in's name. (`extract` and `generate` are not here yet.)"""
    input: str = "last_user"
    """The part of a request that varies, which is what the student sees: `last_user`, `all`, or a JSONPath into the
    request such as `$.messages[1].content`."""
    labels: tuple[str, ...] = ()
    """The answers there are; when left out, `overproof init` writes those it finds."""
    where: str | None = None
    """SQL expression over metadata that tells this task's requests from others in the same logs."""
