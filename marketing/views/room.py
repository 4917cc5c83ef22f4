"""The marketing control room: the six jobs, what they did, and what comes next."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from issues.models import Issue
from marketing import upcoming
from marketing.models import (
    JobRun,
    JobSchedule,
    Message,
    Post,
    Site,
    SubmissionPacket,
)
from marketing.models.job import ALERT
from marketing.rehearsal import ports
from marketing.standing import cards, timeline
from paperclip.desk import Desk, attempt, page

RUNS, SHOWN = 120, 25


@require_GET
def room(request: HttpRequest) -> HttpResponse:
    company = Desk.of(request).company
    site = Site.objects.filter(company=company).select_related("agent").first()
    rows = JobRun.objects.filter(company=company).select_related("issue")[:RUNS]
    runs = list(rows)
    open_ones = Issue.objects.open().filter(company=company)
    return page(
        request,
        "marketing/room.html",
        title=_("Marketing"),
        site=site,
        taken=ports.in_words(ports.noted(ports.place_of(company.pk)).values())
        if company.rehearsal
        else "",
        cards=cards(company, runs),
        timeline=timeline(runs)[:SHOWN],
        coming=upcoming.coming_up(company),
        alerts=open_ones.filter(origin_kind=ALERT).order_by("-updated_at")[:10],
        unproven=JobRun.objects.filter(company=company, issue__status="in_review")
        .select_related("issue")
        .order_by("-tick_at")[:10],
        posts_waiting=Post.objects.filter(
            company=company, state=Post.State.AWAITING
        ).count(),
        mails_waiting=Message.objects.filter(
            company=company, state=Message.State.AWAITING
        ).count(),
        packets=SubmissionPacket.objects.filter(
            company=company, state=SubmissionPacket.State.OPEN
        ).select_related("directory"),
    )


def schedule_of(request: HttpRequest, job: str) -> JobSchedule:
    """404 for a job that there is not, or is another company's."""
    desk = Desk.of(request)
    rows = JobSchedule.objects.filter(company=desk.company, job=job)
    found: JobSchedule = desk.one(rows, rows.values_list("pk", flat=True).first())
    return found


@require_POST
def run(request: HttpRequest, job: str) -> HttpResponse:
    desk, schedule = Desk.of(request), schedule_of(request, job)

    def act() -> JobRun:
        desk.actor.must_be_operator(schedule.company_id, "run a job")
        return JobRun.objects.start(schedule.company, job, by=desk.actor)

    def said(row: JobRun) -> str:
        if row.status == JobRun.Status.BLOCKED:
            return row.note
        return _("%(job)s begins as soon as its agent is free.") % {"job": schedule}

    attempt(request, act, said)
    return redirect("admin:marketing")


@require_POST
def switch(request: HttpRequest, job: str) -> HttpResponse:
    desk, schedule = Desk.of(request), schedule_of(request, job)
    on = request.POST.get("on") == "1"
    word = _("%(job)s runs again.") if on else _("%(job)s is switched off.")
    attempt(
        request,
        lambda: schedule.switch(on, by=desk.actor),
        word % {"job": schedule},
    )
    return redirect("admin:marketing")


@require_POST
def every(request: HttpRequest, job: str) -> HttpResponse:
    desk, schedule = Desk.of(request), schedule_of(request, job)
    told = request.POST.get("hours", "")
    hours = int(told) if told.isdecimal() else 0
    attempt(
        request,
        lambda: schedule.run_every(hours, by=desk.actor),
        _("%(job)s: every %(n)s hours.") % {"job": schedule, "n": hours},
    )
    return redirect("admin:marketing")


@require_POST
def stop(request: HttpRequest) -> HttpResponse:
    """All jobs at once, or on again."""
    desk = Desk.of(request)
    site = desk.one(
        Site.objects.filter(company=desk.company),
        Site.objects.filter(company=desk.company).values_list("pk", flat=True).first(),
    )
    stopped = request.POST.get("on") != "1"
    word = _("All jobs are stopped.") if stopped else _("The jobs run again.")
    attempt(request, lambda: site.switch(not stopped, by=desk.actor), word)
    return redirect("admin:marketing")
