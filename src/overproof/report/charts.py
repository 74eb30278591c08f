"""The pictures on the page, each from the records it shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup

from overproof.core.types import (
    Calibration,
    CurvePoint,
    Economics,
    Estimate,
    Funnel,
    Match,
    MatchRow,
    ReliabilityBin,
    Sampling,
)
from overproof.report import svg
from overproof.report.likeness import Value
from overproof.report.svg import Scale, at
from overproof.report.words import clean, count, dollars, exactly, interval, percent

# --- intervals against bars -------------------------------------------------------------------------------------------

FAR = 0.1
"""What lies further than this below the lowest bar is drawn as an arrow at the edge; its figures stand beside it."""

FAR_ALONE = 0.35
"""The same for a student alone: where it is bad is what the picture is for."""

_SYSTEM, _ALONE = -7, 8
"""Lanes of a track: pixels from its middle."""


def span(estimates: Iterable[Estimate | None], bars: Iterable[float], alone: Iterable[Estimate | None] = ()) -> Scale:
    """Return the scale all tracks of a figure share, up to one. What lies far below every bar does not stretch it."""
    promised = list(bars)
    lowest_bar = min(promised, default=0.0)
    floor = lowest_bar - FAR
    near = [each.lower for each in estimates if each is not None and each.value >= floor and math.isfinite(each.lower)]
    marks = [each.value for each in alone if each is not None and each.value >= lowest_bar - FAR_ALONE]
    lowest = min([max(min([*near, *promised], default=0.5), floor), *marks])
    return Scale(low=max(0.0, math.floor((lowest - 0.01) * 20) / 20), high=1.0)


def axis(scale: Scale) -> Markup:
    """Return the axis above the tracks."""
    places = svg.ticks(scale.low, scale.high)
    anchors = {0.0: "start", 100.0: "end"}
    body = svg.join(
        svg.label(at(scale(each)), 12, f"{100 * each:.4g}", anchor=anchors.get(scale(each), "middle"))
        for each in places
    )
    return svg.strip(f"scale from {percent(scale.low)} to {percent(scale.high)}", body, height=16, css="track axis")


def track(
    scale: Scale,
    estimate: Estimate | None,
    *,
    bar: float | None,
    state: str,
    teacher: Estimate | None = None,
    alone: Estimate | None = None,
    name: str = "",
    note: str = "",
) -> Markup:
    """Return one row of the interval plot, as high as its place: the system above, the candidate alone below."""
    parts = [_upright(scale, each, "grid") for each in svg.ticks(scale.low, scale.high)]
    told = [name]
    if bar is not None:
        parts.append(_upright(scale, bar, "bar"))
        told.append(f"bar {exactly(bar)}")
    if teacher is not None:
        if teacher.value >= scale.low:  # else it would seem to stand at the edge
            parts.append(_upright(scale, teacher.value, "teacher"))
        told.append(f"teacher {percent(teacher.value)}")
    if alone is not None:
        parts.append(svg.centred(_whisker(scale, alone, "alone", _ALONE)))
        told.append(f"alone {interval(alone)}")
    if estimate is not None:
        parts.append(svg.centred(_whisker(scale, estimate, state, _SYSTEM)))
        told.append(f"system {interval(estimate)}, {state}")
    told += [note] if note else []
    return svg.strip(clean("; ".join(told)), svg.join(parts), height="100%")


def _upright(scale: Scale, value: float, css: str) -> Markup:
    return svg.line(at(scale(value)), 0, at(scale(value)), "100%", css)


def _whisker(scale: Scale, estimate: Estimate, state: str, y: int) -> Markup:
    """Return an interval with its mark; an arrow to the left where the value is off the scale."""
    if estimate.value < scale.low:
        return svg.mark("0%", y, "off", state)
    low, high = scale(estimate.lower), scale(estimate.upper)
    parts = [svg.line(at(low), y, at(high), y, f"whisker {state}")]
    ends = [scale(end) for end in (estimate.lower, estimate.upper) if end >= scale.low]
    parts += [svg.line(at(end), y - 3.5, at(end), y + 3.5, f"whisker {state}") for end in ends]
    return svg.join([*parts, svg.mark(at(scale(estimate.value)), y, state)])


# --- calibration ------------------------------------------------------------------------------------------------------

_WIDE, _LEFT, _RIGHT = 360, 46, 340


def reliability(bins: Sequence[ReliabilityBin]) -> Markup:
    """Return the reliability diagram: how often predictions of each confidence were right; discs grow with n."""
    x, y = Scale(low=0, high=1, start=_LEFT, end=_RIGHT), Scale(low=0, high=1, start=240, end=12)
    most = max((each.n for each in bins), default=1)
    parts = [_grid_x(x, 12, 240), _grid_y(y), svg.polyline([(x(0), y(0)), (x(1), y(1))], "ideal")]
    filled = [each for each in bins if each.n]
    parts.append(svg.polyline([(x(each.confidence), y(each.accuracy)) for each in filled], "curve"))
    parts.extend(
        Markup('<circle class="dot" cx="{}" cy="{}" r="{:.1f}"><title>{}</title></circle>').format(
            x(each.confidence),
            y(each.accuracy),
            2 + 4 * math.sqrt(each.n / most),
            f"confidence {percent(each.confidence)}: {percent(each.accuracy)} right, n = {count(each.n)}",
        )
        for each in filled
    )
    parts.append(svg.label(x(1), 276, "confidence", anchor="end", css="axis-name"))
    parts.append(svg.label(_LEFT + 6, 22, "right", css="axis-name"))
    return svg.picture("Reliability diagram: share right by confidence", svg.join(parts), width=_WIDE, height=284)


def curve_rows(points: Iterable[CurvePoint]) -> list[tuple[str, CurvePoint]]:
    """Return the points with their thresholds, each in as many digits as tell it from the others; none twice."""
    distinct = list(dict.fromkeys(points))
    thresholds = {each.threshold for each in distinct}
    shown = next(
        (
            found
            for n in range(3, 17)
            if len(set((found := {t: f"{t:.{n}g}" for t in thresholds}).values())) == len(found)
        ),
        {t: repr(t) for t in thresholds},
    )
    return [(shown[each.threshold], each) for each in distinct]


def curve(calibration: Calibration) -> Markup:
    """Return risk above and cost below along the coverage, with the chosen threshold marked through both."""
    points = sorted(calibration.curve, key=lambda each: each.coverage)
    x = Scale(low=0, high=1, start=_LEFT, end=_RIGHT)
    parts = [_risks(points, calibration.alpha, x), _costs(points, x)]
    if calibration.threshold is not None:
        place = x(calibration.coverage)
        end = place > (_LEFT + _RIGHT) / 2
        text = f"threshold {calibration.threshold:.3g}"
        parts.append(svg.line(place, 12, place, 240, "chosen"))
        parts.append(
            svg.label(place + (-5 if end else 5), 22, text, anchor="end" if end else "start", css="chosen-name")
        )
    parts.append(svg.label(x(1), 276, "coverage", anchor="end", css="axis-name"))
    title = "Risk and cost by coverage" + (
        "" if calibration.threshold is None else f", threshold {calibration.threshold:.3g} marked"
    )
    return svg.picture(title, svg.join(parts), width=_WIDE, height=284)


def _risks(points: Sequence[CurvePoint], alpha: float, x: Scale) -> Markup:
    top = max(
        [2 * alpha, *(each.risk for each in points), min(4 * alpha, max((p.risk_upper for p in points), default=0))]
    )
    y = Scale(low=0, high=min(1.0, top * 1.1), start=140, end=12)
    parts = [
        _grid_x(x, 12, 240),
        _grid_y(y, about=3),
        svg.line(_LEFT, y(alpha), _RIGHT, y(alpha), "bar"),
        svg.label(_RIGHT, y(alpha) - 4, f"\N{GREEK SMALL LETTER ALPHA} {exactly(alpha)}", anchor="end", css="bar-name"),
        svg.polyline([(x(each.coverage), y(each.risk_upper)) for each in points], "curve upper"),
        svg.polyline([(x(each.coverage), y(each.risk)) for each in points], "curve"),
        svg.label(_LEFT + 6, 136, "risk", css="axis-name"),
    ]
    return svg.join(parts)


def _costs(points: Sequence[CurvePoint], x: Scale) -> Markup:
    most = max((each.cost_per_1k for each in points), default=0.0) or 1.0
    y = Scale(low=0, high=most * 1.1, start=240, end=164)
    parts = [
        svg.join(_y_tick(y, each, dollars(each)) for each in svg.ticks(0, most, 2)),
        svg.polyline([(x(each.coverage), y(each.cost_per_1k)) for each in points], "curve cost"),
        svg.label(_LEFT + 6, 236, "cost per 1,000", css="axis-name"),
    ]
    return svg.join(parts)


def _grid_x(x: Scale, top: float, bottom: float) -> Markup:
    return svg.join(
        svg.line(x(each), top, x(each), bottom, "grid")
        + svg.label(
            x(each), bottom + 16, f"{100 * each:.0f}%" if each in (0, 1) else f"{100 * each:.0f}", anchor="middle"
        )
        for each in (0, 0.25, 0.5, 0.75, 1)
    )


def _grid_y(y: Scale, about: int = 4) -> Markup:
    return svg.join(_y_tick(y, each, f"{100 * each:.4g}%") for each in svg.ticks(y.low, y.high, about))


def _y_tick(y: Scale, value: float, text: str) -> Markup:
    return svg.line(_LEFT, y(value), _RIGHT, y(value), "grid") + svg.label(_LEFT - 6, y(value) + 4, text, anchor="end")


# --- shares, rows that get fewer, costs -------------------------------------------------------------------------------


def distance(row: MatchRow, widest: float) -> Markup:
    """Return how far apart the two are along one dimension, against what chance explains."""
    x = Scale(low=0, high=widest or 1.0)
    body = svg.join(
        (
            svg.box(0, 6, at(x(row.total_variation)), 10, "fill flagged" if row.flagged else "fill"),
            svg.line(at(x(row.expected)), 1, at(x(row.expected)), 21, "bar"),
        )
    )
    told = f"{row.dimension}: total variation {percent(row.total_variation)}, chance explains {percent(row.expected)}"
    return svg.strip(clean(told), body, height=22)


def pair(value: Value, widest: float) -> Markup:
    """Return one value's share in the prompt set (diamond) and in live traffic (ring), joined, over what chance may do.

    The band about the live share is how far the other may lie from it by chance. Shares stand at their square roots:
    there rare values can be seen, and chance is about as wide everywhere.
    """
    told = f"{value.name}: prompt set {percent(value.ours)}, live {percent(value.live)}"
    x = Scale(low=0, high=math.sqrt(widest) or 1.0)
    ours, live = x(math.sqrt(value.ours)), x(math.sqrt(value.live))
    parts = [svg.line("0%", 11, "100%", 11, "grid")]
    if value.chance is not None:
        low, high = x(math.sqrt(max(value.live - value.chance, 0.0))), x(math.sqrt(value.live + value.chance))
        parts.append(svg.box(at(low), 5, at(round(high - low, 2)), 12, "chance"))
        told += f", by chance up to {percent(value.chance)} apart"
    css = "moved" if value.moved else ""
    parts.append(svg.line(at(min(ours, live)), 11, at(max(ours, live)), 11, f"link {css}".strip()))
    parts += [svg.mark(at(live), 11, "live"), svg.mark(at(ours), 11, "ours", css)]
    return svg.strip(clean(told + (": beyond chance" if value.moved else "")), svg.join(parts), height=22)


def told_apart(match: Match) -> Markup:
    """Return the AUC with its interval, from guessing to telling every request apart."""
    x = Scale(low=min(0.4, match.auc_lower), high=1.0)
    parts = [_upright(x, each, "grid") for each in svg.ticks(x.low, x.high)]
    parts.append(_upright(x, 0.5, "bar"))
    low, high, value = (at(x(each)) for each in (match.auc_lower, match.auc_upper, match.auc))
    parts += [svg.line(low, 11, high, 11, "whisker plain")]
    parts += [svg.line(end, 7.5, end, 14.5, "whisker plain") for end in (low, high)]
    told = f"AUC {match.auc:.2f}, interval {match.auc_lower:.2f} to {match.auc_upper:.2f}; 0.50 is guessing"
    return svg.strip(told, svg.join([*parts, svg.mark(value, 11, "plain")]), height=22)


def amount(value: float, most: float, name: str, css: str = "fill") -> Markup:
    """Return a plain bar."""
    x = Scale(low=0, high=most or 1.0)
    return svg.strip(clean(name), svg.box(0, 4, at(x(max(value, 0.0))), 12, css), height=20)


def funnel_rows(funnel: Funnel) -> list[tuple[str, int, str]]:
    """Return the funnel's steps: what, how many, and the class of its bar."""
    return [
        ("prompts asked", funnel.prompts, "fill quiet"),
        ("answers", funnel.completions, "fill quiet"),
        ("answers rejected by a rule", funnel.rejected, "fill lost"),
        ("prompts without a majority", funnel.disagreed, "fill lost"),
        ("prompts without any accepted answer", funnel.prompts - funnel.examples - funnel.disagreed, "fill lost"),
        ("examples to learn from", funnel.examples, "fill"),
    ]


def reason_rows(sampling: Sampling) -> list[tuple[str, float, str]]:
    """Return how many first answers were doubted, by the reason that weighed most, most frequent first."""
    return [(why, n, "fill lost") for why, n in sorted(sampling.reasons.items(), key=lambda each: (-each[1], each[0]))]


def labels_track(scale: Scale, kept: Estimate | None, before: float | None, name: str) -> Markup:
    """Return how many kept labels are right, and before it was asked again, as one row of a figure."""
    parts = [_upright(scale, each, "grid") for each in svg.ticks(scale.low, scale.high)]
    told = [name]
    if before is not None:
        if before >= scale.low:
            parts.append(_upright(scale, before, "teacher"))
        told.append(f"first answers {percent(before)}")
    if kept is not None:
        parts.append(svg.centred(_whisker(scale, kept, "plain", 0)))
        told.append(f"kept {interval(kept)}")
    return svg.strip(clean("; ".join(told)), svg.join(parts), height="100%")


def cost_rows(money: Economics) -> list[tuple[str, float, str]]:
    """Return what a thousand requests cost, three ways."""
    return [
        ("teacher alone", money.teacher_per_1k, "fill quiet"),
        ("candidate alone", money.student_per_1k, "fill"),
        ("both, as calibrated", money.blended_per_1k, "fill"),
    ]
