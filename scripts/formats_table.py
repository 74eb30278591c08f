"""Write the table of log formats into docs/logs.md from what each reader says of itself.

python scripts/formats_table.py           write it
python scripts/formats_table.py --check   exit with 1 when the page is not as this would write it
"""

from __future__ import annotations

import sys
from pathlib import Path

from overproof.logs.detect import readers

PAGE = Path(__file__).parent.parent / "docs" / "logs.md"
BEGIN, END = "<!-- formats: written by scripts/formats_table.py -->", "<!-- formats: end -->"
ORDER = (
    *("openai", "chat", "pairs", "openai_batch", "litellm", "langfuse", "otel", "openai_stored", "openinference"),
    *("bedrock", "tensorzero", "flywheel"),
)
"""As most teams meet them; a reader not named here comes last."""


def table() -> str:
    """Return the table, one row for each reader that the package brings."""
    known = {name: reader for name, reader in readers().items() if type(reader).__module__.startswith("overproof.")}
    names = sorted(known, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
    rows = [f"| `{name}` | {_fields(known[name])} | {_traps(known[name])} |" for name in names]
    return "\n".join(["| format | fields used | traps |", "| --- | --- | --- |", *rows])


def written(page: str) -> str:
    """Return the page with the table as it should be."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def _fields(reader: object) -> str:
    return str(getattr(reader, "fields", "")).replace("|", "\\|")


def _traps(reader: object) -> str:
    return str(getattr(reader, "traps", "")).replace("|", "\\|")


def main() -> int:
    """Write the page, or say whether it is as it should be."""
    page = PAGE.read_text("utf-8")
    new = written(page)
    if "--check" in sys.argv:
        return int(page != new)
    PAGE.write_text(new, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
