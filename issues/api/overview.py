"""The numbers of a company at a glance."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any

from django.db.models import Count
from django.db.models.functions import TruncDate
from django.utils.timezone import now
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import (
    DictField,
    FloatField,
    IntegerField,
    ListField,
    UUIDField,
)

from agents.api.costs import summary
from agents.models import Agent, Approval, BudgetIncident, CostEvent, Run
from issues.models import Issue, Project
from issues.models.base import CLOSED
from paperclip.api.schema import doc
from paperclip.api.shapes import Shape
from paperclip.api.views import Endpoint
from paperclip.models import Company
from paperclip.models.spender import SPENT

DAYS = 14


class DashboardShape(Shape):
    companyId = UUIDField()
    agents = DictField(child=IntegerField(), help_text="active, running, paused, error")
    tasks = DictField(child=IntegerField(), help_text="open, inProgress, blocked, done")
    costs = DictField(
        child=FloatField(),
        help_text="monthSpendCents, monthBudgetCents, monthUtilizationPercent",
    )
    pendingApprovals = IntegerField()
    budgets = DictField(
        child=IntegerField(),
        help_text="activeIncidents, pendingApprovals, pausedAgents, pausedProjects",
    )
    runActivity = ListField(
        child=DictField(), help_text="How runs ended on each of 14 days (UTC)."
    )


class Dashboard(Endpoint):
    @doc("get_dashboard", "The numbers of a company", gives=DashboardShape)
    def get(self, request: Request, **path: str) -> Response:
        company = self.company()
        cards = Approval.objects.open().filter(company=company)
        waiting = Counter(cards.order_by().values_list("type", flat=True))
        return Response(
            {
                "companyId": str(company.pk),
                "agents": agents_of(company),
                "tasks": tasks_of(company),
                "costs": costs_of(company),
                "pendingApprovals": waiting.total(),
                "budgets": budgets_of(company, waiting["budget_override_required"]),
                "runActivity": runs_of(company),
            }
        )


def agents_of(company: Company) -> dict[str, int]:
    """How many are in each state; `active` are those that can be woken and rest."""
    staff = Agent.objects.filter(company=company).employed().with_state()
    states = Counter(agent.state for agent in staff.only("status"))
    counted = {name: states[name] for name in ("running", "paused", "error")}
    return {"active": states["idle"], **counted}


def tasks_of(company: Company) -> dict[str, int]:
    shown = Issue.objects.filter(company=company).shown().order_by()
    counted = dict(shown.values_list("status").annotate(Count("pk")))
    return {
        "open": sum(n for status, n in counted.items() if status not in CLOSED),
        "inProgress": counted.get("in_progress", 0),
        "blocked": counted.get("blocked", 0),
        "done": counted.get("done", 0),
    }


def costs_of(company: Company) -> dict[str, float]:
    spent = summary(company, CostEvent.objects.filter(company=company).this_month())
    return {
        "monthSpendCents": spent["spendCents"],
        "monthBudgetCents": spent["budgetCents"],
        "monthUtilizationPercent": spent["utilizationPercent"],
    }


def budgets_of(company: Company, waiting: int) -> dict[str, int]:
    incidents = BudgetIncident.objects.filter(company=company)
    paused = {"company": company, "pause_reason": SPENT}
    return {
        "activeIncidents": incidents.open().count(),
        "pendingApprovals": waiting,
        "pausedAgents": Agent.objects.employed().filter(**paused).count(),
        "pausedProjects": Project.objects.filter(**paused).count(),
    }


def runs_of(company: Company) -> list[dict[str, Any]]:
    today = now().date()
    days = [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    ended = (
        Run.objects.filter(company=company, finished_at__date__gte=days[0])
        .order_by()
        .annotate(day=TruncDate("finished_at"))
        .values_list("day", "status", "error_code")
        .annotate(Count("pk"))
    )
    table: dict[date, Counter[str]] = {day: Counter() for day in days}
    codes: dict[date, Counter[str]] = {day: Counter() for day in days}
    for day, status, code, number in ended:
        bad = status in ("failed", "timed_out")
        kind = "failed" if bad else "succeeded" if status == "succeeded" else "other"
        table[day][kind] += number
        if bad:
            codes[day][code or status] += number
    return [
        {
            "date": day.isoformat(),
            **{kind: table[day][kind] for kind in ("succeeded", "failed", "other")},
            "total": table[day].total(),
            "failedByErrorCode": dict(codes[day]),
        }
        for day in days
    ]
