"""The org chart as a drawing: where each box and each line goes.

Two layouts of the same tree: `wide` has the managers above their people, `tall` is
indented like a list and fits a phone.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from uuid import UUID

from agents.models import Agent

WIDTH, HEIGHT = 184, 60
GAP, DROP = 20, 52  # between neighbours; from one level to the next
STEP, INDENT = 12, 26
MARGIN = 12


@dataclass(frozen=True)
class Box:
    agent: Agent
    x: int
    y: int

    @property
    def middle(self) -> int:
        return self.x + WIDTH // 2

    @property
    def bottom(self) -> int:
        return self.y + HEIGHT

    @property
    def waist(self) -> int:
        return self.y + HEIGHT // 2

    @property
    def right(self) -> int:
        return self.x + WIDTH


@dataclass(frozen=True)
class Drawing:
    """Boxes, and the paths of the lines between them. Sizes are pixels."""

    boxes: list[Box]
    lines: list[str]
    reviews: list[str]
    width: int
    height: int
    name: str = ""


def wide(agents: list[Agent]) -> Drawing:
    places: dict[UUID, Box] = {}
    free = MARGIN

    def put(agent: Agent, level: int) -> Box:
        nonlocal free
        below = [put(each, level + 1) for each in reports[agent.pk]]
        if below:
            x = (below[0].x + below[-1].x) // 2
        else:
            x, free = free, free + WIDTH + GAP
        places[agent.pk] = Box(agent, x, MARGIN + level * (HEIGHT + DROP))
        return places[agent.pk]

    roots, reports = tree(agents)
    for root in roots:
        put(root, 0)
    lines = [
        f"M{above.middle} {above.bottom}v{DROP // 2}H{box.middle}V{box.y}"
        for box, above in pairs(places, "reports_to_id")
    ]
    reviews = [around_below(a, b) for a, b in pairs(places, "reviewer_id")]
    lowest = max((box.bottom for box in places.values()), default=0)
    size = (max(free - GAP, WIDTH) + MARGIN, lowest + MARGIN + (28 if reviews else 0))
    return Drawing([*places.values()], lines, reviews, *size, "wide")


def tall(agents: list[Agent]) -> Drawing:
    places: dict[UUID, Box] = {}

    def put(agent: Agent, level: int) -> None:
        y = MARGIN + len(places) * (HEIGHT + STEP)
        places[agent.pk] = Box(agent, MARGIN + level * INDENT, y)
        for each in reports[agent.pk]:
            put(each, level + 1)

    roots, reports = tree(agents)
    for root in roots:
        put(root, 0)
    lines = [
        f"M{above.x + INDENT // 2} {above.bottom}V{box.waist}H{box.x}"
        for box, above in pairs(places, "reports_to_id")
    ]
    reviews = [around_right(a, b) for a, b in pairs(places, "reviewer_id")]
    width = max((box.right for box in places.values()), default=0) + MARGIN
    height = max((box.bottom for box in places.values()), default=0) + MARGIN
    return Drawing(
        [*places.values()],
        lines,
        reviews,
        width + (28 if reviews else 0),
        height,
        "tall",
    )


def tree(agents: list[Agent]) -> tuple[list[Agent], dict[UUID, list[Agent]]]:
    """The roots, and who reports to whom; one whose manager is gone is a root. Agents
    who lead others stand first, so that lines cross less."""
    known = {agent.pk for agent in agents}
    reports: dict[UUID, list[Agent]] = defaultdict(list)
    roots: list[Agent] = []
    for agent in agents:
        boss = agent.reports_to_id
        (reports[boss] if boss in known else roots).append(agent)
    for staff in (roots, *list(reports.values())):
        staff.sort(key=lambda each: (not reports.get(each.pk), each.name))
    return roots, reports


def pairs(places: dict[UUID, Box], name: str) -> list[tuple[Box, Box]]:
    """Each box with the one its agent points to."""
    named = ((box, getattr(box.agent, name)) for box in places.values())
    return [(box, places[other]) for box, other in named if other in places]


def around_below(one: Box, other: Box) -> str:
    """A curve from the bottom of one box to the bottom of the other."""
    low = max(one.bottom, other.bottom) + 34
    return (
        f"M{one.middle} {one.bottom}C{one.middle} {low} {other.middle} {low}"
        f" {other.middle} {other.bottom}"
    )


def around_right(one: Box, other: Box) -> str:
    far = max(one.right, other.right) + 34
    return (
        f"M{one.right} {one.waist}C{far} {one.waist} {far} {other.waist}"
        f" {other.right} {other.waist}"
    )
