"""What a month came to: as a page, as a PDF, by mail."""

from __future__ import annotations

from datetime import UTC, date

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from issues import mailing
from marketing import results
from marketing.models import Site
from paperclip.desk import Desk, attempt, page
from paperclip.exceptions import Invalid

MONTH = "%Y-%m"


def month_in(text: str) -> date:
    """The first day of a month such as 2026-11, this one if none is said. 404 for what
    is no month, or one to come."""
    today = now().astimezone(UTC).date().replace(day=1)
    if not text:
        return today
    try:
        year, _dash, number = text.partition("-")
        first = date(int(year), int(number), 1)
    except ValueError:
        raise Http404 from None
    if not date(2020, 1, 1) <= first <= today:
        raise Http404
    return first


@require_GET
def show(request: HttpRequest) -> HttpResponse:
    company = Desk.of(request).company
    first = month_in(request.GET.get("month", ""))
    following = results.bounds(first)[1].date()
    return page(
        request,
        "marketing/results.html",
        title=_("Results"),
        results=results.of(company, first),
        has_site=Site.objects.filter(company=company).exists(),
        month=first,
        previous=results.month_before(first),
        following=following if following <= month_in("") else None,
        may_mail=mailing.is_on() and bool(mailing.addresses(company)),
    )


@require_GET
def pdf(request: HttpRequest) -> HttpResponse:
    company = Desk.of(request).company
    first = month_in(request.GET.get("month", ""))
    if not Site.objects.filter(company=company).exists():
        raise Http404
    try:
        body = results.as_pdf(results.of(company, first))
    except Invalid as no:
        return HttpResponse(str(no), status=422, content_type="text/plain")
    answer = HttpResponse(body, content_type="application/pdf")
    name = f"results-{company.issue_prefix}-{first:%Y-%m}.pdf"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


@require_POST
def send(request: HttpRequest) -> HttpResponse:
    """Mail it to the people of the company, now."""
    desk = Desk.of(request)
    company, first = desk.company, month_in(request.POST.get("month", ""))

    def act() -> int:
        desk.actor.must_be_operator(company.pk, "run a job")
        to = mailing.addresses(company)
        return results.mail(results.of(company, first), to)

    attempt(request, act, lambda sent: _("Mails sent: %(n)s.") % {"n": sent})
    return redirect(f"{reverse('admin:results')}?month={first:%Y-%m}")
