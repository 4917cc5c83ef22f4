"""What answers about goals, projects and labels look like."""

from __future__ import annotations

from typing import Any

from django.utils.text import slugify
from rest_framework.serializers import (
    CharField,
    DateField,
    IntegerField,
    SerializerMethodField,
    UUIDField,
)

from paperclip.api.shapes import Moment, Shape, Unset


class LabelShape(Shape):
    id = UUIDField()
    companyId = UUIDField(source="company_id")
    name = CharField()
    color = CharField()
    createdAt = Moment(source="created_at")
    updatedAt = Moment(source="updated_at")


class GoalShape(Shape):
    id = UUIDField()
    companyId = UUIDField(source="company_id")
    title = CharField()
    description = CharField(allow_null=True)
    level = CharField()
    status = CharField()
    parentId = UUIDField(source="parent_id", allow_null=True)
    ownerAgentId = UUIDField(source="owner_id", allow_null=True)
    createdAt = Moment(source="created_at")
    updatedAt = Moment(source="updated_at")


class GoalName(Shape):
    id = UUIDField()
    title = CharField()


class ProjectShape(Shape):
    id = UUIDField()
    companyId = UUIDField(source="company_id")
    urlKey = SerializerMethodField()
    goalId = UUIDField(source="goal_id", allow_null=True)
    goalIds = SerializerMethodField()
    goals = SerializerMethodField()
    name = CharField()
    description = CharField(allow_null=True)
    status = CharField()
    leadAgentId = UUIDField(source="lead_id", allow_null=True)
    targetDate = DateField(source="target_date", allow_null=True)
    color = CharField(allow_null=True)
    icon = Unset()
    repoUrl = CharField(source="repo_url", help_text="Empty: only here.")
    defaultBranch = CharField(source="default_branch")
    pauseReason = CharField(source="pause_reason", allow_null=True)
    pausedAt = Moment(source="paused_at", allow_null=True)
    archivedAt = Moment(source="archived_at", allow_null=True)
    createdAt = Moment(source="created_at")
    updatedAt = Moment(source="updated_at")

    def get_urlKey(self, project: Any) -> str:
        return slugify(project.name, allow_unicode=True)

    def get_goalIds(self, project: Any) -> list[str]:
        return [str(project.goal_id)] if project.goal_id else []

    def get_goals(self, project: Any) -> list[dict[str, Any]]:
        return [GoalName(project.goal).data] if project.goal_id else []  # type: ignore[list-item]


class ProjectRow(ProjectShape):
    taskCount = IntegerField(source="task_count")
