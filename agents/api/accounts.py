"""The accounts of the model providers over HTTP: who rests until when."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import CharField, IntegerField

from agents.models import ProviderAccount
from paperclip.api.schema import doc
from paperclip.api.shapes import Moment, Shape
from paperclip.api.views import Endpoint
from paperclip.exceptions import NotAllowed
from paperclip.pages import Pages

ACCOUNTS = Pages(("name", "id"), limit=100, maximum=500)


class AccountShape(Shape):
    id = IntegerField()
    name = CharField()
    closedUntil = Moment(source="closed_until", allow_null=True)
    said = CharField()
    windowLeftPercent = IntegerField(source="left_percent", allow_null=True)
    windowResetsAt = Moment(source="resets_at", allow_null=True)
    reservePercent = IntegerField(source="reserve_percent")
    maxConcurrentRuns = IntegerField(source="max_concurrent_runs", allow_null=True)
    waitingRuns = IntegerField(source="waiting")


class Accounts(Endpoint):
    @doc(
        "list_provider_accounts",
        "The accounts that model calls are billed to, for people",
        gives=AccountShape,
        pages=ACCOUNTS,
    )
    def get(self, request: Request, **path: str) -> Response:
        if self.actor.user is None:
            raise NotAllowed("Provider accounts are shown to people.")
        return self.page(ProviderAccount.objects.with_waiting(), ACCOUNTS, AccountShape)
