"""What requests about work may say."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from agents.api.forms import colleagues
from agents.models import Wakeup
from issues.api.criteria_forms import CriterionForm, PolicyForm, ProofForm
from issues.models import Goal, Issue, Label, Project
from issues.models.base import Priority, Status
from issues.models.thread import LONGEST
from paperclip.actors import Actor
from paperclip.api.forms import Flag, Form, Row, RowList, Text, Whole
from paperclip.models import Company, User

PRIORITIES = [priority.name.lower() for priority in Priority]
WORK_MODES = ["standard", "ask", "planning"]
LONGEST_DESCRIPTION = 200_000


def goals(actor: Actor) -> QuerySet[Goal]:
    return Goal.objects.visible_to(actor)


def projects(actor: Actor) -> QuerySet[Project]:
    return Project.objects.visible_to(actor).select_related("goal")


def issues(actor: Actor) -> QuerySet[Issue]:
    return Issue.objects.visible_to(actor)


def labels(actor: Actor) -> QuerySet[Label]:
    return Label.objects.visible_to(actor)


def members(actor: Actor) -> QuerySet[User]:
    mine = Company.objects.visible_to(actor)
    return User.objects.filter(memberships__company__in=mine).distinct()


class PriorityField(serializers.ChoiceField):
    """A word on the wire, a number that sorts in the database."""

    def __init__(self, **options: Any) -> None:
        super().__init__(PRIORITIES, **options)

    def to_internal_value(self, data: Any) -> int:  # type: ignore[override]
        return Priority[super().to_internal_value(data).upper()].value


def prose(**options: Any) -> Text:
    """Markdown: kept as it was written."""
    return Text(
        max_length=LONGEST_DESCRIPTION,
        allow_null=True,
        allow_blank=True,
        trim_whitespace=False,
        required=False,
        **options,
    )


class IssueFields(Form):
    """What can be said of an issue when it is filed and later."""

    title = Text(max_length=300)
    description = prose()
    status = serializers.ChoiceField(Status.choices, required=False)
    priority = PriorityField(required=False)
    workMode = serializers.ChoiceField(WORK_MODES, source="work_mode", required=False)
    assigneeAgentId = Row(
        colleagues, source="assignee_agent", allow_null=True, required=False
    )
    assigneeUserId = Row(
        members, source="assignee_user", allow_null=True, required=False
    )
    projectId = Row(projects, source="project", allow_null=True, required=False)
    goalId = Row(goals, source="goal", allow_null=True, required=False)
    parentId = Row(issues, source="parent", allow_null=True, required=False)
    blockedByIssueIds = RowList(issues, source="blocked_by", required=False)
    labelIds = RowList(labels, source="labels", required=False)
    billingCode = Text(
        source="billing_code",
        max_length=64,
        allow_null=True,
        allow_blank=True,
        required=False,
    )
    requestDepth = Whole(source="request_depth", max_value=1024, required=False)
    executionPolicy = PolicyForm(
        source="review_policy",
        allow_null=True,
        required=False,
        help_text="Who looks at done work, in which order. Null: its agent's reviewer.",
    )


class NewIssueFields(IssueFields):
    criteria = CriterionForm(
        many=True, required=False, help_text="What it has to prove: see the catalogue."
    )


class IssueForm(NewIssueFields):
    allowDuplicate = Flag(
        required=False,
        default=False,
        help_text="File it although an open issue of the last 48 hours has its title.",
    )


class IssueChange(IssueFields):
    comment = Text(
        max_length=LONGEST,
        allow_null=True,
        allow_blank=True,
        trim_whitespace=False,
        required=False,
    )
    reopen = Flag(required=False)
    interrupt = Flag(required=False, help_text="Operators only: ends the running run.")
    hiddenAt = serializers.DateTimeField(
        source="hidden_at", allow_null=True, required=False
    )
    evidence = ProofForm(
        many=True,
        required=False,
        help_text="With status done: what proves it. What is not so is refused.",
    )


class ChildForm(NewIssueFields):
    acceptanceCriteria = serializers.ListField(
        child=Text(max_length=2000), max_length=50, required=False
    )
    blockParentUntilDone = Flag(required=False, default=False)


class CheckoutForm(Form):
    agentId = serializers.UUIDField()
    expectedStatuses = serializers.ListField(
        child=serializers.ChoiceField(Status.choices), min_length=1, max_length=20
    )


class CommentForm(Form):
    body = Text(max_length=LONGEST, trim_whitespace=False)
    reopen = Flag(required=False, default=False)
    interrupt = Flag(required=False, default=False)


class CommentFilter(serializers.Serializer):
    after = serializers.UUIDField(
        required=False, help_text="The comment that the answer goes on from."
    )
    order = serializers.ChoiceField(["asc", "desc"], required=False, default="desc")


class ContextFilter(serializers.Serializer):
    wakeCommentId = serializers.UUIDField(required=False)


class StatusList(serializers.CharField):
    """`todo,in_progress`"""

    def to_internal_value(self, data: Any) -> list[str]:  # type: ignore[override]
        names = super().to_internal_value(data).split(",")
        if wrong := [name for name in names if name not in Status.values]:
            raise serializers.ValidationError(
                f"Unknown status {', '.join(wrong)}. Known: {', '.join(Status.values)}."
            )
        return names


class IssueFilter(serializers.Serializer):
    status = StatusList(source="status__in", required=False)
    assigneeAgentId = serializers.UUIDField(source="assignee_agent", required=False)
    assigneeUserId = serializers.CharField(
        source="assignee_user", required=False, help_text="A person's id, or me."
    )
    projectId = serializers.UUIDField(source="project", required=False)
    goalId = serializers.UUIDField(source="goal", required=False)
    parentId = serializers.UUIDField(source="parent", required=False)
    labelId = serializers.UUIDField(source="labels", required=False)
    originKind = serializers.CharField(source="origin_kind", required=False)
    originId = serializers.CharField(
        source="origin_id", required=False, help_text="A routine's, for its issues."
    )
    q = serializers.CharField(
        required=False, max_length=300, help_text="In title, description, identifier."
    )


class GoalForm(Form):
    title = Text(max_length=300)
    description = prose()
    level = serializers.ChoiceField(Goal.Level.choices, required=False)
    status = serializers.ChoiceField(Goal.Status.choices, required=False)
    parentId = Row(goals, source="parent", allow_null=True, required=False)
    ownerAgentId = Row(colleagues, source="owner", allow_null=True, required=False)


class ProjectForm(Form):
    name = Text(max_length=200)
    description = prose()
    status = serializers.ChoiceField(Project.Status.choices, required=False)
    goalId = Row(goals, source="goal", allow_null=True, required=False)
    goalIds = RowList(
        goals,
        max_length=1,
        required=False,
        help_text="The same as goalId: one at most.",
    )
    leadAgentId = Row(colleagues, source="lead", allow_null=True, required=False)
    targetDate = serializers.DateField(
        source="target_date", allow_null=True, required=False
    )
    color = serializers.RegexField("^#[0-9a-fA-F]{6}$", allow_null=True, required=False)
    repoUrl = Text(
        source="repo_url",
        max_length=500,
        allow_blank=True,
        required=False,
        help_text="Operators only: https://host/path or user@host:path.",
    )
    defaultBranch = Text(
        source="default_branch",
        max_length=100,
        required=False,
        help_text="Operators only: what approved work is merged into.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "goalIds" in attrs:
            named = attrs.pop("goalIds")
            attrs.setdefault("goal", named[0] if named else None)
        return attrs


class LabelForm(Form):
    name = Text(max_length=48)
    color = serializers.RegexField("^#[0-9a-fA-F]{6}$")


class WakeForm(Form):
    source = serializers.ChoiceField(  # type: ignore[assignment]
        Wakeup.Source.choices, required=False, default=Wakeup.Source.ON_DEMAND
    )
    triggerDetail = serializers.ChoiceField(
        ["manual", "ping", "callback", "system"], required=False, default="manual"
    )
    reason = Text(max_length=200, allow_null=True, required=False)
    payload = serializers.DictField(
        allow_null=True, required=False, help_text="issueId and commentId count."
    )
    idempotencyKey = Text(
        allow_null=True, required=False, help_text="Not needed: equal wakes coalesce."
    )
    forceFreshSession = Flag(
        required=False,
        help_text="Forget the session about payload.issueId first: it begins afresh.",
    )
