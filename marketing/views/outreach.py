"""The outreach ledger: every mail as it went out, and what came back."""

from __future__ import annotations

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from marketing.models import (
    Contact,
    Directory,
    InboxMessage,
    Mailbox,
    Message,
    Suppression,
)
from paperclip.desk import Desk, page

MOST = 200


@require_GET
def ledger(request: HttpRequest) -> HttpResponse:
    company = Desk.of(request).company
    state = request.GET.get("state", "")
    rows = Message.objects.filter(company=company)
    states = rows.order_by().values_list("state").annotate(count=Count("pk"))
    shown = rows.filter(state=state) if state in Message.State.values else rows
    return page(
        request,
        "marketing/outreach.html",
        title=_("Outreach"),
        messages_=shown.select_related("contact", "approval")[:MOST],
        state=state,
        counts=[(one, Message.State(one).label, count) for one, count in states],
        boxes=Mailbox.objects.filter(company=company),
        contacts=Contact.objects.filter(company=company, is_on=True).count(),
        all_contacts=Contact.objects.filter(company=company).count(),
        suppressed=Suppression.objects.filter(company=company).count(),
        answers=InboxMessage.objects.filter(company=company)[:10],
        directories=Directory.objects.filter(company=company)[:20],
    )


@require_GET
def message(request: HttpRequest, pk: str) -> HttpResponse:
    rows = Message.objects.select_related("contact", "mailbox", "approval", "job_run")
    row = Desk.of(request).one(rows, pk)
    return page(
        request,
        "marketing/message.html",
        title=row.subject,
        company=row.company,
        crumbs=[(_("Outreach"), "/marketing/outreach/")],
        row=row,
        events=row.events.order_by("at"),
        answers=row.answers.order_by("arrived_at"),
    )
