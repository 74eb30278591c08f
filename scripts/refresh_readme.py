"""Run the demo and put what it prints, and a picture of its report, into the README.

python scripts/refresh_readme.py        # needs a Chromium at /usr/bin/chromium for the picture
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from overproof.pipeline.demo import demo

ROOT = Path(__file__).parent.parent
WIDTH, HEIGHT = 1120, 1320


def main() -> None:
    """Refresh both."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "overproof-demo"
        outcome = demo(folder)
        picture(folder / outcome.report, ROOT / "docs" / "report.png")
    readme = ROOT / "README.md"
    printed = outcome.summary.rstrip("\n") + "\nreport     overproof-demo/report.html\n"
    block = f"<!-- demo output -->\n```\n{printed}```"
    readme.write_text(
        re.sub(r"<!-- demo output -->\n```\n.*?```", lambda _: block, readme.read_text("utf-8"), flags=re.DOTALL),
        "utf-8",
    )


def picture(page: Path, to: Path) -> None:
    """Take a picture of the top of the page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        tab.goto(page.as_uri())
        tab.screenshot(path=str(to))
        browser.close()


if __name__ == "__main__":
    main()
