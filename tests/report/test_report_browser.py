"""What a browser makes of the page: it fits, it loads nothing, it can be read in the dark and on paper."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import pytest
from story_factory import HOSTILE, OUTCOMES, Outcome, story

from overproof.report.page import render
from overproof.report.sentences import headline

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

CHROMIUM = Path(os.environ.get("OVERPROOF_CHROMIUM", "/usr/bin/chromium"))
Scheme = Literal["light", "dark"]

STORIES = {outcome: story(outcome) for outcome in OUTCOMES}
HOSTILE_STORIES = {f"hostile {i}": story(hostile=text) for i, text in enumerate(HOSTILE)}

_CONTRAST = """() => {
  const numbers = text => text.match(/[\\d.]+/g).map(Number);
  const light = rgb => {
    const part = rgb.slice(0, 3).map(c => (c /= 255) <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
    return .2126 * part[0] + .7152 * part[1] + .0722 * part[2];
  };
  const behind = element => {
    for (let each = element; each; each = each.parentElement) {
      const color = numbers(getComputedStyle(each).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const element of document.querySelectorAll("main *, footer *")) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (!own || !element.getClientRects().length || element.closest("title")) continue;
    const style = getComputedStyle(element);
    const color = numbers(element.closest("svg") ? style.fill : style.color);
    const [a, b] = [light(color), light(behind(element))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) faint.push(`${element.tagName}.${element.getAttribute("class")} ${ratio.toFixed(2)}`);
  }
  return [...new Set(faint)];
}"""

_WIDER_THAN_ITS_PLACE = """() => [...document.querySelectorAll("table")]
  .filter(each => each.scrollWidth > each.parentElement.clientWidth + 1)
  .map(each => each.caption?.innerText)"""


def missing() -> str | None:
    if not CHROMIUM.exists():
        return f"there is no browser at {CHROMIUM}"
    try:
        import playwright.sync_api  # noqa: F401 - only whether it is there
    except ImportError:
        return "playwright is not installed"
    return None


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    why = missing()
    if why is not None:
        if os.environ.get("OVERPROOF_REQUIRE_BROWSER") == "1":
            pytest.fail(why)
        pytest.skip(why)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield chromium
        chromium.close()


class Visit:
    """The page, open in a window, and everything it asked for."""

    def __init__(self, browser: Browser, html: str, folder: Path, *, width: int, scheme: Scheme) -> None:
        self.file = folder / "report.html"
        self.file.write_text(html, "utf-8")
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page: Page = self.context.new_page()
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(self.file.as_uri())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def open_everything(self) -> None:
        self.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")

    @property
    def too_wide(self) -> bool:
        return bool(self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_it_fits_and_loads_nothing(
    browser: Browser, tmp_path: Path, outcome: Outcome, width: int, scheme: Scheme
) -> None:
    with Visit(browser, render(STORIES[outcome]), tmp_path, width=width, scheme=scheme) as visit:
        first = visit.page.locator("h1")

        assert first.inner_text().replace("\n", " ") == headline(STORIES[outcome])
        assert first.is_visible()
        assert visit.page.locator("header .badge").bounding_box() is not None
        assert not visit.too_wide

        visit.open_everything()

        assert not visit.too_wide
        assert visit.asked == [visit.file.as_uri()]
        assert visit.complaints == []


@pytest.mark.parametrize("width", [375, 500])
def test_on_a_phone_no_table_is_wider_than_its_place(browser: Browser, tmp_path: Path, width: int) -> None:
    with Visit(browser, render(STORIES["released"]), tmp_path, width=width, scheme="light") as visit:
        visit.open_everything()

        assert visit.page.evaluate(_WIDER_THAN_ITS_PLACE) == []
        assert visit.page.locator(".stack td:not([data-head]), .labels td.num:not([data-head])").count() == 0


@pytest.mark.parametrize("name", sorted(HOSTILE_STORIES))
def test_hostile_text_runs_nothing_and_widens_nothing(browser: Browser, tmp_path: Path, name: str) -> None:
    with Visit(browser, render(HOSTILE_STORIES[name]), tmp_path, width=375, scheme="light") as visit:
        visit.open_everything()

        assert not visit.too_wide
        assert visit.asked == [visit.file.as_uri()]
        assert visit.complaints == []
        assert visit.page.locator("script, main img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(browser: Browser, tmp_path: Path, scheme: Scheme) -> None:
    """WCAG AA: 4.5 to 1 for all text, charts included."""
    with Visit(browser, render(STORIES["released"]), tmp_path, width=1280, scheme=scheme) as visit:
        visit.open_everything()

        assert visit.page.evaluate(_CONTRAST) == []


def test_dark_and_light_differ(browser: Browser, tmp_path: Path) -> None:
    grounds = set()
    for scheme in ("light", "dark"):
        with Visit(browser, render(STORIES["released"]), tmp_path, width=1280, scheme=scheme) as visit:
            grounds.add(visit.page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))

    assert len(grounds) == 2


def test_paper_shows_what_is_folded_on_the_screen(browser: Browser, tmp_path: Path) -> None:
    with Visit(browser, render(STORIES["released"]), tmp_path, width=1280, scheme="dark") as visit:
        folded = visit.page.locator("#words dl")
        on_screen = folded.evaluate("element => element.checkVisibility()")  # a box may be laid out and not shown
        visit.page.emulate_media(media="print")
        on_paper = folded.bounding_box()
        pdf = visit.page.pdf(format="A4", print_background=True)

    assert not on_screen
    assert on_paper is not None
    assert on_paper["height"] > 200
    assert pdf.startswith(b"%PDF-")
    assert pdf.count(b"/Type /Page\n") >= 5
