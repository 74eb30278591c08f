from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from overproof.logs import detect

ROOT = Path(__file__).parents[2]


def test_the_table_of_formats_is_what_the_code_says() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "formats_table.py"))
    page = (ROOT / "docs" / "logs.md").read_text("utf-8")

    assert script["written"](page) == page, "run python scripts/formats_table.py"


@pytest.mark.parametrize("name", detect.readers())
def test_every_reader_says_what_it_uses_and_where_it_may_go_wrong(name: str) -> None:
    reader = detect.readers()[name]

    assert len(getattr(reader, "fields", "")) > 40
    assert len(getattr(reader, "traps", "")) > 40
