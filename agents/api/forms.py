"""What requests about agents may say."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from agents.models import Agent, Run
from agents.models.roles import ROLES
from paperclip.actors import Actor
from paperclip.api.forms import Flag, Form, Row, Text, Whole
from paperclip.exceptions import Invalid


def colleagues(actor: Actor) -> QuerySet[Agent]:
    return Agent.objects.visible_to(actor).select_related("company")


class ConfigForm(Form):
    """A part of an agent's configuration: a key it does not know is Invalid (422)."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            known = ", ".join(self.fields)
            raise Invalid(
                f"{self.field_name} takes {known}; not {', '.join(unknown)}.",
                code="unknown_config_key",
                keys=unknown,
            )
        return super().to_internal_value(data)


class HeartbeatForm(ConfigForm):
    enabled = Flag(source="heartbeat_enabled", required=False)
    intervalSec = Whole(source="interval_seconds", required=False)
    wakeOnDemand = Flag(source="wake_on_demand", required=False)
    maxConcurrentRuns = Whole(
        source="max_concurrent_runs", min_value=1, max_value=10, required=False
    )
    skipUnchanged = Flag(source="skip_unchanged", required=False)
    activeDays = serializers.ListField(
        child=Whole(max_value=6),
        source="active_days",
        max_length=7,
        required=False,
        help_text="0 is Monday. Empty: every day.",
    )
    activeFrom = serializers.TimeField(
        source="active_from", allow_null=True, required=False
    )
    activeTo = serializers.TimeField(
        source="active_to", allow_null=True, required=False
    )
    timeZone = Text(
        source="time_zone",
        max_length=64,
        allow_blank=True,
        required=False,
        help_text="An IANA name; empty: the instance's.",
    )


class RuntimeForm(ConfigForm):
    heartbeat = HeartbeatForm(source="*", required=False)


class AgentForm(Form):
    name = Text(max_length=80)
    role = serializers.ChoiceField(ROLES, required=False)
    title = Text(max_length=120, allow_null=True, allow_blank=True, required=False)
    icon = Text(max_length=40, allow_null=True, allow_blank=True, required=False)
    capabilities = Text(
        max_length=10_000, allow_null=True, allow_blank=True, required=False
    )
    tools = serializers.ListField(
        child=Text(max_length=40), max_length=200, required=False
    )
    reportsTo = Row(colleagues, source="reports_to", allow_null=True, required=False)
    reviewerAgentId = Row(
        colleagues, source="reviewer", allow_null=True, required=False
    )
    adapterType = Text(source="adapter_type", max_length=32, required=False)
    adapterConfig = serializers.DictField(source="adapter_config", required=False)
    runtimeConfig = RuntimeForm(source="*", required=False)
    budgetMonthlyCents = Whole(source="budget_monthly_cents", required=False)
    permissions = serializers.DictField(child=Flag(), required=False)
    metadata = serializers.DictField(allow_null=True, required=False)


class AgentChange(AgentForm):
    replaceAdapterConfig = Flag(required=False, default=False)


class PermissionsForm(Form):
    canAssignTasks = Flag(required=False)
    canCreateAgents = Flag(required=False)
    canConfigureAgents = Flag(required=False)


class ScopeForm(Form):
    kind = serializers.ChoiceField(["standard"])


class KeyForm(Form):
    name = Text(max_length=80, allow_blank=True, required=False, default="")
    scope = ScopeForm(required=False)


class CompanyFilter(serializers.Serializer):
    companyId = serializers.UUIDField(
        required=False, help_text="Whose agent, when the path has a name."
    )


class RunFilter(serializers.Serializer):
    agentId = serializers.UUIDField(source="agent_id", required=False)
    issueId = serializers.UUIDField(source="issue_id", required=False)
    status = serializers.ChoiceField(Run.Status.choices, required=False)


class EventFilter(serializers.Serializer):
    afterSeq = serializers.IntegerField(
        min_value=0, max_value=2**31 - 1, required=False, default=0
    )


class OutsideForm(Form):
    origin = Text(max_length=200, help_text="What it reads, such as a page's address.")


class LogFilter(serializers.Serializer):
    offset = serializers.IntegerField(
        min_value=0, max_value=2**62, required=False, default=0
    )
    limitBytes = serializers.IntegerField(
        min_value=1024, max_value=1_000_000, required=False, default=256_000
    )
