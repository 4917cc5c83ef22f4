"""The buttons beneath the forms of contacts and of templates, and who is never written
to."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from marketing.models import Contact, Suppression, Template
from marketing.outreach import addresses
from marketing.words import identity
from paperclip.desk import Desk, attempt, page


@require_POST
def switch(request: HttpRequest, pk: str) -> HttpResponse:
    """Let somebody be written to, or not."""
    desk = Desk.of(request)
    row = desk.one(Contact.objects.all(), pk)
    on = request.POST.get("on") == "1"
    said = _("%(who)s may be written to.") if on else _("%(who)s is not written to.")
    attempt(request, lambda: row.switch(on, by=desk.actor), said % {"who": row})
    return redirect("admin:marketing_contact_change", pk)


@require_POST
def same(request: HttpRequest, pk: str) -> HttpResponse:
    """Say that a contact is the person of another address, or, without one, that they
    are two people after all."""
    desk = Desk.of(request)
    row = desk.one(Contact.objects.all(), pk)
    address = request.POST.get("address", "").strip()
    if not address:
        said = _("%(who)s stands for themselves again.") % {"who": row}
        attempt(request, lambda: row.stands_alone(by=desk.actor), said)
        return redirect("admin:marketing_contact_change", pk)
    there = Contact.objects.filter(company=row.company_id, identity=identity(address))
    if (other := there.first()) is None:
        said = _("No contact has the address %(address)s: enter them first.")
        messages.warning(request, said % {"address": address})
    else:
        said = _("Noted: written to at one address, they are not at the other.")
        attempt(request, lambda: row.is_same_as(other, by=desk.actor), said)
    return redirect("admin:marketing_contact_change", pk)


@require_POST
def approval(request: HttpRequest, pk: str) -> HttpResponse:
    """Let mails of a category go out unread, or not."""
    desk = Desk.of(request)
    row = desk.one(Template.objects.all(), pk)
    auto = request.POST.get("auto") == "1"
    said = _("Somebody reads each mail before it goes out.")
    if auto:
        said = _("Mails of this category go out without anybody reading them.")
    attempt(request, lambda: row.switch_approval(auto, by=desk.actor), said)
    return redirect("admin:marketing_template_change", pk)


@require_GET
def suppression(request: HttpRequest, pk: str) -> HttpResponse:
    """Why somebody is never written to."""
    desk = Desk.of(request)
    row = desk.one(Suppression.objects.all(), pk)
    may_lift = desk.may(row.company, "change who is written to")
    whole = addresses.are_whole(desk.actor, row.company_id)
    return page(
        request,
        "marketing/suppression.html",
        title=addresses.shown(row.value, whole),
        company=row.company,
        crumbs=[(_("Suppressions"), reverse("admin:marketing_suppression_changelist"))],
        row=row,
        whole=whole,
        may_lift=may_lift and row.reason == row.Reason.MANUAL,
    )


@require_POST
def lift(request: HttpRequest, pk: str) -> HttpResponse:
    """Allow mail there again."""
    desk = Desk.of(request)
    row = desk.one(Suppression.objects.all(), pk)
    said = _("%(who)s may be written to again.") % {"who": row}
    if attempt(request, lambda: row.lift(by=desk.actor), said):
        return redirect("admin:marketing_suppression_changelist")
    return redirect("admin:suppression", pk)
