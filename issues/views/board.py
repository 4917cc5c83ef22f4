"""The board: issues in columns by status, to be moved by hand."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Window
from django.db.models.functions import RowNumber
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from agents.models import Run
from issues.models import Issue
from issues.views.issue import one
from paperclip.desk import Desk, page
from paperclip.exceptions import Invalid, Refused
from paperclip.models import Company

SHOWN = 40  # cards in a column; the list has the others


@dataclass(frozen=True)
class Column:
    status: str
    cards: list[Issue]
    count: int

    @property
    def is_cut(self) -> bool:
        return self.count > len(self.cards)


@require_GET
def board(request: HttpRequest) -> HttpResponse:
    company = Desk.of(request).company
    return page(
        request,
        "issues/board.html",
        title=_("Board"),
        columns=columns(company),
        statuses=Issue.Status.choices,
    )


def columns(company: Company) -> list[Column]:
    """Every status with its first cards: two queries, however many issues. Cancelled
    ones are out of the way while there are none."""
    ours = Issue.objects.shown().filter(company=company)
    counted = ours.order_by().values_list("status").annotate(Count("pk"))
    many: dict[Any, int] = dict(counted)
    cards: dict[str, list[Issue]] = defaultdict(list)
    for issue in first_of_each(ours):
        cards[issue.status].append(issue)
    shown = [s for s in Issue.Status if s != Issue.Status.CANCELLED or many.get(s)]
    return [Column(status, cards[status], many.get(status, 0)) for status in shown]


def first_of_each(issues: Any) -> Any:
    """The most urgent ones of each status; of the closed ones the newest."""
    live = Run.objects.live().filter(pk=OuterRef("checkout_run"))
    order: list[Any] = [F("completed_at").desc(nulls_last=True), "priority", "number"]
    place = Window(RowNumber(), partition_by="status", order_by=order)
    rows = issues.annotate(place=place, is_held=Exists(live)).filter(place__lte=SHOWN)
    return rows.select_related("assignee_agent", "assignee_user").order_by("place")


@require_POST
def move(request: HttpRequest, pk: str) -> HttpResponse:
    """Move a card. A refusal is answered in the words of the verb, for the toast."""
    row, actor = one(request, pk), Desk.of(request).actor
    status = request.POST.get("status", "")
    try:
        if status not in Issue.Status.values:
            raise Invalid(_("There is no such column."))
        if status != row.status:
            row.change(by=actor, status=status)
    except Refused as no:
        return JsonResponse({"error": str(no)}, status=no.status)
    said = _("%(issue)s moved to “%(status)s”.")
    words = {"issue": row.identifier, "status": Issue.Status(row.status).label}
    return JsonResponse({"status": row.status, "said": said % words})
