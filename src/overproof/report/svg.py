"""Inline SVG, drawn by a few functions of our own: scales, ticks and marks.

Colours are CSS classes, so that charts follow the page into the dark and onto paper; text is text. Tracks are drawn in
percent of their width and so fit any column without shrinking their text; plots with two axes have a small fixed
drawing size that a phone shows whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup

from overproof.core.types import Record


class Scale(Record):
    """Maps values in [low, high] to places in [start, end]; values outside are held at the edge."""

    low: float
    high: float
    start: float = 0.0
    end: float = 100.0

    def __call__(self, value: float) -> float:
        """Return the place of `value`."""
        span = self.high - self.low
        share = (min(max(value, self.low), self.high) - self.low) / span if span > 0 else 0.5
        return round(self.start + share * (self.end - self.start), 2)


def join(parts: Iterable[Markup]) -> Markup:
    """Return pieces of markup as one."""
    return Markup("").join(parts)


def picture(title: str, body: Markup, *, width: int, height: int, css: str = "plot") -> Markup:
    """Return a drawing with axes, `width` by `height` units."""
    return Markup('<svg class="{}" viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>{}</svg>').format(
        css, width, height, title, title, body
    )


def strip(title: str, body: Markup, *, height: int | str, css: str = "track") -> Markup:
    """Return a drawing that is as wide as its place and `height` (pixels, or percent) high; x is in percent."""
    return Markup(
        '<svg class="{}" width="100%" height="{}" role="img" aria-label="{}"><title>{}</title>{}</svg>'
    ).format(css, height, title, title, body)


def line(x1: float | str, y1: float, x2: float | str, y2: float | str, css: str) -> Markup:
    """Return a straight line; ends may be percentages."""
    return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(css, x1, y1, x2, y2)


def box(x: float | str, y: float, width: float | str, height: float, css: str) -> Markup:
    """Return a filled rectangle; x and width may be percentages."""
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(css, x, y, width, height)


def centred(body: Markup) -> Markup:
    """Return a drawing whose y counts from the middle of the one it is put in."""
    return Markup('<svg y="50%" overflow="visible">{}</svg>').format(body)


def label(x: float | str, y: float, text: str, *, anchor: str = "start", css: str = "tick") -> Markup:
    """Return text at a place."""
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(css, x, y, anchor, text)


def polyline(points: Sequence[tuple[float, float]], css: str) -> Markup:
    """Return a line through points."""
    return Markup('<polyline class="{}" points="{}"/>').format(css, " ".join(f"{x},{y}" for x, y in points))


_SHAPES = {
    "proven": "M0-5A5 5 0 1 1 0 5A5 5 0 1 1 0-5Z",
    "failed": "M-4.5-4.5L4.5 4.5M4.5-4.5L-4.5 4.5",
    "unproven": "M0-4.5A4.5 4.5 0 1 1 0 4.5A4.5 4.5 0 1 1 0-4.5Z",
    "plain": "M-3.5-3.5H3.5V3.5H-3.5Z",
    "off": "M6-4.5L0 0L6 4.5M0 0H14",
    "live": "M0-4A4 4 0 1 1 0 4A4 4 0 1 1 0-4Z",
    "ours": "M0-5L5 0L0 5L-5 0Z",
    "alone": "M0-4.5L4.5 0L0 4.5L-4.5 0Z",
}


def mark(x: float | str, y: float, shape: str, css: str = "") -> Markup:
    """Return a mark whose shape tells its meaning without colour: a disc is proven, a ring unproven, a cross failed."""
    return Markup('<svg x="{}" y="{}" overflow="visible"><path class="mark {} {}" d="{}"/></svg>').format(
        x, y, shape, css, _SHAPES[shape]
    )


def key(shape: str) -> Markup:
    """Return a mark by itself, for the key under a picture."""
    wide, middle = (16, 1) if shape == "off" else (12, 6)
    return Markup('<svg class="key" width="{}" height="12" aria-hidden="true">{}</svg>').format(
        wide, mark(middle, 6, shape)
    )


def key_line(css: str) -> Markup:
    """Return a piece of an upright line, for the key under a picture."""
    return Markup('<svg class="key" width="8" height="14" aria-hidden="true">{}</svg>').format(line(4, 0, 4, 14, css))


def key_band(css: str) -> Markup:
    """Return a piece of a band, for the key under a picture."""
    return Markup('<svg class="key" width="18" height="12" aria-hidden="true">{}</svg>').format(box(0, 0, 18, 12, css))


def at(place: float) -> str:
    """Return a place in percent."""
    return f"{place:g}%"


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Return round values in [low, high], about so many."""
    span = high - low
    if not span > 0 or not math.isfinite(span):
        return [low]
    raw = span / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(each * power for each in (1, 2, 5, 10) if each * power >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]
