"""What answers about money look like. Cents are rounded up."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework.serializers import (
    CharField,
    FloatField,
    IntegerField,
    SerializerMethodField,
    UUIDField,
)

from agents.models import CostEvent
from paperclip.api.shapes import Moment, Shape
from paperclip.models.spender import cents


class CostEventShape(Shape):
    id = UUIDField()
    companyId = UUIDField(source="company_id")
    agentId = UUIDField(source="agent_id")
    issueId = UUIDField(source="issue_id", allow_null=True)
    projectId = UUIDField(source="project_id", allow_null=True)
    goalId = UUIDField(source="goal_id", allow_null=True)
    heartbeatRunId = UUIDField(source="run_id", allow_null=True)
    billingCode = CharField(source="billing_code", allow_null=True)
    provider = CharField()
    biller = CharField()
    billingType = CharField(source="billing_type")
    costStatus = SerializerMethodField(help_text="reported, or unknown: no price")
    model = CharField()
    inputTokens = IntegerField(source="input_tokens")
    cachedInputTokens = IntegerField(source="cached_input_tokens")
    outputTokens = IntegerField(source="output_tokens")
    costCents = SerializerMethodField(help_text="null when nobody told the price")
    occurredAt = Moment(source="occurred_at")
    createdAt = Moment(source="created_at")

    def get_costStatus(self, event: CostEvent) -> str:
        return "unknown" if event.cost_micros is None else "reported"

    @extend_schema_field({"type": ["integer", "null"]})
    def get_costCents(self, event: CostEvent) -> int | None:
        return None if event.cost_micros is None else cents(event.cost_micros)


class CostSummaryShape(Shape):
    companyId = UUIDField()
    spendCents = IntegerField()
    budgetCents = IntegerField(help_text="0: no budget")
    utilizationPercent = FloatField()
    unpricedCalls = IntegerField(help_text="Calls whose price nobody told: not in it.")


class SumShape(Shape):
    """What some calls used and cost."""

    costCents = SerializerMethodField()
    inputTokens = IntegerField(source="input_tokens")
    cachedInputTokens = IntegerField(source="cached_input_tokens")
    outputTokens = IntegerField(source="output_tokens")
    unpricedCalls = IntegerField(source="unpriced")

    def get_costCents(self, row: dict[str, Any]) -> int:
        return cents(row["micros"])


class AgentCostShape(SumShape):
    agentId = UUIDField(source="agent_id")
    agentName = CharField(source="agent__name")
    agentStatus = CharField(source="agent__status")
    apiRunCount = IntegerField(source="api_runs")
    subscriptionRunCount = IntegerField(source="subscription_runs")
    subscriptionInputTokens = IntegerField(source="subscription_input")
    subscriptionCachedInputTokens = IntegerField(source="subscription_cached")
    subscriptionOutputTokens = IntegerField(source="subscription_output")


class ProjectCostShape(SumShape):
    projectId = UUIDField(source="found_project", allow_null=True)
    projectName = CharField(source="project_name", allow_null=True)
