"""Costs where they meet the work: told to us from outside, and summed by project."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import OuterRef, Subquery, UUIDField
from django.db.models.functions import Coalesce
from django.utils.timezone import now
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agents.api.cost_shapes import CostEventShape, ProjectCostShape
from agents.api.costs import CostEndpoint, Span
from agents.api.forms import colleagues
from agents.models import CostEvent, Run
from issues.api.forms import goals, issues, projects
from issues.models import Issue, Project
from paperclip.actors import Actor
from paperclip.api.forms import Form, Row, Text, Whole
from paperclip.api.schema import doc

CENT = 10_000  # millionths of a dollar
# Clocks differ. More is a mistake, which would count in another month's budget.
EARLY = timedelta(minutes=5)


def runs(actor: Actor) -> Any:
    return Run.objects.visible_to(actor)


class CostEventForm(Form):
    agentId = Row(colleagues, source="agent")
    issueId = Row(issues, source="issue", allow_null=True, required=False)
    projectId = Row(projects, source="project", allow_null=True, required=False)
    goalId = Row(goals, source="goal", allow_null=True, required=False)
    heartbeatRunId = Row(runs, source="run", allow_null=True, required=False)
    billingCode = Text(
        source="billing_code", max_length=64, allow_null=True, required=False
    )
    provider = Text(max_length=60)
    biller = Text(max_length=60, required=False)
    billingType = Text(source="billing_type", max_length=24, default="unknown")
    model = Text(max_length=200)
    inputTokens = Whole(source="input_tokens", default=0)
    cachedInputTokens = Whole(source="cached_input_tokens", default=0)
    outputTokens = Whole(source="output_tokens", default=0)
    costCents = Whole(source="cost_cents", allow_null=True)
    occurredAt = serializers.DateTimeField(source="occurred_at", required=False)

    def validate_occurredAt(self, moment: datetime) -> datetime:
        if moment > now() + EARLY:
            raise serializers.ValidationError("This has not happened yet.")
        return moment


class CostEvents(CostEndpoint):
    @doc(
        "create_cost_event",
        "Tell what a model call of an agent cost",
        takes=CostEventForm,
        gives=CostEventShape,
        status=201,
    )
    def post(self, request: Request, **path: str) -> Response:
        company, fields = self.company(), self.read(CostEventForm)
        event = CostEvent.objects.report(company, by=self.actor, **columns(fields))
        return Response(CostEventShape(event).data, status=201)


def columns(told: dict[str, Any]) -> dict[str, Any]:
    """The form's fields as the ledger has them."""
    price = told.pop("cost_cents")
    told["cost_micros"] = None if price is None else price * CENT
    issue, project = told.pop("issue", None), told.pop("project", None)
    goal = told.pop("goal", None)
    return {
        **told,
        "biller": told.get("biller", told["provider"]),
        "belongs": [row for row in (issue, project, goal) if row],
        "issue_id": issue and issue.pk,
        "project_id": issue.project_id if issue else project and project.pk,
        "goal_id": goal and goal.pk,
    }


class ByProject(CostEndpoint):
    @doc(
        "list_costs_by_project",
        "What each project cost, the dearest first; calls for none are left out",
        gives=ProjectCostShape,
        query=Span,
    )
    def get(self, request: Request, **path: str) -> Response:
        of_issue = Issue.objects.filter(pk=OuterRef("issue_id")).values("project_id")
        placed = self.events().annotate(
            found_project=Coalesce(
                "project_id", Subquery(of_issue), output_field=UUIDField()
            )
        )
        rows = list(placed.exclude(found_project=None).summed("found_project"))
        names = Project.objects.in_bulk([row["found_project"] for row in rows])
        for row in rows:
            project = names.get(row["found_project"])
            row["project_name"] = project and project.name
        return Response(ProjectCostShape(rows, many=True).data)
