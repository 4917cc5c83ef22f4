"""What the agents of a company cost, over HTTP."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q, Sum
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agents.api.cost_shapes import AgentCostShape, CostSummaryShape
from agents.models import CostEvent
from agents.models.cost import CostEventQuerySet
from paperclip.api.forms import Form
from paperclip.api.schema import doc
from paperclip.api.views import Endpoint
from paperclip.models import Company
from paperclip.models.spender import cents

# A subscription is paid whether it is used or not: tokens, and no money for each.
SUBSCRIBED = Q(billing_type__startswith="subscription")


class Span(Form):
    """Both ends are optional; without any it is this calendar month (UTC)."""

    # `from` is a word of Python.
    locals()["from"] = serializers.DateTimeField(required=False)
    to = serializers.DateTimeField(required=False)


class CostEndpoint(Endpoint):
    def events(self) -> CostEventQuerySet:
        """The company's events of the time that was asked for."""
        events = CostEvent.objects.filter(company=self.company())
        span = self.query(Span)
        if not span:
            return events.this_month()
        ends = {"from": "occurred_at__gte", "to": "occurred_at__lt"}
        return events.filter(**{ends[name]: moment for name, moment in span.items()})


class Summary(CostEndpoint):
    @doc(
        "get_cost_summary",
        "What a company spent, of what it may",
        gives=CostSummaryShape,
        query=Span,
    )
    def get(self, request: Request, **path: str) -> Response:
        return Response(summary(self.company(), self.events()))


def summary(company: Company, events: CostEventQuerySet) -> dict[str, Any]:
    """What a company spent by these events, in cents and of its monthly budget."""
    sums = events.sums()
    spent, budget = cents(sums["micros"]), company.budget_monthly_cents
    return {
        "companyId": str(company.pk),
        "spendCents": spent,
        "budgetCents": budget,
        "utilizationPercent": round(100 * spent / budget, 2) if budget else 0,
        "unpricedCalls": sums["unpriced"],
    }


class ByAgent(CostEndpoint):
    @doc(
        "list_costs_by_agent",
        "What each agent spent, the dearest first",
        gives=AgentCostShape,
        query=Span,
    )
    def get(self, request: Request, **path: str) -> Response:
        rows = self.events().summed(
            "agent_id",
            "agent__name",
            "agent__status",
            api_runs=Count("run", filter=~SUBSCRIBED, distinct=True),
            subscription_runs=Count("run", filter=SUBSCRIBED, distinct=True),
            subscription_input=Sum("input_tokens", filter=SUBSCRIBED, default=0),
            subscription_cached=Sum(
                "cached_input_tokens", filter=SUBSCRIBED, default=0
            ),
            subscription_output=Sum("output_tokens", filter=SUBSCRIBED, default=0),
        )
        return Response(AgentCostShape(rows, many=True).data)
