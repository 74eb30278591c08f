"""What the task is."""

from __future__ import annotations

from typing import Any

from overproof.core.types import Record


class TaskOptions(Record):
    """The `[task]` table."""

    name: str
    """Names the task, and folders: letters, digits, spaces and `_ . -`."""
    kind: str = "classify"
    """`classify`, `extract`, `generate`, or a plug-in's name. (The two in the middle cannot be run yet.)"""
    input: str = "last_user"
    """The part of a request that varies, which is what the student sees: `last_user`, `all`, a JSONPath into the
    request such as `$.messages[1].content`, or the user's last turn with its constant text around `{input}`:
    `template: Classify this message: {input}`. A request without such an input is of another task."""
    labels: tuple[str, ...] = ()
    """The answers there are; when left out, `overproof init` writes those it finds."""
    where: str | None = None
    """SQL expression over metadata that tells this task's requests from others in the same logs."""
    system: tuple[str, ...] = ()
    """Instructions (system prompt) that this task's requests have: one of these, in which `{name}` stands for whatever
    varies and a brace that is text is written twice. Empty: any."""
    schema: dict[str, Any] | None = None
    """JSON Schema of the answers of `extract`."""
    rubric: str = ""
    """What makes an answer of `generate` good, in words a judge can go by."""
