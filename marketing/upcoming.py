"""What happens next, by the clock: jobs, routines, and agents that wake."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from django.urls import reverse
from django.utils.timezone import now

from agents.models import Agent
from issues.models import RoutineTrigger
from marketing.models import JobRun, JobSchedule
from paperclip.actors import SYSTEM

if TYPE_CHECKING:
    from paperclip.models import Company

KINDS = ("job", "routine", "agent")


class Coming(NamedTuple):
    """`at` is in the past when its time has come and the clock has not been by."""

    at: datetime
    kind: str
    name: str
    url: str


def next_run(schedule: JobSchedule) -> datetime | None:
    """When Celery Beat rings for it; None while it is off."""
    task = schedule.task
    if not (schedule.is_on and task.enabled):
        return None
    since = task.last_run_at or task.date_changed
    # Beat writes down later when it rang; what it rang for says so at once.
    runs = JobRun.objects.filter(company=schedule.company_id, job=schedule.job)
    rung = runs.filter(started_by=SYSTEM.name).first()
    since = max(since, rung.created_at) if rung else since
    left: timedelta = task.schedule.remaining_estimate(since)
    return now() + left


def coming_up(company: Company, most: int = 12) -> list[Coming]:
    """The next of all that, the earliest first; empty while the company is stopped."""
    if company.status != "active":
        return []
    found = [*jobs(company), *routines(company), *agents(company)]
    return sorted(found)[:most]


def jobs(company: Company) -> list[Coming]:
    rows = JobSchedule.objects.filter(company=company)
    found = []
    for row in rows.select_related("task__interval", "task__crontab"):
        if (at := next_run(row)) is not None:
            found.append(Coming(at, "job", str(row), reverse("admin:marketing")))
    return found


def routines(company: Company) -> list[Coming]:
    rows = RoutineTrigger.objects.filter(
        company=company,
        enabled=True,
        next_run_at__isnull=False,
        routine__status="active",
    )
    return [
        Coming(
            row.next_run_at,
            "routine",
            row.routine.title,
            reverse("admin:routine", args=[row.routine_id]),
        )
        for row in rows.select_related("routine").order_by("next_run_at")[:20]
    ]


def agents(company: Company) -> list[Coming]:
    rows = Agent.objects.invokable().filter(
        company=company, heartbeat_enabled=True, next_heartbeat_at__isnull=False
    )
    return [
        Coming(
            row.next_heartbeat_at,
            "agent",
            row.name,
            reverse("admin:agent", args=[row.pk]),
        )
        for row in rows.order_by("next_heartbeat_at")[:20]
    ]
