"""Where we could be listed: what a person needs to enter us there, and what came of
it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from marketing.models import Directory, SubmissionPacket
from paperclip.desk import Desk, attempt, page

# What of a packet is pasted somewhere, and what it is called there.
LINES = {
    "name": gettext_lazy("Name"),
    "website": gettext_lazy("Website"),
    "phone": gettext_lazy("Phone"),
    "address": gettext_lazy("Postal address"),
    "categories": gettext_lazy("Categories"),
    "screenshots": gettext_lazy("Pages to take screenshots of"),
}
DESCRIPTIONS = {
    "short": gettext_lazy("Description in a line"),
    "middle": gettext_lazy("Description in a few lines"),
    "long": gettext_lazy("Long description"),
}


def one(request: HttpRequest, pk: str) -> Directory:
    found: Directory = Desk.of(request).one(Directory.objects.all(), pk)
    return found


def packet_of(row: Directory) -> SubmissionPacket | None:
    rows = row.packets.select_related("approval", "issue").order_by("-created_at")
    found: SubmissionPacket | None = rows.first()
    return found


@require_GET
def listing(request: HttpRequest, pk: str) -> HttpResponse:
    row = one(request, pk)
    packet = packet_of(row)
    may = Desk.of(request).may(row.company, "write to people outside")
    state = Directory.State
    return page(
        request,
        "marketing/listing.html",
        title=str(row),
        company=row.company,
        crumbs=[(_("Outreach"), reverse("admin:outreach"))],
        row=row,
        packet=packet,
        lines=lines_of(packet.body) if packet else [],
        to_submit=bool(packet and packet.state == SubmissionPacket.State.OPEN),
        may=may,
        may_drop=may and row.state in (state.OPEN, state.PACKET, state.FROZEN),
        is_frozen=row.state == state.FROZEN,
    )


def lines_of(body: dict[str, Any]) -> list[tuple[str, Any, str]]:
    """Name, what it is called there and the text to paste, of all there are."""
    told = {name: (label, body.get(name)) for name, label in LINES.items()}
    texts = body.get("descriptions") or {}
    told |= {name: (label, texts.get(name)) for name, label in DESCRIPTIONS.items()}
    return [
        (name, label, "\n".join(text) if isinstance(text, list) else str(text))
        for name, (label, text) in told.items()
        if text
    ]


@require_POST
def submit(request: HttpRequest, pk: str) -> HttpResponse:
    """A person has entered us there."""
    row, desk = one(request, pk), Desk.of(request)
    packet = packet_of(row)
    url = request.POST.get("profile_url", "").strip()
    if packet is None:
        messages.warning(request, _("There is nothing to submit yet."))
    else:
        said = _("Noted. Our page there is looked for from now on.")
        if not url:
            said = _("Noted. Say later where our page is, and it is looked at.")
        attempt(request, lambda: packet.submit(url, by=desk.actor), said)
    return redirect("admin:listing", pk)


@require_POST
def drop(request: HttpRequest, pk: str) -> HttpResponse:
    row, desk = one(request, pk), Desk.of(request)
    said = _("%(row)s is not for us: nothing more is asked about it.") % {"row": row}
    attempt(request, lambda: row.drop(by=desk.actor), said)
    return redirect("admin:listing", pk)


@require_POST
def terms(request: HttpRequest, pk: str) -> HttpResponse:
    """A person has read the terms that changed, and finds them good."""
    row, desk = one(request, pk), Desk.of(request)
    said = _("Noted. The next run of Backlink Outreach goes on with it.")
    attempt(request, lambda: row.accept_terms(True, by=desk.actor), said)
    return redirect("admin:listing", pk)
