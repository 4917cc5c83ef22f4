"""Positions as a picture: the first place is on top, and what was not measured is a
gap."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

WIDTH, HEIGHT = 320, 96
LEFT, TOP, BOTTOM = 26, 8, 18
# Below this nobody looks: the axis ends there unless a position is deeper.
SHALLOW = 10.0


class Point(NamedTuple):
    """A day; no position: `said` tells why there is none."""

    day: date
    position: float | None
    said: str = ""


class Dot(NamedTuple):
    x: float
    y: float
    title: str


def rank_chart(points: Sequence[Point], name: str) -> SafeString:
    """An SVG of the points in the order of their days. A line joins only days that were
    measured one after the other; a day without a position is a small mark below."""
    days = [point.day.toordinal() for point in points]
    first, last = (min(days), max(days)) if days else (0, 0)
    deepest = max([SHALLOW, *(point.position or 0 for point in points)])

    def x(day: int) -> float:
        share = (day - first) / (last - first) if last > first else 0.5
        return round(LEFT + share * (WIDTH - LEFT - 8), 1)

    def y(position: float) -> float:
        share = (position - 1) / (deepest - 1)
        return round(TOP + share * (HEIGHT - TOP - BOTTOM), 1)

    lines: list[list[str]] = [[]]
    dots, gaps = [], []
    for point, day in zip(points, days, strict=True):
        if point.position is None:
            lines.append([])
            title = f"{point.day:%Y-%m-%d}: {point.said or 'not measured'}"
            gaps.append(Dot(x(day), HEIGHT - BOTTOM + 7, title))
            continue
        at = Dot(x(day), y(point.position), f"{point.day:%Y-%m-%d}: {point.position:g}")
        dots.append(at)
        lines[-1].append(f"{at.x},{at.y}")
    told = {
        "name": name,
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "lines": [" ".join(line) for line in lines if len(line) > 1],
        "dots": dots,
        "gaps": gaps,
        "axis": [(f"{p:g}", y(p)) for p in (1.0, round(deepest))],
        "first": points[0].day if points else None,
        "last": points[-1].day if points else None,
    }
    return render_to_string("marketing/_rank_chart.svg", told)
