"""Where we are found, keyword by keyword."""

from __future__ import annotations

from datetime import date, timedelta

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from marketing import positions
from marketing.charts import Point, rank_chart
from marketing.models import Keyword, RankAlert, RankReading
from paperclip.desk import Desk, cut, page

SPANS = (30, 90, 365)
PER_PAGE, READINGS = 25, 100


def span_in(request: HttpRequest) -> tuple[int, date, date]:
    """How many days back, the first of them and the day after the last."""
    told = request.GET.get("days", "")
    days = int(told) if told.isdecimal() and int(told) in SPANS else SPANS[0]
    end = now().date() + timedelta(days=1)
    return days, end - timedelta(days=days), end


@require_GET
def ranks(request: HttpRequest) -> HttpResponse:
    company = Desk.of(request).company
    days, start, end = span_in(request)
    before = start - timedelta(days=days)
    standings = positions.standings_of(company, before, start, end)
    tracked = Keyword.objects.filter(company=company, is_tracked=True)
    known = {one.keyword.pk for one in standings}
    words = tracked.values_list("pk", "text")
    unmeasured = [text for pk, text in words if pk not in known]
    sought = " ".join(request.GET.get("q", "").split()).lower()
    fits = [one for one in standings if sought in one.keyword.text.lower()]
    shown = cut(request, fits, PER_PAGE)
    positions.draw(list(shown), start, end)
    return page(
        request,
        "marketing/ranks.html",
        title=_("Positions"),
        standings=shown,
        names=positions.NAMES,
        sought=sought,
        sums=positions.sums(standings),
        unmeasured=unmeasured,
        count=len(known) + len(unmeasured),
        days=days,
        spans=SPANS,
        alerts=RankAlert.objects.filter(company=company)[:8],
    )


@require_GET
def keyword(request: HttpRequest, pk: str) -> HttpResponse:
    """One keyword: a chart for each metric, and what each reading said."""
    row = Desk.of(request).one(Keyword.objects.all(), pk)
    days, start, end = span_in(request)
    rows = RankReading.objects.filter(keyword=row, day__gte=start, day__lt=end)
    series: dict[str, list[Point]] = {}
    for one in rows.order_by("day", "tick_at"):
        point = Point(one.day, one.position, str(one.get_status_display()))
        series.setdefault(one.metric, []).append(point)
    return page(
        request,
        "marketing/keyword.html",
        title=row.text,
        company=row.company,
        crumbs=[(_("Positions"), reverse("admin:ranks"))],
        row=row,
        charts=[
            (name, rank_chart(series[metric], f"{row}, {name}"))
            for metric, name in positions.NAMES.items()
            if metric in series
        ],
        readings=[
            (positions.NAMES[RankReading.Metric(one.metric)], one)
            for one in rows.select_related("job_run__issue")[:READINGS]
        ],
        days=days,
        spans=SPANS,
    )
