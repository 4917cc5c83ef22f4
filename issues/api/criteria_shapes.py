"""What answers about criteria, receipts, claims and decisions look like."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework.serializers import (
    BooleanField,
    CharField,
    DictField,
    JSONField,
    ListField,
    SerializerMethodField,
    UUIDField,
)

from issues.models import Claim, Criterion
from paperclip.api.shapes import Moment, Shape


class CheckShape(Shape):
    id = UUIDField()
    companyId = UUIDField(source="company_id")
    key = CharField()
    type = CharField()
    title = CharField()
    settings = DictField()
    parameters = ListField(child=DictField())
    roles = ListField(child=CharField())
    archivedAt = Moment(source="archived_at", allow_null=True)
    createdAt = Moment(source="created_at")
    updatedAt = Moment(source="updated_at")


class EvidenceShape(Shape):
    """The receipt of one look. `fresh`: nothing that it depends on was changed since.
    Context: `proof`, the fresh ones by criterion."""

    id = UUIDField()
    companyId = UUIDField(source="company_id")
    issueId = UUIDField(source="issue_id")
    criterionId = UUIDField(source="criterion_id", allow_null=True)
    claimId = UUIDField(source="claim_id", allow_null=True)
    title = CharField()
    type = CharField()
    outcome = CharField(help_text="passed, failed, unable or accepted.")
    said = CharField()
    facts = JSONField(help_text="What was run or asked, and what it answered.")
    fresh = SerializerMethodField()
    checkedBy = CharField(source="by_name")
    checkedByUserId = UUIDField(source="by_user_id", allow_null=True)
    startedAt = Moment(source="began_at")
    createdAt = Moment(source="created_at")

    def get_fresh(self, evidence: Any) -> bool:
        newest = self.context["proof"].get(evidence.criterion_id)
        return newest is not None and newest.pk == evidence.pk


class CriterionShape(Shape):
    """Context: `proof`, the newest look at each that still counts."""

    id = SerializerMethodField()
    companyId = UUIDField(source="company_id")
    issueId = UUIDField(source="issue_id")
    checkId = UUIDField(source="check_of_id", allow_null=True)
    type = CharField()
    title = CharField()
    parameters = DictField()
    settings = DictField()
    description = CharField(source="in_words")
    state = SerializerMethodField()
    origin = CharField()
    status = SerializerMethodField()
    latestEvidence = SerializerMethodField()
    proposedByAgentId = UUIDField(source="proposed_by_agent_id", allow_null=True)
    proposedByUserId = UUIDField(source="proposed_by_user_id", allow_null=True)
    acceptedByUserId = UUIDField(source="accepted_by_id", allow_null=True)

    def get_id(self, criterion: Criterion) -> str | None:
        """Null: nobody has claimed anything yet; it will be checked for its role."""
        return None if criterion._state.adding else str(criterion.pk)

    def get_state(self, criterion: Criterion) -> str:
        return "default" if criterion._state.adding else criterion.state

    def get_status(self, criterion: Criterion) -> str:
        """passed, failed, unable or accepted; unchecked when nothing fresh says."""
        found = self.context["proof"].get(criterion.pk)
        return found.outcome if found else "unchecked"

    @extend_schema_field(EvidenceShape(allow_null=True))
    def get_latestEvidence(self, criterion: Criterion) -> dict[str, Any] | None:
        found = self.context["proof"].get(criterion.pk)
        if found is None:
            return None
        return EvidenceShape(found, context=self.context).data  # type: ignore[return-value]


class ClaimShape(Shape):
    """What an agent said, and the answer it got."""

    id = UUIDField()
    companyId = UUIDField(source="company_id")
    issueId = UUIDField(source="issue_id")
    agentId = UUIDField(source="agent_id", allow_null=True)
    runId = UUIDField(source="run_id", allow_null=True)
    status = CharField()
    evidence = ListField(child=DictField())
    message = CharField(source="said")
    acceptedBy = CharField(source="accepted_by")
    progress = CharField()
    startedAt = Moment(source="began_at", allow_null=True)
    decidedAt = Moment(source="decided_at", allow_null=True)
    createdAt = Moment(source="created_at")


class VerificationShape(Shape):
    """Where an issue stands with its last claim."""

    status = CharField(help_text=", ".join(Claim.Status.values))
    claimId = UUIDField()
    message = CharField()
    progress = CharField()


class DecisionShape(Shape):
    id = UUIDField()
    companyId = UUIDField(source="company_id")
    issueId = UUIDField(source="issue_id")
    stageId = CharField(source="stage_id")
    stageType = CharField(source="stage_type")
    outcome = CharField()
    counts = BooleanField(help_text="Whether the work still stands on this approval.")
    askedAgentId = UUIDField(source="asked_agent_id", allow_null=True)
    askedUserId = UUIDField(source="asked_user_id", allow_null=True)
    actorAgentId = UUIDField(source="by_agent_id", allow_null=True)
    actorUserId = UUIDField(source="by_user_id", allow_null=True)
    createdByRunId = UUIDField(source="run_id", allow_null=True)
    body = CharField()
    requestedAt = Moment(source="created_at")
    decidedAt = Moment(source="decided_at", allow_null=True)
