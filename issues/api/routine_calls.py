"""Webhooks that fire a routine, as others call them."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from django.utils.timezone import now
from rest_framework.request import Request
from rest_framework.response import Response

from issues import webhooks
from issues.api.routine_forms import CallForm
from issues.api.routine_shapes import RoutineRunShape
from issues.models import RoutineRun, RoutineTrigger
from paperclip.actors import SYSTEM
from paperclip.api.schema import doc, public
from paperclip.api.views import Endpoint, Json
from paperclip.exceptions import BadRequest, Missing
from paperclip.idempotency import HEADER

LARGEST_CALL = 1024 * 1024


@public
class PublicCall(Endpoint):
    """A webhook. Who calls, the signature says; nobody is signed in."""

    repeatable = True  # its key is the run's
    largest = LARGEST_CALL

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        webhooks.must_not_come_too_often(request._request, now())
        super().initial(request, *args, **kwargs)

    @doc(
        "fire_routine_trigger",
        "Call a webhook; it is signed as its trigger says",
        takes=CallForm,
        gives=RoutineRunShape,
        status=202,
        problems=(429,),
    )
    def post(self, request: Request, **path: str) -> Response:
        trigger, body, at = self.trigger(), request.body, now()
        key = webhooks.must_be_signed(trigger, request.headers, body, at)
        webhooks.must_not_be_too_many(trigger, request.headers, at)
        said = parsed(body)
        given = request.headers.get(HEADER) or said.get("idempotencyKey")
        run = trigger.routine.fire(
            by=SYSTEM,
            source=RoutineRun.Source.WEBHOOK,
            at=at,
            trigger=trigger,
            key=str(given or key)[:255],
            payload=said or None,
            values=said.get("variables"),
        )
        return Response(RoutineRunShape(run).data, status=202)

    def trigger(self) -> RoutineTrigger:
        rows = RoutineTrigger.objects.select_related("routine__company")
        named = rows.filter(kind="webhook", public_id=self.kwargs["public_id"])
        trigger: RoutineTrigger | None = named.first()
        if trigger is None:
            raise Missing("Trigger not found")
        return trigger


def parsed(body: bytes) -> dict[str, Any]:
    """What a call says; an empty body says nothing. BadRequest unless it is an object
    whose `variables`, if it has any, are one too."""
    said = Json().parse(BytesIO(body)) if body.strip() else {}
    if not isinstance(said, dict):
        raise BadRequest("The body of a call is a JSON object, or empty.")
    if not isinstance(said.get("variables", {}), dict):
        raise BadRequest("variables is an object: values by name.")
    return said
