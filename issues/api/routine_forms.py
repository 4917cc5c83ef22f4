"""What requests about routines may say."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from agents.api.forms import colleagues
from agents.models import Secret
from issues.api.criteria_forms import Values
from issues.api.forms import PriorityField, goals, issues, projects, prose
from issues.models import Routine, RoutineTrigger
from issues.variables import TYPES
from issues.webhooks import SIGNING
from paperclip.actors import Actor
from paperclip.api.forms import Flag, Form, Row, Text, Whole

MOST_VARIABLES = 50


def secrets(actor: Actor) -> QuerySet[Secret]:
    return Secret.objects.visible_to(actor)


class VariableForm(Form):
    name = Text(max_length=64)
    label = Text(max_length=120, allow_null=True, allow_blank=True, required=False)  # type: ignore[assignment]
    type = serializers.ChoiceField(list(TYPES), required=False, default="text")
    default = serializers.JSONField(allow_null=True, required=False)  # type: ignore[assignment]
    required = Flag(required=False, default=False)  # type: ignore[assignment]
    options = serializers.ListField(
        child=Text(max_length=200), max_length=100, required=False
    )


class RoutineCriterionForm(Form):
    check = Text(max_length=64, help_text="The key of a check of the catalogue.")
    parameters = Values(required=False)


class RoutineForm(Form):
    title = Text(max_length=300)
    description = prose(help_text="{{name}} stands for the value of a variable.")
    assigneeAgentId = Row(
        colleagues, source="assignee_agent", allow_null=True, required=False
    )
    projectId = Row(projects, source="project", allow_null=True, required=False)
    goalId = Row(goals, source="goal", allow_null=True, required=False)
    parentIssueId = Row(issues, source="parent_issue", allow_null=True, required=False)
    priority = PriorityField(required=False)
    status = serializers.ChoiceField(Routine.Status.choices, required=False)
    concurrencyPolicy = serializers.ChoiceField(
        Routine.Concurrency.choices,
        source="concurrency_policy",
        required=False,
        help_text="What happens while an issue of equal work is open.",
    )
    catchUpPolicy = serializers.ChoiceField(
        Routine.CatchUp.choices,
        source="catch_up_policy",
        required=False,
        help_text="How many of the times missed while nothing ran are made up for:"
        " the last one, the last 25, or none.",
    )
    variables = VariableForm(many=True, required=False, max_length=MOST_VARIABLES)  # type: ignore[call-arg]
    criteria = RoutineCriterionForm(
        many=True,
        required=False,
        help_text="What each of its issues has to prove; people only.",
    )


class TriggerFields(Form):
    label = Text(max_length=120, allow_null=True, allow_blank=True, required=False)  # type: ignore[assignment]
    enabled = Flag(required=False)
    cronExpression = Text(
        source="cron_expression",
        max_length=120,
        required=False,
        help_text="Five fields: minute, hour, day of the month, month, weekday.",
    )
    timezone = Text(
        source="time_zone", max_length=64, required=False, help_text="An IANA name."
    )
    signingMode = serializers.ChoiceField(
        list(SIGNING), source="signing_mode", required=False
    )
    replayWindowSec = Whole(source="replay_window_sec", required=False)
    secretId = Row(
        secrets,
        source="company_secret",
        allow_null=True,
        required=False,
        help_text="A secret of the company to verify calls with; null: one of its own.",
    )


class TriggerForm(TriggerFields):
    kind = serializers.ChoiceField(RoutineTrigger.Kind.choices)


class RunForm(Form):
    triggerId = serializers.UUIDField(allow_null=True, required=False)
    source = serializers.ChoiceField(  # type: ignore[assignment]
        ["manual", "api"], required=False, default="manual"
    )
    payload = serializers.DictField(allow_null=True, required=False)
    variables = serializers.DictField(
        allow_null=True, required=False, help_text="Values by name."
    )
    idempotencyKey = Text(max_length=255, allow_null=True, required=False)


class CallForm(serializers.Serializer):
    """What a webhook sends: any JSON object. Of it, these count."""

    variables = serializers.DictField(required=False)
    idempotencyKey = Text(max_length=255, required=False)


def run_of(form: dict[str, Any]) -> dict[str, Any]:
    """What the verb takes of a request to run."""
    return {
        "source": form["source"],
        "payload": form.get("payload"),
        "values": form.get("variables"),
        "key": form.get("idempotencyKey") or "",
    }
