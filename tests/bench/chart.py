"""Charts as SVG, by hand: bars side by side with their spread, and costs as things grow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from reporting import Spread

_WIDTH = 860
_LABEL = 170
_ROW = 22
_TITLE = 34
_FONT = "font-family='system-ui, sans-serif'"
_OURS, _OTHERS, _INK, _SOFT = "#0b6e4f", "#9aa5b1", "#1f2933", "#cbd2d9"
_PLOT_HEIGHT = 150


@dataclass(frozen=True, slots=True)
class Bars:
    """One figure of several systems.

    Attributes:
        title: with the unit, and which way is better.
        rows: (name, figure).
    """

    title: str
    rows: Sequence[tuple[str, Spread]]


@dataclass(frozen=True, slots=True)
class Curve:
    """A cost as a number grows.

    Attributes:
        title: with the unit.
        points: (how many, cost); how many is drawn as its logarithm.
    """

    title: str
    points: Sequence[tuple[float, float]]


def draw(bars: Sequence[Bars], curves: Sequence[Curve], note: str) -> str:
    """One picture of it all."""
    parts: list[str] = []
    top = 16
    for each in bars:
        parts += _draw_bars(each, top)
        top += _TITLE + _ROW * len(each.rows) + 12
    for index, curve in enumerate(curves):
        left = (index % 2) * _WIDTH // 2
        parts += _draw_curve(curve, left, top)
        if index % 2 or index == len(curves) - 1:
            top += _TITLE + _PLOT_HEIGHT + 40
    parts.append(_text(10, top + 6, note, size=11))
    height = top + 24
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {height}'"
        f" width='{_WIDTH}' height='{height}' {_FONT}>\n"
        f"<rect width='{_WIDTH}' height='{height}' fill='white'/>\n"
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _draw_bars(bars: Bars, top: int) -> list[str]:
    parts = [_text(10, top + 14, bars.title, size=14, weight=600)]
    if not bars.rows:
        return parts
    room = _WIDTH - _LABEL - 150
    # One rival a hundred times slower must not press all others flat.
    largest = max(spread.median for _, spread in bars.rows)
    middle = sorted(spread.median for _, spread in bars.rows)[len(bars.rows) // 2]
    scale = room / max(min(largest, middle * 6), 1e-9)
    for index, (name, spread) in enumerate(bars.rows):
        y = top + _TITLE - 8 + index * _ROW
        length = min(max(spread.median, 0) * scale, room)
        cut = " ≫" if spread.median * scale > room else ""
        colour = _OURS if name.startswith("wiretape") else _OTHERS
        parts.append(_text(_LABEL - 8, y + 13, name, size=12, anchor="end"))
        parts.append(
            f"<rect x='{_LABEL}' y='{y + 2}' width='{length:.1f}' height='{_ROW - 7}'"
            f" fill='{colour}'/>"
        )
        if spread.count > 1 and not cut:
            least, most = (
                _LABEL + min(max(v, 0) * scale, room) for v in (spread.least, spread.most)
            )
            middle_y = y + 2 + (_ROW - 7) / 2
            parts.append(_line(least, middle_y, most, middle_y, _INK))
        x = _LABEL + (length if cut else max(length, min(spread.most * scale, room))) + 6
        digits = 1 if spread.median < 100 else 0
        parts.append(_text(x, y + 13, f"{spread.median:,.{digits}f}{cut}", size=12))
    return parts


def _draw_curve(curve: Curve, left: int, top: int) -> list[str]:
    parts = [_text(left + 10, top + 14, curve.title, size=13, weight=600)]
    x0, y0 = left + 48, top + _TITLE + _PLOT_HEIGHT
    width = _WIDTH // 2 - 80
    if not curve.points:
        return parts
    logs = [math.log10(max(count, 1)) for count, _ in curve.points]
    first, last = min(logs), max(*logs, min(logs) + 1e-9)
    most = max(cost for _, cost in curve.points) * 1.25 or 1.0
    places = [
        (
            x0 + width * (log - first) / (last - first),
            y0 - _PLOT_HEIGHT * max(cost, 0) / most,
        )
        for log, (_, cost) in zip(logs, curve.points, strict=True)
    ]
    parts += [
        _line(x0, y0, x0 + width, y0, _SOFT),
        _line(x0, y0, x0, y0 - _PLOT_HEIGHT, _SOFT),
        _text(x0 - 6, y0, "0", size=10, anchor="end"),
        _text(x0 - 6, y0 - _PLOT_HEIGHT + 8, f"{most:,.3g}", size=10, anchor="end"),
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts.append(f"<polyline points='{path}' fill='none' stroke='{_OURS}' stroke-width='2'/>")
    for power in range(math.ceil(first), math.floor(last) + 1):
        x = x0 + width * (power - first) / (last - first)
        parts.append(_text(x, y0 + 14, f"{10**power:,}", size=10, anchor="middle"))
    parts += [f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3' fill='{_OURS}'/>" for x, y in places]
    return parts


def _text(
    x: float, y: float, text: str, *, size: int, weight: int = 400, anchor: str = "start"
) -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' font-weight='{weight}'"
        f" text-anchor='{anchor}' fill='{_INK}'>{escape(text)}</text>"
    )


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return (
        f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{colour}'"
        " stroke-width='1.5'/>"
    )
