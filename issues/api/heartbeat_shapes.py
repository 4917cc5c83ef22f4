"""What an agent reads when it wakes: its inbox, and one issue of it in short."""

from __future__ import annotations

from rest_framework.serializers import (
    CharField,
    DictField,
    IntegerField,
    JSONField,
    ListField,
    SerializerMethodField,
    UUIDField,
)

from agents.models import Run
from issues.api.plan_shapes import GoalShape, ProjectShape
from issues.api.shapes import (
    Active,
    AncestorShape,
    CommentShape,
    Edges,
    IssueBrief,
    PriorityName,
    Products,
)
from issues.models import Issue
from paperclip.api.shapes import Moment, Shape, Unset


class InboxRow(Active):
    id = UUIDField()
    identifier = CharField()
    title = CharField()
    status = CharField()
    priority = PriorityName()
    projectId = UUIDField(source="project_id", allow_null=True)
    goalId = UUIDField(source="goal_id", allow_null=True)
    parentId = UUIDField(source="parent_id", allow_null=True)
    updatedAt = Moment(source="updated_at")
    dependencyReady = SerializerMethodField()
    unresolvedBlockerCount = SerializerMethodField()
    unresolvedBlockerIssueIds = SerializerMethodField()

    def get_dependencyReady(self, issue: Issue) -> bool:
        return issue.pk not in self.context["blockers"]

    def get_unresolvedBlockerCount(self, issue: Issue) -> int:
        return len(self.context["blockers"].get(issue.pk, ()))

    def get_unresolvedBlockerIssueIds(self, issue: Issue) -> list[str]:
        return self.context["blockers"].get(issue.pk, [])


class CompactIssue(IssueBrief, Edges):
    """The issue that a heartbeat is about."""


class ContextShape(Shape):
    """All that a heartbeat needs to begin with an issue."""

    issue = CompactIssue()
    ancestors = AncestorShape(many=True)
    project = ProjectShape(allow_null=True)
    goal = GoalShape(allow_null=True)
    commentCursor = DictField()
    wakeComment = CommentShape(allow_null=True)


class HeartbeatShape(ContextShape, Products):
    """The context of an issue, with what came out of it so far."""


class IssueRunShape(Shape):
    """A run that an issue had to do with."""

    runId = UUIDField(source="pk")
    status = CharField()
    agentId = UUIDField(source="agent_id")
    adapterType = CharField(source="agent.adapter_type")
    startedAt = Moment(source="started_at", allow_null=True)
    finishedAt = Moment(source="finished_at", allow_null=True)
    createdAt = Moment(source="created_at")
    invocationSource = CharField(source="invocation_source")
    errorCode = CharField(source="error_code", allow_null=True)
    usageJson = Unset()
    resultJson = JSONField(source="result", allow_null=True)
    logBytes = IntegerField(source="log_bytes", allow_null=True)
    retryOfRunId = UUIDField(source="retry_of_id", allow_null=True)
    wakeCommentIds = ListField(source="comment_ids", child=UUIDField())
    wakeCommentId = SerializerMethodField()
    contextCommentId = SerializerMethodField()
    contextIssueId = UUIDField(source="issue_id", allow_null=True)

    def get_wakeCommentId(self, run: Run) -> str | None:
        return run.comment_ids[-1] if run.comment_ids else None

    get_contextCommentId = get_wakeCommentId
