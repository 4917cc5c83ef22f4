"""`Idempotency-Key`: a POST that is sent twice happens once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.utils.crypto import salted_hmac
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from paperclip.actors import Actor
from paperclip.exceptions import BadRequest, Invalid
from paperclip.models import IdempotencyKey

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
LONGEST = 255

Handler = Callable[..., Response]


def once(handler: Handler, secrets: tuple[str, ...] = ()) -> Handler:
    """The handler, doing its work once per actor and key.

    Of two equal requests the second waits, and gets the first one's answer; another
    request with the same key is Invalid (422). A refusal is not kept: the key is free
    again. Fields named in `secrets` are not kept either and are null in a replay.
    """

    def handle(request: Request, *args: Any, **kwargs: Any) -> Response:
        key = key_of(request)
        with transaction.atomic():
            # The unique index makes the second of two inserts wait for the first one's
            # commit, so the key and what was done under it appear together.
            row, is_new = IdempotencyKey.objects.get_or_create(
                actor=owner(request.user),
                key=key,
                defaults={"fingerprint": fingerprint(request)},
            )
            if not is_new:
                return replay(row, request)
            response = handler(request, *args, **kwargs)
            row.status = response.status_code
            row.body = kept(response.data, secrets)
            row.save(update_fields=["status", "body"])
        return response

    return handle


def key_of(request: Request) -> str:
    key = str(request.headers[HEADER])
    if not (0 < len(key) <= LONGEST and key.isprintable()):
        raise BadRequest(f"{HEADER} is a text of 1 to {LONGEST} printable characters.")
    return key


def owner(actor: Actor | Any) -> str:
    return f"{actor.kind}:{actor.id}"


def fingerprint(request: Request) -> str:
    """What makes two requests equal: the route and the body, however it is spaced. With
    the key of the instance, for a body may be a secret that one could guess."""
    body = json.dumps(request.data, sort_keys=True)
    told = f"{request.get_full_path()}\n{body}"
    return salted_hmac("idempotency", told, algorithm="sha256").hexdigest()


def replay(row: IdempotencyKey, request: Request) -> Response:
    if row.fingerprint != fingerprint(request):
        raise Invalid(
            f"This {HEADER} was used for another request. Use a new key.",
            code="idempotency_key_reused",
        )
    return Response(row.body, status=row.status, headers={REPLAYED: "true"})


def kept(data: Any, secrets: tuple[str, ...]) -> Any:
    if secrets:
        data = {**data, **dict.fromkeys(secrets)}
    return json.loads(JSONRenderer().render(data) or b"null")
