"""What search engines were told of our pages."""

from __future__ import annotations

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from marketing.models import HostCircuit, IndexNowSubmission, OwnPage
from paperclip.desk import Desk, cut, page

PER_PAGE = 50


@require_GET
def told(request: HttpRequest) -> HttpResponse:
    company = Desk.of(request).company
    rows = IndexNowSubmission.objects.filter(company=company)
    states = rows.order_by().values_list("state").annotate(count=Count("pk"))
    return page(
        request,
        "marketing/indexnow.html",
        title=_("IndexNow"),
        rows=cut(request, rows.select_related("job_run__issue"), PER_PAGE),
        counts=[
            (IndexNowSubmission.State(state).label, count) for state, count in states
        ],
        pages=OwnPage.objects.filter(company=company).count(),
        circuits=HostCircuit.objects.filter(company=company, until__isnull=False),
    )
