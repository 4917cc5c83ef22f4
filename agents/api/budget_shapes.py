"""What answers about budgets look like. An amount is in whole units of its metric:
cents, tokens, runs or minutes, rounded up."""

from __future__ import annotations

from typing import Any

from rest_framework.serializers import (
    BooleanField,
    CharField,
    FloatField,
    IntegerField,
    SerializerMethodField,
    UUIDField,
)

from agents.limits import Standing
from agents.models import BudgetIncident
from agents.models.budget import UNITS
from paperclip.api.shapes import Moment, Shape


class BudgetShape(Shape):
    """A limit, and how it stands (a Standing)."""

    policyId = UUIDField(source="policy.pk")
    companyId = UUIDField(source="policy.company_id")
    scopeType = CharField(source="policy.scope_type")
    scopeId = UUIDField(source="policy.scope_id")
    scopeName = CharField(source="name")
    metric = CharField(source="policy.metric")
    windowKind = CharField(source="policy.window_kind")
    amount = IntegerField(source="policy.amount", help_text="0: no limit")
    observedAmount = IntegerField(source="observed")
    reservedAmount = IntegerField(
        source="reserved", help_text="Set aside for calls and runs under way."
    )
    remainingAmount = IntegerField(source="remaining")
    utilizationPercent = FloatField(source="percent")
    warnPercent = IntegerField(source="policy.warn_percent")
    hardStopEnabled = BooleanField(source="policy.hard_stop")
    notifyEnabled = BooleanField(source="policy.notify")
    isActive = BooleanField(source="policy.is_active")
    status = CharField(help_text="ok, warning or hard_stop")
    paused = BooleanField(source="is_paused")
    pauseReason = CharField(source="pause_reason", allow_null=True)
    windowStart = Moment(source="starts_at")
    windowEnd = Moment(source="ends_at", allow_null=True)
    forecast = SerializerMethodField(
        help_text="What a run uses (p50, p90) by those that ended lately, and for how"
        " many more what remains is enough."
    )

    def get_forecast(self, standing: Standing) -> dict[str, float | None]:
        found, unit = standing.forecast, standing.policy.unit
        left = standing.policy.limit - standing.counter.spent
        lasts = found.lasts(max(0, left))
        return {
            "runs": found.count,
            "p50": round(found.p50 / unit, 2),
            "p90": round(found.p90 / unit, 2),
            "runsLeft": lasts and lasts[0],
            "runsLeftAtP90": lasts and lasts[1],
        }


class IncidentShape(Shape):
    id = UUIDField()
    companyId = UUIDField(source="company_id")
    policyId = SerializerMethodField()
    scopeType = CharField(source="scope_type")
    scopeId = UUIDField(source="scope_id")
    scopeName = SerializerMethodField(help_text="From the context: `names` by id.")
    metric = CharField()
    windowStart = Moment(source="counter.starts_at")
    thresholdType = CharField(source="threshold", help_text="soft or hard")
    amountLimit = SerializerMethodField()
    amountObserved = SerializerMethodField()
    status = CharField(help_text="open, dismissed (kept paused) or resolved")
    approvalId = UUIDField(source="approval_id", allow_null=True)
    stoppedRuns = SerializerMethodField(help_text="So many go on when it is raised.")
    createdAt = Moment(source="created_at")
    resolvedAt = Moment(source="resolved_at", allow_null=True)

    def get_policyId(self, incident: BudgetIncident) -> str | None:
        policy = incident.counter.policy
        return str(policy.pk) if policy else None

    def get_scopeName(self, incident: BudgetIncident) -> str | None:
        name: Any = self.context["names"].get(incident.scope_id)
        return str(name) if name else None

    def get_amountLimit(self, incident: BudgetIncident) -> int:
        return incident.limit // UNITS[incident.metric]

    def get_amountObserved(self, incident: BudgetIncident) -> int:
        return -(-incident.observed // UNITS[incident.metric])

    def get_stoppedRuns(self, incident: BudgetIncident) -> int:
        return incident.runs.count()


class OverviewShape(Shape):
    companyId = UUIDField()
    policies = BudgetShape(many=True)
    activeIncidents = IncidentShape(many=True)
    pausedAgentCount = IntegerField()
    pausedProjectCount = IntegerField()
    pendingApprovalCount = IntegerField()
