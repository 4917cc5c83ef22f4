"""The buttons beneath the forms of contacts and of templates."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from marketing.models import Contact, Template
from marketing.words import identity
from paperclip.desk import Desk, attempt


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
