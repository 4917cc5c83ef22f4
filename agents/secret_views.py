"""The page of one secret: where it is used, who read it, and its buttons."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from agents.models import Secret
from agents.models.secret_binding import AGENT, CHECK
from paperclip import roles
from paperclip.desk import Desk, attempt, page
from paperclip.models import Activity

READS = 20


def one(request: HttpRequest, pk: str) -> Secret:
    """The secret, for those who may keep some."""
    secret: Secret = Desk.of(request).one(Secret.objects.select_related("company"), pk)
    desk, act = Desk.of(request), "keep secrets"
    if not desk.may(secret.company, act):
        raise PermissionDenied(roles.refusal(desk.role_in(secret.company), act))
    return secret


def home(secret: Secret) -> str:
    return reverse("admin:secret", args=[secret.pk])


@require_GET
def secret(request: HttpRequest, pk: str) -> HttpResponse:
    return show(request, one(request, pk))


def show(request: HttpRequest, secret: Secret, status: int = 200) -> HttpResponse:
    reads = Activity.objects.filter(
        company=secret.company, entity_type="secret", entity_id=str(secret.pk)
    )
    return page(
        request,
        "agents/secret.html",
        company=secret.company,
        status=status,
        title=secret.name,
        crumbs=[(_("Secrets"), reverse("admin:agents_secret_changelist"))],
        secret=secret,
        places=[(one, address(one)) for one in secret.bindings.all()],
        versions=secret.versions.select_related("created_by_user"),
        reads=reads.filter(action="secret.read").order_by("-seq")[:READS],
    )


def address(binding: Any) -> str:
    """The page of what it is bound to; empty when that has none."""
    pages = {AGENT: "admin:agent", CHECK: "admin:issues_check_change"}
    name = pages.get(binding.target_type)
    return reverse(name, args=[binding.target_id]) if name else ""


@require_POST
def rotate(request: HttpRequest, pk: str) -> HttpResponse:
    row, desk = one(request, pk), Desk.of(request)
    value = request.POST.get("value", "").replace("\r\n", "\n")
    value = value if "\n" in value.strip() else value.strip()
    done = _("The next run gets the new value; the old one is revoked.")
    told = request.POST.get("seen", "")
    seen = int(told) if told.isascii() and told.isdigit() else None
    if attempt(request, lambda: row.rotate(value, by=desk.actor, seen=seen), done):
        return redirect(home(row))
    return show(request, row, status=422)


@require_POST
def remove(request: HttpRequest, pk: str) -> HttpResponse:
    row, desk = one(request, pk), Desk.of(request)
    done = _("%(name)s is destroyed.") % {"name": row.name}
    if attempt(request, lambda: row.remove(by=desk.actor), done):
        return redirect("admin:agents_secret_changelist")
    return show(request, row, status=409)
