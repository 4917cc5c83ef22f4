"""The ledger of attempts over HTTP: what is tried again, what is parked and why."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import (
    BooleanField,
    CharField,
    IntegerField,
    UUIDField,
)

from agents.api.shapes import DoneShape
from agents.models import Attempt
from paperclip.api.schema import doc
from paperclip.api.shapes import Moment, Shape
from paperclip.api.views import Endpoint
from paperclip.pages import Pages

ATTEMPTS = Pages(("-created_at", "-id"), limit=100, maximum=500)


class AttemptFilter(serializers.Serializer):
    parked = serializers.BooleanField(required=False, allow_null=True, default=None)


class AttemptShape(Shape):
    id = UUIDField()
    companyId = UUIDField(source="company_id")
    agentId = UUIDField(source="agent_id")
    issueId = UUIDField(source="issue_id", allow_null=True)
    runId = UUIDField(source="run_id", allow_null=True)
    cause = CharField()
    wholeAgent = BooleanField(source="whole_agent")
    tries = IntegerField()
    reason = CharField()
    nextAt = Moment(source="next_at", allow_null=True)
    parkedAt = Moment(source="parked_at", allow_null=True)
    createdAt = Moment(source="created_at")


class Attempts(Endpoint):
    @doc(
        "list_attempts",
        "What is tried again and what is parked, the newest first",
        gives=AttemptShape,
        query=AttemptFilter,
        pages=ATTEMPTS,
    )
    def get(self, request: Request, **path: str) -> Response:
        rows = Attempt.objects.filter(company=self.company())
        parked = self.query(AttemptFilter)["parked"]
        if parked is not None:
            rows = rows.filter(parked_at__isnull=not parked)
        return self.page(rows, ATTEMPTS, AttemptShape)


class RetryAttempt(Endpoint):
    @doc("retry_attempt", "Try it again from the beginning", gives=DoneShape)
    def post(self, request: Request, **path: str) -> Response:
        rows = Attempt.objects.select_related("agent__company")
        attempt: Attempt = rows.get_for(self.actor, self.kwargs["attempt_id"])
        attempt.retry(by=self.actor)
        return Response({"ok": True})
