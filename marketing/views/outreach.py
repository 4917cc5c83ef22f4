"""The outreach ledger: every mail as it went out, and what came back."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from marketing.models import (
    Contact,
    Directory,
    InboxMessage,
    Mailbox,
    Message,
    Suppression,
)
from marketing.outreach import addresses, letters
from paperclip.desk import Desk, attempt, cut, page
from paperclip.exceptions import Refused

PER_PAGE = 50
EDITABLE = (Message.State.DRAFT, Message.State.AWAITING, Message.State.APPROVED)


@require_GET
def ledger(request: HttpRequest) -> HttpResponse:
    desk = Desk.of(request)
    company = desk.company
    state = request.GET.get("state", "")
    rows = Message.objects.filter(company=company)
    states = rows.order_by().values_list("state").annotate(count=Count("pk"))
    shown = rows.filter(state=state) if state in Message.State.values else rows
    return page(
        request,
        "marketing/outreach.html",
        title=_("Outreach"),
        whole=addresses.are_whole(desk.actor, company.pk),
        rows=cut(request, shown.select_related("contact"), PER_PAGE),
        state=Message.State(state).label if state in Message.State.values else "",
        counts=[(one, Message.State(one).label, count) for one, count in states],
        boxes=Mailbox.objects.filter(company=company),
        contacts=Contact.objects.filter(company=company, is_on=True).count(),
        all_contacts=Contact.objects.filter(company=company).count(),
        suppressed=Suppression.objects.filter(company=company).count(),
        answers=InboxMessage.objects.filter(company=company)[:10],
        directories=Directory.objects.filter(company=company)[:20],
    )


def one(request: HttpRequest, pk: str) -> Message:
    rows = Message.objects.select_related("contact", "mailbox", "approval", "job_run")
    found: Message = Desk.of(request).one(rows, pk)
    return found


@require_GET
def message(request: HttpRequest, pk: str) -> HttpResponse:
    return show(request, one(request, pk))


@require_POST
def edit(request: HttpRequest, pk: str) -> HttpResponse:
    """Another text, to be approved anew. Refused, it keeps what was typed."""
    row, desk = one(request, pk), Desk.of(request)
    typed = {name: request.POST.get(name, "") for name in ("subject", "body")}
    typed["body"] = typed["body"].replace("\r\n", "\n")
    try:
        row.edit(**typed, by=desk.actor)
    except Refused as no:
        return show(request, row, status=no.status, refusal=no, typed=typed)
    messages.success(request, _("Saved. It is to be approved as it is now."))
    return redirect("admin:message", pk)


@require_POST
def drop(request: HttpRequest, pk: str) -> HttpResponse:
    row, desk = one(request, pk), Desk.of(request)
    why = _("%(who)s does not want it sent.") % {"who": desk.user}
    attempt(request, lambda: row.drop(why, by=desk.actor), _("It is not sent."))
    return redirect("admin:message", pk)


@require_POST
def settle(request: HttpRequest, pk: str) -> HttpResponse:
    """A person has looked whether a mail went out of which nobody knew."""
    row, desk = one(request, pk), Desk.of(request)
    sent = request.POST.get("sent") == "1"
    word = _("Noted: it was sent.") if sent else _("Noted: it was not sent.")
    attempt(request, lambda: row.settle(sent, by=desk.actor), word)
    return redirect("admin:message", pk)


@require_POST
def test(request: HttpRequest, pk: str) -> HttpResponse:
    """A mail from the mailbox to itself, and whether it is found in Sent."""
    desk = Desk.of(request)
    box = desk.one(Mailbox.objects.all(), pk)
    attempt(request, lambda: box.test(by=desk.actor), str)
    return redirect("admin:outreach")


def show(
    request: HttpRequest,
    row: Message,
    *,
    status: int = 200,
    refusal: Refused | None = None,
    typed: dict[str, str] | None = None,
) -> HttpResponse:
    may = Desk.of(request).may(row.company, addresses.ACT)
    return page(
        request,
        "marketing/message.html",
        status=status,
        here=reverse("admin:message", args=[row.pk]) if refusal else "",
        refusal=refusal,
        typed=typed or {"subject": row.subject, "body": row.body},
        may_edit=may and row.state in EDITABLE,
        may_settle=may and row.state == Message.State.UNKNOWN,
        title=row.subject,
        company=row.company,
        crumbs=[(_("Outreach"), reverse("admin:outreach"))],
        row=row,
        whole=addresses.are_whole(Desk.of(request).actor, row.company_id),
        events=row.events.order_by("at"),
        answers=row.answers.order_by("arrived_at"),
        in_english=row.contact is not None
        and not letters.speaks(row.contact.language)
        and row.state in EDITABLE,
    )
