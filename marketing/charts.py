"""Positions as a picture: the first place is on top, and what was not measured is a
gap."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

WIDTH, HEIGHT = 320, 96
LEFT, TOP, BOTTOM = 26, 8, 18
# Below this nobody looks: the axis ends there unless a position is deeper.
SHALLOW = 10.0
# A line in a table, and the least of places from its top to its bottom: a position that
# wavers by a tenth is a flat line.
SMALL_WIDTH, SMALL_HEIGHT, LEAST = 120, 30, 4.0


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
        "said": summary(points, name),
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


def summary(points: Sequence[Point], name: str) -> str:
    """What the picture shows, to whoever does not see it."""
    ranked = [point.position for point in points if point.position is not None]
    if not ranked:
        return _("Positions for %(name)s: not measured.") % {"name": name}
    told = {"name": name, "n": len(ranked), "all": len(points)}
    told |= {"first": f"{ranked[0]:g}", "last": f"{ranked[-1]:g}"}
    told["best"] = f"{min(ranked):g}"
    return (
        _(
            "Positions for %(name)s: from %(first)s to %(last)s, the best %(best)s;"
            " measured %(n)s times of %(all)s."
        )
        % told
    )


def sparkline(points: Sequence[Point], name: str) -> SafeString:
    """The points as a line without axes, on a scale of its own; empty where nothing was
    measured."""
    ranked = [point.position for point in points if point.position is not None]
    if not ranked:
        return SafeString("")
    first, last = points[0].day.toordinal(), points[-1].day.toordinal()
    high, spread = min(ranked), max(max(ranked) - min(ranked), LEAST)

    def x(day: date) -> float:
        share = (day.toordinal() - first) / (last - first) if last > first else 0.5
        return round(4 + share * (SMALL_WIDTH - 8), 1)

    def y(position: float) -> float:
        return round(4 + (position - high) / spread * (SMALL_HEIGHT - 10), 1)

    lines: list[list[str]] = [[]]
    gaps, end = [], (0.0, 0.0)
    for point in points:
        if point.position is None:
            lines.append([])
            gaps.append((x(point.day), SMALL_HEIGHT - 2))
        else:
            end = (x(point.day), y(point.position))
            lines[-1].append(f"{end[0]},{end[1]}")
    joined = [" ".join(line if len(line) > 1 else line * 2) for line in lines if line]
    return drawn(summary(points, name), joined, gaps, end)


def drawn(
    label: str,
    lines: Sequence[str],
    gaps: Sequence[tuple[float, float]],
    end: tuple[float, float],
) -> SafeString:
    """The small picture: lines, a ring for each gap, a dot at the end."""
    return format_html(
        '<svg xmlns="http://www.w3.org/2000/svg" class="spark" viewBox="0 0 {} {}"'
        ' role="img" aria-label="{}">{}{}'
        '<circle cx="{}" cy="{}" r="2.5" fill="#7c3aed"/></svg>',
        SMALL_WIDTH,
        SMALL_HEIGHT,
        label,
        format_html_join(
            "",
            '<polyline points="{}" fill="none" stroke="#7c3aed" stroke-width="1.5"'
            ' stroke-linecap="round" stroke-linejoin="round"/>',
            ((line,) for line in lines),
        ),
        format_html_join(
            "",
            '<circle class="rank-gap" cx="{}" cy="{}" r="1.2" fill="none"'
            ' stroke="#6b7280" stroke-width="0.75"/>',
            gaps,
        ),
        *end,
    )
