"""What answers about documents and work products look like."""

from __future__ import annotations

from typing import Any

from rest_framework.serializers import (
    BooleanField,
    CharField,
    IntegerField,
    JSONField,
    SerializerMethodField,
    UUIDField,
)

from issues.models import Document
from paperclip.api.shapes import Moment, Shape, Unset


class DocumentName(Shape):
    """A document without its text. It needs `Document.objects.told()`."""

    id = UUIDField()
    companyId = UUIDField(source="company_id")
    issueId = UUIDField(source="issue_id")
    key = CharField()
    title = SerializerMethodField()
    format = SerializerMethodField()
    latestRevisionId = UUIDField(source="revision_id")
    latestRevisionNumber = IntegerField(source="revision_number")
    createdByAgentId = UUIDField(source="created_by_agent", allow_null=True)
    createdByUserId = UUIDField(source="created_by_user", allow_null=True)
    updatedByAgentId = UUIDField(source="updated_by_agent", allow_null=True)
    updatedByUserId = UUIDField(source="updated_by_user", allow_null=True)
    lockedAt = Unset()
    lockedByAgentId = Unset()
    lockedByUserId = Unset()
    createdAt = Moment(source="created_at")
    updatedAt = Moment(source="updated_at")

    def get_title(self, document: Document) -> str | None:
        return document.title or None

    def get_format(self, document: Any) -> str:
        return "markdown"


class DocumentShape(DocumentName):
    body = CharField()


class RevisionShape(Shape):
    id = UUIDField()
    documentId = UUIDField(source="document_id")
    revisionNumber = IntegerField(source="number")
    title = SerializerMethodField()
    body = CharField()
    changeSummary = CharField(source="change_summary", allow_null=True)
    createdByAgentId = UUIDField(source="author_agent_id", allow_null=True)
    createdByUserId = UUIDField(source="author_user_id", allow_null=True)
    createdByRunId = UUIDField(source="run_id", allow_null=True)
    createdAt = Moment(source="created_at")

    def get_title(self, revision: Any) -> str | None:
        return revision.title or None


class WorkProductShape(Shape):
    id = UUIDField()
    companyId = UUIDField(source="company_id")
    issueId = UUIDField(source="issue_id")
    projectId = UUIDField(source="project_id", allow_null=True)
    executionWorkspaceId = Unset()
    runtimeServiceId = Unset()
    type = CharField()
    provider = CharField()
    externalId = CharField(source="external_id", allow_null=True)
    title = CharField()
    url = CharField(allow_null=True)
    status = CharField()
    reviewState = CharField(source="review_state")
    isPrimary = BooleanField(source="is_primary")
    healthStatus = CharField(source="health_status")
    summary = CharField(allow_null=True)
    metadata = JSONField(allow_null=True)
    createdByRunId = UUIDField(source="created_by_run_id", allow_null=True)
    createdAt = Moment(source="created_at")
    updatedAt = Moment(source="updated_at")


class WorkspaceShape(Shape):
    """What a clone of the project's repository needs to know."""

    projectId = UUIDField()
    branchName = CharField()
    baseRef = CharField()
    repositoryUrl = CharField(help_text="GET: a git bundle of all branches.")
    branchUrl = CharField(help_text="POST: a git bundle with branchName.")
    warning = CharField(
        allow_null=True, help_text="Why the remote may have more than is served."
    )
