"""The buttons beside criteria, of whoever may say what counts."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from issues import verdicts
from issues.models import Check, Criterion, Issue
from issues.views.issue import home, one
from paperclip.desk import Desk, View, attempt, back


def given(request: HttpRequest, check: Check) -> dict[str, Any]:
    """The parameters as they were typed; numbers are numbers."""
    found: dict[str, Any] = {}
    for each in check.parameters:
        text = request.POST.get(each["name"], "").strip()
        is_number = each["type"] == "number" and text.isascii() and text.isdigit()
        if text:
            found[each["name"]] = int(text) if is_number else text
    return found


@require_POST
def add(request: HttpRequest, pk: str) -> HttpResponse:
    issue, desk = one(request, pk), Desk.of(request)
    ours = Check.objects.offered().filter(company=issue.company)
    check = ours.filter(key=request.POST.get("check", "")).first()
    if check is None:
        raise Http404(_("Check not found"))
    attempt(
        request,
        lambda: Criterion.objects.add(
            issue, by=desk.actor, check=check, parameters=given(request, check)
        ),
        _("%(title)s is a criterion now.") % {"title": check.title},
    )
    return back(request, home(issue))


@require_POST
def check_again(request: HttpRequest, pk: str) -> HttpResponse:
    issue, desk = one(request, pk), Desk.of(request)
    done = _("It is checked: the receipts appear here.")
    attempt(request, lambda: verdicts.check_again(issue, by=desk.actor), done)
    return back(request, home(issue))


def criterion_of(request: HttpRequest, issue: Issue, pk: str) -> Criterion:
    found: Criterion | None = issue.criteria.filter(pk=pk).first()
    if found is None:
        raise Http404(_("Criterion not found"))
    return found


def button(verb: Any, done: Any) -> View:
    """The view of a button on one criterion."""

    @require_POST
    def view(request: HttpRequest, pk: str, criterion: str) -> HttpResponse:
        issue, desk = one(request, pk), Desk.of(request)
        row = criterion_of(request, issue, criterion)
        attempt(request, lambda: verb(row, desk, request), str(done))
        return back(request, home(issue))

    return view


ACTS: dict[str, View] = {
    "accept": button(
        lambda row, desk, request: row.accept(by=desk.actor),
        gettext_lazy("It counts from now on."),
    ),
    "by_hand": button(
        lambda row, desk, request: verdicts.accept_by_hand(
            row, by=desk.actor, note=request.POST.get("note", "")
        ),
        gettext_lazy("It is accepted, with your name."),
    ),
    "remove": button(
        lambda row, desk, request: row.remove(by=desk.actor),
        gettext_lazy("It is taken off."),
    ),
}
