"""Text that is not to be trusted, set apart inside a message so that it cannot pretend to be anything else.

A block's marks carry a tag, a digest of all that is quoted: to close its block, a text would have to hold its own
digest. The message ends with a block, so its last line tells the tag, and marks with any other tag are only text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from overproof.core.chance import digest

_LAST: Final = re.compile(r"--- end of [^\n]+ ([0-9a-f]{16}) ---\Z")


def quoted(texts: Mapping[str, str]) -> str:
    """Return `texts` as named blocks, one after the other, under one tag."""
    tag = digest(*texts, *texts.values(), size=8)
    return "\n\n".join(f"{_opening(name, tag)}{text}{_closing(name, tag)}" for name, text in texts.items())


def unquoted(name: str, message: str) -> str | None:
    """Return the text of the block called `name` in what `quoted` made; None when there is none."""
    last = _LAST.search(message)
    if last is None:
        return None
    _, opened, rest = message.partition(_opening(name, last[1]))
    text, closed, _ = rest.partition(_closing(name, last[1]))
    return text if opened and closed else None


def _opening(name: str, tag: str) -> str:
    return f"--- {name} {tag} ---\n"


def _closing(name: str, tag: str) -> str:
    return f"\n--- end of {name} {tag} ---"
