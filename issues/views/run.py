"""The page of one run, and its log as it grows."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from agents import retention, runlog, spending, transcript
from agents.models import CostEvent, Run
from issues.models import Issue
from paperclip.desk import Desk, attempt, back, page

# A page starts with the end of a long log.
TAIL = 200_000


def one(request: HttpRequest, pk: Any) -> Run:
    found: Run = Desk.of(request).one(Run.objects.select_related("agent__company"), pk)
    return found


@require_GET
def run(request: HttpRequest, pk: Any) -> HttpResponse:
    row = one(request, pk)
    size = row.log_file.stat().st_size if row.log_file.exists() else 0
    about = Issue.objects.filter(company=row.company_id, pk__in=[row.issue_id])
    has_talk = transcript.exists(row)
    begin = 0 if request.GET.get("log") == "all" else max(0, size - TAIL)
    return page(
        request,
        "issues/run.html",
        company=row.agent.company,
        title=_("Run of %(agent)s") % {"agent": row.agent},
        crumbs=[(_("Runs"), reverse("admin:agents_run_changelist"))],
        run=row,
        issue=about.first() if row.issue_id else None,
        events=row.events.all(),
        events_gone=retention.is_over("KEEP_EVENTS_DAYS", row.finished_at),
        keep_events=settings.KEEP_EVENTS_DAYS,
        log_gone=runlog.absence(row),
        begin=begin,
        spend=spending.total(CostEvent.objects.filter(run=row)),
        has_talk=has_talk,
        shows_talk=has_talk and request.GET.get("view") != "log",
        talk_begin=transcript.BEGIN,
    )


@require_GET
def log(request: HttpRequest, pk: Any) -> HttpResponse:
    """The log from a byte on, and where to go on; null when it has ended."""
    row = one(request, pk)
    asked = request.GET.get("offset", "")
    whole = asked.isascii() and asked.isdigit() and len(asked) < 16
    offset = int(asked) if whole else 0
    text, following = runlog.read(row, offset)
    return JsonResponse({"lines": list(runlog.lines(text)), "next": following})


@require_GET
def talk(request: HttpRequest, pk: Any) -> HttpResponse:
    """The transcript from a place on, as HTML, and where to go on; null at its end."""
    row = one(request, pk)
    entries, following = transcript.read(row, request.GET.get("offset", ""))
    html = render_to_string("issues/_talk.html", {"entries": entries})
    return JsonResponse({"html": html, "next": following})


@require_POST
def stop(request: HttpRequest, pk: Any) -> HttpResponse:
    row, desk = one(request, pk), Desk.of(request)

    def act() -> None:
        desk.actor.must_be_operator(row.company_id, "stop a run")
        row.cancel(by=desk.actor, why=_("%(who)s stopped it.") % {"who": desk.actor})

    attempt(request, act, _("The run is stopped."))
    return back(request, reverse("admin:run", args=[row.pk]))
