"""What answers look like. Shapes only write; forms only read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework.serializers import (
    BooleanField,
    CharField,
    DateTimeField,
    Field,
    IntegerField,
    JSONField,
    Serializer,
    UUIDField,
)


class Moment(DateTimeField):
    """`2026-11-22T16:20:05.216Z`, whatever the time zone of the instance is."""

    def to_representation(self, value: datetime) -> str:
        text = value.astimezone(UTC).isoformat(timespec="milliseconds")
        return text.removesuffix("+00:00") + "Z"


@extend_schema_field({"type": "null"})
class Unset(Field):
    """Part of the protocol that this instance has nothing for: always null."""

    def __init__(self) -> None:
        super().__init__(read_only=True)

    def get_attribute(self, instance: Any) -> None:
        return None


class Shape(Serializer):
    """Base of the shapes."""


class ProblemShape(Shape):
    error = CharField(help_text="What was wrong and what to do.")
    code = CharField(help_text="The same for programs.")
    details = JSONField(
        required=False,
        help_text="Of a validation error: a list of {path, message, code}.",
    )


class CompanyShape(Shape):
    id = UUIDField()
    name = CharField()
    description = CharField(allow_null=True)
    status = CharField()
    pauseReason = CharField(source="pause_reason", allow_null=True)
    pausedAt = Moment(source="paused_at", allow_null=True)
    issuePrefix = CharField(source="issue_prefix")
    issueCounter = IntegerField(source="issue_counter")
    budgetMonthlyCents = IntegerField(source="budget_monthly_cents")
    spentMonthlyCents = IntegerField(source="spent_monthly_cents")
    requireBoardApprovalForNewAgents = BooleanField(source="require_approval_for_hires")
    maxConcurrentRuns = IntegerField(source="max_concurrent_runs", allow_null=True)
    rehearsal = BooleanField(help_text="a script plays the model: nothing is real")
    createdAt = Moment(source="created_at")
    updatedAt = Moment(source="updated_at")


class ActivityShape(Shape):
    id = UUIDField()
    companyId = UUIDField(source="company_id")
    actorType = CharField(source="actor_type")
    actorId = CharField(source="actor_id")
    actorName = CharField(source="actor_name")
    action = CharField()
    entityType = CharField(source="entity_type")
    entityId = CharField(source="entity_id")
    agentId = UUIDField(source="agent_id", allow_null=True)
    runId = UUIDField(source="run_id", allow_null=True)
    details = JSONField()
    createdAt = Moment(source="created_at")


class MembershipShape(Shape):
    companyId = UUIDField(source="company_id")
    membershipRole = CharField(source="role")


class MeShape(Shape):
    """The operator behind a credential."""

    userId = UUIDField(source="pk")
    user = JSONField()
    isInstanceAdmin = BooleanField(source="is_superuser")
    companyIds = JSONField()
    memberships = MembershipShape(many=True)
    source = CharField()  # type: ignore[assignment]

    def to_representation(self, instance: Any) -> dict[str, Any]:
        rows = list(instance.memberships.all())
        return {
            "userId": str(instance.pk),
            "user": {
                "id": str(instance.pk),
                "name": instance.get_full_name() or instance.get_username(),
                "email": instance.email or None,
            },
            "isInstanceAdmin": instance.is_superuser,
            "companyIds": [str(row.company_id) for row in rows],
            "memberships": MembershipShape(rows, many=True).data,
            "source": self.context["source"],
        }
