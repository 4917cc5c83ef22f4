"""Where we are found, keyword by keyword."""

from __future__ import annotations

from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from marketing import results
from marketing.models import Keyword, RankAlert
from paperclip.desk import Desk, page

SPANS = (30, 90, 365)


@require_GET
def ranks(request: HttpRequest) -> HttpResponse:
    company, told = Desk.of(request).company, request.GET.get("days", "")
    days = int(told) if told.isdecimal() and int(told) in SPANS else SPANS[0]
    until = now() + timedelta(days=1)
    since = until - timedelta(days=days)
    positions = results.positions_of(company, since, until)
    tracked = Keyword.objects.filter(company=company, is_tracked=True)
    known = {one.keyword.pk for one in positions}
    return page(
        request,
        "marketing/ranks.html",
        title=_("Positions"),
        positions=positions,
        unmeasured=[one for one in tracked if one.pk not in known],
        measured=len({one.keyword.pk for one in positions if one.now is not None}),
        count=tracked.count(),
        days=days,
        spans=SPANS,
        alerts=RankAlert.objects.filter(company=company)[:15],
    )
