"""What answers about routines look like."""

from __future__ import annotations

from typing import Any

from rest_framework.serializers import (
    BooleanField,
    CharField,
    IntegerField,
    JSONField,
    ListField,
    SerializerMethodField,
    UUIDField,
)

from issues import webhooks
from issues.api.shapes import PriorityName
from issues.models import RoutineTrigger
from paperclip.api.shapes import Moment, Shape, Unset


class RoutineShape(Shape):
    id = UUIDField()
    companyId = UUIDField(source="company_id")
    projectId = UUIDField(source="project_id", allow_null=True)
    goalId = UUIDField(source="goal_id", allow_null=True)
    parentIssueId = UUIDField(source="parent_issue_id", allow_null=True)
    title = CharField()
    description = CharField(allow_null=True)
    assigneeAgentId = UUIDField(source="assignee_agent_id", allow_null=True)
    priority = PriorityName()
    status = CharField()
    concurrencyPolicy = CharField(source="concurrency_policy")
    catchUpPolicy = CharField(source="catch_up_policy")
    originKind = CharField(source="origin_kind")
    originId = Unset()
    variables = JSONField()
    criteria = JSONField()
    latestRevisionId = UUIDField(source="revision_id")
    latestRevisionNumber = IntegerField(source="revision_number")
    createdByAgentId = UUIDField(source="created_by_agent_id", allow_null=True)
    createdByUserId = UUIDField(source="created_by_user_id", allow_null=True)
    updatedByAgentId = UUIDField(source="updated_by_agent_id", allow_null=True)
    updatedByUserId = UUIDField(source="updated_by_user_id", allow_null=True)
    lastTriggeredAt = Moment(source="last_triggered_at", allow_null=True)
    lastEnqueuedAt = Moment(source="last_enqueued_at", allow_null=True)
    createdAt = Moment(source="created_at")
    updatedAt = Moment(source="updated_at")


class TriggerName(Shape):
    id = UUIDField()
    kind = CharField()
    label = CharField(allow_null=True)  # type: ignore[assignment]


class TriggerRow(TriggerName):
    enabled = BooleanField()
    cronExpression = CharField(source="cron_expression", allow_null=True)
    timezone = CharField(source="time_zone", allow_null=True)
    nextRunAt = Moment(source="next_run_at", allow_null=True)
    lastFiredAt = Moment(source="last_fired_at", allow_null=True)
    lastResult = CharField(source="last_result", allow_null=True)


class TriggerShape(TriggerRow):
    companyId = UUIDField(source="company_id")
    routineId = UUIDField(source="routine_id")
    scheduleInWords = SerializerMethodField()
    nextTimes = SerializerMethodField()
    publicId = CharField(source="public_id", allow_null=True)
    secretId = SerializerMethodField()
    signingMode = CharField(source="signing_mode", allow_null=True)
    replayWindowSec = IntegerField(source="replay_window_sec", allow_null=True)
    lastRotatedAt = Moment(source="last_rotated_at", allow_null=True)
    createdByAgentId = UUIDField(source="created_by_agent_id", allow_null=True)
    createdByUserId = UUIDField(source="created_by_user_id", allow_null=True)
    updatedByAgentId = UUIDField(source="updated_by_agent_id", allow_null=True)
    updatedByUserId = UUIDField(source="updated_by_user_id", allow_null=True)
    createdAt = Moment(source="created_at")
    updatedAt = Moment(source="updated_at")

    def get_scheduleInWords(self, trigger: RoutineTrigger) -> str | None:
        return str(trigger) if trigger.kind == trigger.Kind.SCHEDULE else None

    def get_secretId(self, trigger: RoutineTrigger) -> str | None:
        is_hook = trigger.kind == trigger.Kind.WEBHOOK
        bound = webhooks.bound_to(trigger) if is_hook else None
        return str(bound.secret_id) if bound else None

    def get_nextTimes(self, trigger: RoutineTrigger) -> list[str]:
        moment = Moment()
        return [moment.to_representation(one) for one in trigger.next_times()]


class SecretShape(Shape):
    """Shown this one time."""

    webhookUrl = CharField()
    webhookSecret = CharField(allow_null=True)


class ExecutionName(Shape):
    """The issue that a run has filed or joined."""

    id = UUIDField()
    identifier = CharField()
    title = CharField()
    status = CharField()
    priority = PriorityName()
    updatedAt = Moment(source="updated_at")


class RoutineRunShape(Shape):
    id = UUIDField()
    companyId = UUIDField(source="company_id")
    routineId = UUIDField(source="routine_id")
    triggerId = UUIDField(source="trigger_id", allow_null=True)
    source = CharField()  # type: ignore[assignment]
    status = CharField()
    triggeredAt = Moment(source="triggered_at")
    slotAt = Moment(
        source="slot_at",
        allow_null=True,
        help_text="The time of the schedule that it stands for.",
    )
    slots = IntegerField(help_text="How many times of the schedule it stands for.")
    routineRevisionId = UUIDField(source="revision_id", allow_null=True)
    idempotencyKey = CharField(source="idempotency_key", allow_null=True)
    triggerPayload = JSONField(source="trigger_payload", allow_null=True)
    dispatchFingerprint = CharField(source="dispatch_fingerprint", allow_null=True)
    linkedIssueId = UUIDField(source="linked_issue_id", allow_null=True)
    coalescedIntoRunId = UUIDField(source="coalesced_into_id", allow_null=True)
    failureReason = CharField(source="failure_reason", allow_null=True)
    completedAt = Moment(source="completed_at", allow_null=True)
    createdAt = Moment(source="created_at")
    updatedAt = Moment(source="updated_at")


class RoutineRunRow(RoutineRunShape):
    linkedIssue = ExecutionName(source="linked_issue", allow_null=True)
    trigger = TriggerName(allow_null=True)


class RoutineRow(RoutineShape):
    """A routine with how it is doing. It needs `RoutineQuerySet.told`."""

    triggers = TriggerRow(many=True)
    lastRun = RoutineRunRow(source="last_run", allow_null=True)
    activeIssue = ExecutionName(source="active_issue", allow_null=True)


class RoutineDetail(RoutineRow):
    triggers = TriggerShape(many=True)


class RoutineRevisionShape(Shape):
    id = UUIDField()
    companyId = UUIDField(source="company_id")
    routineId = UUIDField(source="routine_id")
    revisionNumber = IntegerField(source="number")
    title = CharField()
    description = CharField(allow_null=True)
    snapshot = JSONField()
    changeSummary = CharField(source="change_summary", allow_null=True)
    restoredFromRevisionId = UUIDField(source="restored_from_id", allow_null=True)
    createdByAgentId = UUIDField(source="author_agent_id", allow_null=True)
    createdByUserId = UUIDField(source="author_user_id", allow_null=True)
    createdByRunId = UUIDField(source="run_id", allow_null=True)
    createdAt = Moment(source="created_at")


class MadeTrigger(Shape):
    """A trigger, what is shown once, and the revision that came of it."""

    trigger = TriggerShape()
    secretMaterial = SecretShape(allow_null=True)
    revision = RoutineRevisionShape()


class ChangedTrigger(TriggerShape):
    secretMaterial = SecretShape(
        source="secret_material",
        allow_null=True,
        help_text="When it has to be signed from now on.",
    )


class RestoredShape(Shape):
    routine = RoutineDetail()
    revision = RoutineRevisionShape()
    secretMaterials = ListField(child=JSONField())


def secret_of(trigger: RoutineTrigger, secret: str) -> dict[str, Any] | None:
    """Where a webhook is called and with which secret (none if it is not signed)."""
    if trigger.kind != trigger.Kind.WEBHOOK:
        return None
    return {"webhookUrl": trigger.webhook_url, "webhookSecret": secret or None}
