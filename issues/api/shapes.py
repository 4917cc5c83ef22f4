"""What answers about work look like."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework.serializers import (
    BooleanField,
    CharField,
    DictField,
    IntegerField,
    ListField,
    SerializerMethodField,
    UUIDField,
)

from issues.api.criteria_shapes import VerificationShape
from issues.api.forms import PRIORITIES
from issues.api.plan_shapes import GoalShape, LabelShape, ProjectShape
from issues.api.rows import EXCERPT
from issues.api.work_shapes import (
    DocumentName,
    DocumentShape,
    WorkProductShape,
    WorkspaceShape,
)
from issues.models import Issue
from issues.models.document import PLAN
from issues.repositories import workspace_of
from paperclip.api.shapes import Moment, Shape, Unset


class PriorityName(CharField):
    def to_representation(self, value: int) -> str:  # type: ignore[override]
        return PRIORITIES[value]


class IssueName(Shape):
    """An issue as another one mentions it."""

    id = UUIDField()
    identifier = CharField()
    title = CharField()
    status = CharField()
    priority = PriorityName()
    assigneeAgentId = UUIDField(source="assignee_agent_id", allow_null=True)
    assigneeUserId = UUIDField(source="assignee_user_id", allow_null=True)


class Edges(Shape):
    """What it waits for and what waits for it. It needs `rows.with_edges`."""

    blockedBy = SerializerMethodField()
    blocks = SerializerMethodField()

    def get_blockedBy(self, issue: Issue) -> list[dict[str, Any]]:
        rows = [edge.blocker for edge in issue.blocked_by.all()]
        return IssueName(rows, many=True).data  # type: ignore[return-value]

    def get_blocks(self, issue: Issue) -> list[dict[str, Any]]:
        rows = [edge.blocked for edge in issue.blocking.all()]
        return IssueName(rows, many=True).data  # type: ignore[return-value]


class ActiveRunShape(Shape):
    id = UUIDField()
    status = CharField()
    agentId = UUIDField(source="agent_id")
    invocationSource = CharField(source="invocation_source")
    triggerDetail = CharField(source="trigger_detail")
    startedAt = Moment(source="started_at", allow_null=True)
    finishedAt = Moment(source="finished_at", allow_null=True)
    createdAt = Moment(source="created_at")


class Participant(Shape):
    type = CharField()
    agentId = UUIDField(allow_null=True)
    userId = UUIDField(allow_null=True)


class PolicyParticipant(Participant):
    id = CharField()


class StageShape(Shape):
    id = CharField()
    type = CharField()
    approvalsNeeded = IntegerField()
    participants = PolicyParticipant(many=True)


class PolicyShape(Shape):
    """Who looks at done work, in which order."""

    mode = CharField()
    commentRequired = BooleanField()
    stages = StageShape(many=True)


class ReviewShape(Shape):
    """Where it stands with its stages: who looks at whose work."""

    status = CharField(help_text="idle, pending, changes_requested or completed.")
    currentStageId = CharField(allow_null=True)
    currentStageIndex = IntegerField(allow_null=True)
    currentStageType = CharField(allow_null=True)
    currentParticipant = Participant(allow_null=True)
    returnAssignee = Participant(allow_null=True)
    completedStageIds = ListField(child=CharField())
    lastDecisionId = UUIDField(allow_null=True)
    lastDecisionOutcome = CharField(allow_null=True)
    failedReviews = IntegerField()


class IssueBrief(IssueName):
    """An issue without its history."""

    description = CharField(allow_null=True)
    workMode = CharField(source="work_mode")
    projectId = UUIDField(source="project_id", allow_null=True)
    goalId = UUIDField(source="goal_id", allow_null=True)
    parentId = UUIDField(source="parent_id", allow_null=True)
    originKind = CharField(source="origin_kind")
    originId = CharField(source="origin_id", allow_null=True)
    updatedAt = Moment(source="updated_at")


class IssueShape(IssueBrief):
    """An issue. It needs `rows.shown`."""

    companyId = UUIDField(source="company_id")
    projectWorkspaceId = Unset()
    checkoutRunId = UUIDField(source="live_holder_id", allow_null=True)
    executionRunId = UUIDField(source="live_holder_id", allow_null=True)
    createdByAgentId = UUIDField(source="created_by_agent_id", allow_null=True)
    createdByUserId = UUIDField(source="created_by_user_id", allow_null=True)
    issueNumber = IntegerField(source="number")
    originRunId = UUIDField(source="origin_run_id", allow_null=True)
    requestDepth = IntegerField(source="request_depth")
    billingCode = CharField(source="billing_code", allow_null=True)
    assigneeAdapterOverrides = Unset()
    executionPolicy = PolicyShape(source="review_policy", allow_null=True)
    executionState = ReviewShape(source="review", allow_null=True)
    verification = VerificationShape(allow_null=True)
    executionWorkspaceId = Unset()
    executionWorkspacePreference = Unset()
    executionWorkspaceSettings = Unset()
    startedAt = Moment(source="started_at", allow_null=True)
    completedAt = Moment(source="completed_at", allow_null=True)
    cancelledAt = Moment(source="cancelled_at", allow_null=True)
    hiddenAt = Moment(source="hidden_at", allow_null=True)
    createdAt = Moment(source="created_at")
    labels = LabelShape(many=True)
    labelIds = SerializerMethodField()

    def get_labelIds(self, issue: Issue) -> list[str]:
        return [str(label.pk) for label in issue.labels.all()]


class Products(Shape):
    """Where its work goes, and what came out of it. It needs `rows.with_products`."""

    planDocument = SerializerMethodField()
    documentSummaries = DocumentName(source="documents", many=True)
    workProducts = WorkProductShape(source="work_products", many=True)
    currentExecutionWorkspace = SerializerMethodField()

    @extend_schema_field(DocumentShape(allow_null=True))
    def get_planDocument(self, issue: Issue) -> dict[str, Any] | None:
        plan = next((d for d in issue.documents.all() if d.key == PLAN), None)
        return DocumentShape(plan).data if plan else None  # type: ignore[return-value]

    @extend_schema_field(WorkspaceShape(allow_null=True))
    def get_currentExecutionWorkspace(self, issue: Issue) -> dict[str, Any] | None:
        return workspace_of(issue)


class Active(Shape):
    """The run that works on it or will. Context: `runs` by issue id."""

    activeRun = SerializerMethodField()

    def get_activeRun(self, issue: Issue) -> dict[str, Any] | None:
        run = self.context["runs"].get(issue.pk)
        return ActiveRunShape(run).data if run else None  # type: ignore[return-value]


class IssueRow(IssueShape, Active):
    """An issue in a list; a long description is cut."""

    description = SerializerMethodField()  # type: ignore[assignment]
    descriptionTruncated = SerializerMethodField()

    def get_description(self, issue: Any) -> str | None:
        return issue.excerpt and issue.excerpt[:EXCERPT]

    def get_descriptionTruncated(self, issue: Any) -> bool:
        return len(issue.excerpt or "") > EXCERPT


class AncestorShape(IssueName):
    description = CharField(allow_null=True)
    projectId = UUIDField(source="project_id", allow_null=True)
    goalId = UUIDField(source="goal_id", allow_null=True)


class LinkedIssue(IssueShape, Edges):
    """An issue with its edges."""


class FiledIssue(LinkedIssue):
    deduplicated = BooleanField(
        required=False, help_text="True with 200: an open issue has this title already."
    )


class IssueDetail(LinkedIssue, Products):
    ancestors = AncestorShape(many=True)
    project = ProjectShape(allow_null=True)
    goal = GoalShape(allow_null=True)


class CommentShape(Shape):
    id = UUIDField()
    companyId = UUIDField(source="company_id")
    issueId = UUIDField(source="issue_id")
    authorAgentId = UUIDField(source="author_agent_id", allow_null=True)
    authorUserId = UUIDField(source="author_user_id", allow_null=True)
    authorType = CharField(source="author_type")
    createdByRunId = UUIDField(source="run_id", allow_null=True)
    body = CharField()
    createdAt = Moment(source="created_at")
    updatedAt = Moment(source="updated_at")


class ChangedIssue(IssueShape):
    changes = DictField(help_text="Field: {from, to}.")
    comment = CommentShape(allow_null=True)
