"""Text that is not to be trusted, set apart inside a message so that it cannot pretend to be anything else.

A block's marks carry a tag, a digest of what is quoted: a text would have to hold its own digest to close its block.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from overproof.core.chance import digest


def quoted(texts: Mapping[str, str]) -> str:
    """Return `texts` as named blocks, one after the other, under one tag."""
    tag = digest(*texts, *texts.values(), size=8)
    return "\n\n".join(f"--- {name} {tag} ---\n{text}\n--- end of {name} {tag} ---" for name, text in texts.items())


def unquoted(name: str, message: str) -> str | None:
    """Return the text of the last block called `name` in `message`; None when there is none."""
    mark = re.escape(name)
    pattern = rf"^--- {mark} ([0-9a-f]{{16}}) ---\n(.*?)\n--- end of {mark} \1 ---$"
    found = re.findall(pattern, message, re.DOTALL | re.MULTILINE)
    return found[-1][1] if found else None
