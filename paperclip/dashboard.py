"""The numbers of the dashboard: a fixed number of queries, however many agents."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Count, OuterRef, Q, Subquery
from django.utils.timezone import localtime

from agents.models import Agent, Run
from issues.models import Issue
from paperclip import feed
from paperclip.models import Activity, Company

NEWEST = 12
# What a list of runs does not show.
LONG = ("stdout_excerpt", "stderr_excerpt", "result")


def of(company: Company) -> dict[str, Any]:
    """What the dashboard of a company shows."""
    return {
        "agents": staff(company),
        "counts": counts(company),
        "activity": feed.lines(Activity.objects.filter(company=company)[:NEWEST]),
    }


def staff(company: Company) -> list[Agent]:
    """The employed agents, each with what it holds, its last run and its next one."""
    ended = Run.objects.filter(agent=OuterRef("pk"), status__in=Run.ENDED)
    rows = Agent.objects.employed().filter(company=company).with_state()
    rows = rows.select_related("company").annotate(
        last_run_id=Subquery(ended.order_by("-created_at").values("pk")[:1])
    )
    agents = list(rows)
    lean = Run.objects.filter(company=company).defer(*LONG)
    last = lean.in_bulk([agent.last_run_id for agent in agents])
    held = held_by(company)
    running: dict[UUID, Run] = {}
    queued: dict[UUID, Run] = {}
    for run in lean.open().order_by("-created_at"):
        (queued if run.status == Run.Status.QUEUED else running)[run.agent_id] = run
    for agent in agents:
        agent.last_run = last.get(agent.last_run_id)
        agent.running = running.get(agent.pk)
        agent.queued = queued.get(agent.pk)
        agent.held = held.get(agent.pk)
    return agents


def held_by(company: Company) -> dict[UUID, Issue]:
    """The issue each agent holds right now."""
    live = Run.objects.live().filter(company=company)
    held = Issue.objects.filter(checkout_run__in=live).select_related("checkout_run")
    return {issue.checkout_run.agent_id: issue for issue in held}


def counts(company: Company) -> dict[str, int]:
    issues = Issue.objects.shown().filter(company=company)
    today = localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    runs = Run.objects.filter(company=company, started_at__gte=today)
    bad = Q(status__in=[Run.Status.FAILED, Run.Status.TIMED_OUT])
    return {
        **issues.open().aggregate(
            open=Count("pk"),
            in_progress=Count("pk", filter=Q(status=Issue.Status.IN_PROGRESS)),
            blocked=Count("pk", filter=Q(status=Issue.Status.BLOCKED)),
        ),
        **runs.aggregate(runs=Count("pk"), failed=Count("pk", filter=bad)),
    }
