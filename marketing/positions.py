"""What became of our positions in a time, keyword by keyword; what moved most first."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from django.contrib.postgres.fields import ArrayField
from django.db.models import FloatField, Func, Max, Min, Q
from django.db.models.functions import Coalesce, Extract
from django.utils.translation import gettext_lazy as _

from marketing.charts import Point, sparkline
from marketing.models import Keyword, RankReading

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.utils.safestring import SafeString

    from paperclip.models import Company

Metric = RankReading.Metric
# By column, and in this order.
NAMES = {
    Metric.GSC: _("Google, average (Search Console)"),
    Metric.BING: _("Bing, average"),
    Metric.SERP: _("Result page, as bought"),
}
SHORT = {Metric.GSC: "Google", Metric.BING: "Bing", Metric.SERP: _("Result page")}
FIRST_PAGE = 10


@dataclass
class Position:
    """A keyword in one metric: its last position of the time, and the one that is
    compared with: the last before it, or else the first of it. None where nothing was
    measured."""

    metric: str
    now: float | None = None
    before: float | None = None
    since: date | None = None
    points: list[Point] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(NAMES[Metric(self.metric)])

    @property
    def short(self) -> str:
        return str(SHORT[Metric(self.metric)])

    @property
    def gain(self) -> float | None:
        """Places won since; negative when lost."""
        if self.now is None or self.before is None:
            return None
        return round(self.before - self.now, 1)

    @property
    def lost(self) -> float:
        return -(self.gain or 0)

    @property
    def said(self) -> str:
        """Why there is no position, as the last reading tells."""
        return self.points[-1].said if self.points else str(_("not measured"))

    @property
    def chart(self) -> SafeString:
        return sparkline(self.points, self.name)


@dataclass
class Standing:
    """A keyword and its position in each metric that was asked for."""

    keyword: Keyword
    positions: list[Position]

    @property
    def best(self) -> float | None:
        return min(
            (one.now for one in self.positions if one.now is not None), default=None
        )

    @property
    def gain(self) -> float | None:
        """The largest of its moves, whichever way."""
        told = [one.gain for one in self.positions if one.gain is not None]
        return max(told, key=abs, default=None)

    @property
    def order(self) -> tuple[Any, ...]:
        """What moved most, then what stands best, then what was not measured."""
        best, gain = self.best, self.gain
        return (best is None, -abs(gain or 0), best or 0, self.keyword.text)


class Sums(NamedTuple):
    """How many of the keywords were measured, are among the first ten, have won places
    and have lost some."""

    measured: int
    on_first_page: int
    won: int
    lost: int


def sums(standings: Iterable[Standing]) -> Sums:
    found = list(standings)
    best = [one.best for one in found if one.best is not None]
    gains = [one.gain for one in found if one.gain]
    return Sums(
        len(best),
        sum(one <= FIRST_PAGE for one in best),
        sum(one > 0 for one in gains),
        sum(one < 0 for one in gains),
    )


SEEN = Q(position__isnull=False)
# Day, tick and position of a reading, in the order in which one comes after another.
MOMENT = Func(
    Extract("day", "epoch"),
    Coalesce(Extract("tick_at", "epoch"), 0.0, output_field=FloatField()),
    "position",
    template="ARRAY[%(expressions)s]",
    output_field=ArrayField(FloatField()),
)


def standings_of(
    company: Company, early: date, start: date, end: date
) -> list[Standing]:
    """The keywords that are watched and were asked for since `early`, in the time from
    `start` to the day before `end`; without the points of their charts."""
    rows = RankReading.objects.filter(
        company=company, keyword__is_tracked=True, day__gte=early, day__lt=end
    )
    # Of arrays that is fast: nothing is sorted.
    this = Q(day__gte=start)
    told = (
        rows.order_by()
        .values("keyword", "metric")
        .annotate(
            last=Max(MOMENT, filter=this & SEEN),
            first=Min(MOMENT, filter=this & SEEN),
            old=Max(MOMENT, filter=Q(day__lt=start) & SEEN),
        )
    )
    by_keyword: dict[Any, list[Position]] = {}
    for row in told:
        by_keyword.setdefault(row["keyword"], []).append(position(row))
    keywords = Keyword.objects.filter(company=company, is_tracked=True)
    found = [
        Standing(keyword, sorted(by_keyword[keyword.pk], key=place))
        for keyword in keywords
        if keyword.pk in by_keyword
    ]
    return sorted(found, key=lambda one: one.order)


def position(row: dict[str, Any]) -> Position:
    found = Position(row["metric"])
    last, first, old = row["last"], row["first"], row["old"]
    if last is not None:
        found.now = last[-1]
    if (then := old or (first if first != last else None)) is not None:
        found.before, found.since = (
            then[-1],
            datetime.fromtimestamp(then[0], UTC).date(),
        )
    return found


def place(one: Position) -> int:
    return list(NAMES).index(Metric(one.metric))


def draw(standings: list[Standing], start: date, end: date) -> None:
    """Read what the charts of these are made of."""
    rows = RankReading.objects.filter(
        keyword__in=[one.keyword.pk for one in standings], day__gte=start, day__lt=end
    )
    series: dict[tuple[Any, str], list[Point]] = {}
    for row in rows.order_by("day", "tick_at"):
        said = str(row.get_status_display())
        point = Point(row.day, row.position, said)
        series.setdefault((row.keyword_id, row.metric), []).append(point)
    for one in standings:
        for each in one.positions:
            each.points = series.get((one.keyword.pk, each.metric), [])
