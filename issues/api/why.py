"""Why an issue is not moving, over HTTP."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import (
    BooleanField,
    CharField,
    SerializerMethodField,
    UUIDField,
)

from issues.api.issues import IssueEndpoint
from issues.models import Issue
from issues.why import Why, waiting_messages, why
from paperclip.api.schema import doc
from paperclip.api.shapes import Moment, Shape


class HolderShape(Shape):
    runId = UUIDField(source="pk")
    agentId = UUIDField(source="agent_id")
    agentName = CharField(source="agent.name")
    isLive = BooleanField(source="is_live")
    startedAt = Moment(source="started_at")
    leaseExpiresAt = Moment(source="lease_expires_at")


class WhyShape(Shape):
    code = CharField()
    isMoving = BooleanField(source="is_moving")
    missing = CharField()
    nextEvent = CharField(source="event")
    nextAt = Moment(source="at", allow_null=True)
    holder = HolderShape(allow_null=True)
    summary = SerializerMethodField()
    waitingComments = SerializerMethodField(
        help_text="Comments nobody has read to an end, and what each waits for."
    )

    def get_summary(self, found: Why) -> str:
        return str(found)

    def get_waitingComments(self, found: Why) -> dict[str, str]:
        return waiting_messages(self.context["issue"])


class IssueWhy(IssueEndpoint):
    @doc(
        "get_issue_why",
        "Who has it, what is missing, and what will move it when",
        gives=WhyShape,
    )
    def get(self, request: Request, **path: str) -> Response:
        issue = self.issue(
            Issue.objects.select_related(
                "company", "project", "assignee_agent__company", "assignee_user"
            )
        )
        return Response(WhyShape(why(issue), context={"issue": issue}).data)
