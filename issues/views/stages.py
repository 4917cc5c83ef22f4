"""The page on which people say who looks at the work on an issue, in which order."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from issues import stage_form
from issues.models import Issue
from issues.views.issue import home, one
from issues.views.work import crumbs_of
from paperclip import roles
from paperclip.desk import Desk, page
from paperclip.exceptions import Conflict, Refused

ACT = "change issues"


@require_http_methods(["GET", "POST"])
def stages(request: HttpRequest, pk: str) -> HttpResponse:
    issue, desk = one(request, pk), Desk.of(request)
    if not desk.may(issue.company, ACT):
        raise PermissionDenied(roles.refusal(desk.role_in(issue.company), ACT))
    if request.method == "GET":
        return show(request, issue, stage_form.rows(None, issue))
    rows = stage_form.rows(request.POST, issue)
    if not rows.is_valid():
        return show(request, issue, rows, status=422)
    try:
        save(issue, rows, request.POST.get(stage_form.SEEN, ""), desk)
    except Refused as no:
        return show(request, issue, rows, refusal=no, status=no.status)
    messages.success(request, _("Who looks at it is changed."))
    return redirect(home(issue))


@transaction.atomic
def save(issue: Issue, rows: stage_form.StageRows, seen: str, desk: Desk) -> None:
    """Conflict when somebody else changed them since the page was shown."""
    held = Issue.objects.select_for_update(no_key=True, of=("self",))
    issue.refresh_from_db(from_queryset=held)
    if stage_form.mark(issue) != seen:
        raise Conflict(
            _(
                "Somebody else changed the stages meanwhile. What you typed is below:"
                " compare it with the page of the issue, and save again."
            )
        )
    issue.change(by=desk.actor, review_policy=rows.value(issue))


def show(
    request: HttpRequest,
    issue: Issue,
    rows: stage_form.StageRows,
    *,
    status: int = 200,
    refusal: Any = None,
) -> HttpResponse:
    return page(
        request,
        "issues/stages.html",
        company=issue.company,
        status=status,
        title=_("Review of %(issue)s") % {"issue": issue.identifier},
        short_title=_("Review"),
        crumbs=crumbs_of(issue),
        issue=issue,
        rows=rows,
        # Saved again, it was seen.
        seen=stage_form.mark(issue),
        refusal=refusal,
    )
