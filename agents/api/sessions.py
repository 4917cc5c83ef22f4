"""Sessions over HTTP: what an agent's next runs go on with, and how to forget it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import CharField, IntegerField, UUIDField

from agents.api.agents import AgentEndpoint
from paperclip.api.schema import doc
from paperclip.api.shapes import Moment, Shape
from paperclip.api.views import is_uuid
from paperclip.pages import Pages

SESSIONS = Pages(("-created_at", "-id"), limit=100, maximum=500)


class ResetForm(serializers.Serializer[Any]):
    taskKey = serializers.CharField(
        required=False,
        allow_null=True,
        help_text="The id of an issue; left out, all sessions of the agent are reset.",
    )


class SessionShape(Shape):
    id = UUIDField()
    companyId = UUIDField(source="company_id")
    agentId = UUIDField(source="agent_id")
    adapterType = CharField(source="adapter_type")
    taskKey = UUIDField(source="issue_id")
    sessionDisplayId = CharField(source="session_id")
    runs = IntegerField()
    contextTokens = IntegerField(source="context_tokens")
    lastRunId = UUIDField(source="last_run_id", allow_null=True)
    lastError = CharField(source="last_error")
    startedAt = Moment(source="started_at")
    createdAt = Moment(source="created_at")
    updatedAt = Moment(source="updated_at")


class ResetShape(Shape):
    agentId = UUIDField()
    clearedTaskSessions = IntegerField(help_text="How many there were.")


class TaskSessions(AgentEndpoint):
    @doc(
        "list_task_sessions",
        "The sessions its next runs go on with, one an issue",
        gives=SessionShape,
        pages=SESSIONS,
    )
    def get(self, request: Request, **path: str) -> Response:
        agent = self.agent()
        self.actor.must_be_operator(agent.company_id, "see sessions")
        return self.page(agent.sessions.all(), SESSIONS, SessionShape)


class ResetSession(AgentEndpoint):
    @doc(
        "reset_session",
        "Let its next run about an issue, or about any, begin afresh",
        takes=ResetForm,
        gives=ResetShape,
    )
    def post(self, request: Request, **path: str) -> Response:
        agent = self.agent()
        self.actor.must_be_operator(agent.company_id, "reset a session")
        rows, task = agent.sessions.all(), self.read(ResetForm).get("taskKey")
        if task:
            rows = rows.filter(issue_id=task) if is_uuid(task) else rows.none()
        cleared = rows.reset(by=self.actor)
        return Response({"agentId": str(agent.pk), "clearedTaskSessions": cleared})
