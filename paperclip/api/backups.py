"""Backups of the instance over HTTP: which there are, and one more."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import CharField, IntegerField

from paperclip import backups, doorbell
from paperclip.api.schema import doc
from paperclip.api.shapes import Moment, Shape
from paperclip.api.views import Endpoint
from paperclip.backups import store
from paperclip.exceptions import Conflict
from paperclip.models.instance import must_have_somewhere


class BackupShape(Shape):
    name = CharField()
    state = CharField(
        help_text="`good` when it was restored and compared, else `failed` or"
        " `unchecked`: only good ones count."
    )
    said = CharField(help_text="Why it is not good.")
    takenAt = Moment(source="taken_at")
    sizeBytes = IntegerField(source="size")


class Backups(Endpoint):
    @doc("list_backups", "The backups, the newest first", gives=BackupShape)
    def get(self, request: Request) -> Response:
        must_have_somewhere(self.actor, "see the backups")
        return Response(BackupShape(backups.listed(), many=True).data)

    @doc(
        "take_backup",
        "Take a backup now; 409 while one is being taken",
        status=202,
    )
    def post(self, request: Request) -> Response:
        must_have_somewhere(self.actor, "take a backup")
        if store.is_busy():
            raise Conflict("A backup is being taken right now.", code=store.BUSY)
        doorbell.ring("issues.tasks.back_up")
        return Response(status=202)
