"""What requests and answers about approvals look like."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.serializers import (
    BooleanField,
    CharField,
    JSONField,
    SerializerMethodField,
    UUIDField,
)

from agents.api.forms import colleagues
from agents.api.shapes import AgentShape
from agents.models import Approval
from agents.models.policy import Effect, Rule
from paperclip.api.forms import Form, Row, Text
from paperclip.api.shapes import Moment, Shape

LONGEST = 65_536
# What is asked for by its own route, which makes what is decided on.
OWN_ROUTE = {
    Approval.Type.HIRE: "POST /api/companies/:id/agent-hires",
    Approval.Type.BUDGET: "the budget that was reached",
}


class ApprovalShape(Shape):
    """An approval. `payloadHash` is what it is bound by."""

    id = UUIDField()
    companyId = UUIDField(source="company_id")
    type = CharField()
    requestedByAgentId = UUIDField(source="requested_by_agent_id", allow_null=True)
    requestedByUserId = UUIDField(source="requested_by_user_id", allow_null=True)
    status = CharField()
    payload = JSONField()
    payloadHash = CharField(source="payload_hash")
    summary = CharField(source="title")
    choice = SerializerMethodField(help_text="Of a question, what was chosen.")
    default = CharField(help_text="What counts when nobody decides in time.")
    expiresAt = Moment(source="expires_at")
    usedAt = Moment(source="used_at", allow_null=True)
    decisionNote = CharField(source="decision_note", allow_null=True)
    decidedByUserId = UUIDField(source="decided_by_user_id", allow_null=True)
    decidedAt = Moment(source="decided_at", allow_null=True)
    createdAt = Moment(source="created_at")
    updatedAt = Moment(source="updated_at")

    def get_choice(self, approval: Approval) -> str | None:
        return approval.choice or None


class ApprovalCommentShape(Shape):
    id = UUIDField()
    companyId = UUIDField(source="company_id")
    approvalId = UUIDField(source="approval_id")
    authorAgentId = UUIDField(source="by_agent_id", allow_null=True)
    authorUserId = UUIDField(source="by_user_id", allow_null=True)
    body = CharField()
    createdAt = Moment(source="created_at")
    updatedAt = Moment(source="updated_at")


class HireShape(Shape):
    agent = AgentShape()
    approval = ApprovalShape(allow_null=True)


class ApprovalFilter(serializers.Serializer):
    status = serializers.ChoiceField(Approval.Status.choices, required=False)


class ApprovalForm(Form):
    type = serializers.ChoiceField(Approval.Type.values)
    payload = serializers.DictField()
    requestedByAgentId = Row(
        colleagues, source="agent", allow_null=True, required=False
    )
    issueIds = serializers.ListField(
        child=serializers.UUIDField(), source="issue_ids", max_length=50, required=False
    )
    summary = Text(max_length=300, allow_blank=True, required=False)
    expiresAt = serializers.DateTimeField(source="expires_at", required=False)
    default = serializers.ChoiceField(Approval.DEFAULTS, required=False)


class DecisionForm(Form):
    decisionNote = Text(
        source="note",
        max_length=LONGEST,
        allow_blank=True,
        allow_null=True,
        required=False,
    )


class VerdictForm(DecisionForm):
    choice = Text(max_length=300, required=False, help_text="Of a question: which.")
    payloadHash = Text(
        source="seen",
        max_length=64,
        required=False,
        help_text="Of what you looked at: refused when it was changed since.",
    )


class ResubmitForm(Form):
    payload = serializers.DictField(required=False)


class ApprovalCommentForm(Form):
    body = Text(max_length=LONGEST)


class EffectForm(Form):
    effect = serializers.ChoiceField(Effect.choices)
    payload = serializers.DictField()
    summary = Text(max_length=300, allow_blank=True, required=False)
    issueIds = serializers.ListField(
        child=serializers.UUIDField(), source="issue_ids", max_length=50, required=False
    )


class VerdictShape(Shape):
    verdict = CharField(help_text="allowed, pending or refused")
    reason = CharField()
    approval = ApprovalShape(allow_null=True)


class EffectPolicyShape(Shape):
    effect = CharField()
    title = CharField()
    rule = CharField(help_text="allow, ask or refuse: what counts")
    isDefault = BooleanField(help_text="Nobody has said otherwise.")


class EffectPolicyForm(Form):
    effect = serializers.ChoiceField(Effect.choices)
    rule = serializers.ChoiceField(
        Rule.choices, allow_blank=True, help_text="Empty: the wider rule again."
    )
    agentId = Row(colleagues, source="agent", allow_null=True, required=False)


class PolicyFilter(serializers.Serializer):
    agentId = serializers.UUIDField(required=False)


class BadgesShape(Shape):
    inbox = serializers.IntegerField()
    approvals = serializers.IntegerField()
    failedRuns = serializers.IntegerField()
    joinRequests = serializers.IntegerField()


class LinkedIssueShape(Shape):
    id = UUIDField()
    identifier = CharField()
    title = CharField()
    status = CharField()


class LinkForm(Form):
    approvalId = serializers.UUIDField()
