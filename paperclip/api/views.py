"""The base of every API view."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import JSONParser
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, Serializer
from rest_framework.views import APIView

from paperclip import idempotency
from paperclip.actors import Actor
from paperclip.api.errors import NO_ROUTE
from paperclip.exceptions import BadRequest, Missing
from paperclip.models import Company
from paperclip.pages import Pages

# What JSON can write and the database cannot store: NUL and half a character.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")
ESCAPED = re.compile(r"\\u(0000|[dD][89a-fA-F])")


class Json(JSONParser):
    """JSON that can be stored; anything else is a 400, however deep it is nested.
    Secrets that its writer was given are masked in it."""

    def parse(
        self, stream: Any, media_type: Any = None, parser_context: Any = None
    ) -> Any:
        try:
            text = stream.read().decode("utf-8")
            data = json.loads(text, parse_constant=refuse_constant)
            if ESCAPED.search(text):
                refuse_unstorable(data)
        except (ValueError, RecursionError) as error:
            raise ParseError(f"The body is not JSON: {error}", "malformed") from error
        writer = parser_context["request"].user if parser_context else None
        return writer.scrubber.json(data) if isinstance(writer, Actor) else data


def refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def refuse_unstorable(value: Any) -> None:
    if isinstance(value, str) and UNSTORABLE.search(value):
        raise ValueError("a text holds NUL or half of a surrogate pair")
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for one in value:
            refuse_unstorable(one)


class AlwaysJson(DefaultContentNegotiation):
    """Whatever is asked for, the answer is JSON: a browser gets to read it too."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> Any:
        return renderers[0], renderers[0].media_type


class Endpoint(APIView):
    """A view that takes forms and gives shapes. Verbs decide; it decides nothing."""

    parser_classes = [Json]
    content_negotiation_class = AlwaysJson
    # Fields of a POST's answer that are shown once and kept nowhere.
    secrets: tuple[str, ...] = ()
    # Bytes of a body, and whether a POST needs no Idempotency-Key to be sent twice.
    largest = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    repeatable = False
    post: Any

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        size = int(request.META.get("CONTENT_LENGTH") or 0)
        if size > self.largest:
            text = f"The body is larger than {self.largest} bytes."
            raise BadRequest(text, code="too_large")
        self.must_name_no_secret()
        keyed = request.method == "POST" and idempotency.HEADER in request.headers
        if keyed and not self.repeatable:
            self.post = idempotency.once(self.post, self.secrets)

    def must_name_no_secret(self) -> None:
        """BadRequest when there is a secret of the writer in the address, or in the
        header that is kept: an address can only be refused."""
        if self.request.method in SAFE_METHODS or not isinstance(self.actor, Actor):
            return
        key = self.request.headers.get(idempotency.HEADER, "")
        if self.actor.scrubber.finds(f"{unquote(self.request.get_full_path())}\n{key}"):
            raise BadRequest(
                "The address holds the value of a secret. Call the thing by another"
                " name.",
                code="holds_secret",
            )

    @property
    def actor(self) -> Actor:
        return self.request.user  # type: ignore[return-value]

    def company(self) -> Company:
        """The company in the path, if the actor belongs to it."""
        pk = self.kwargs["company_id"]
        agent = self.actor.agent
        if agent is not None and str(agent.company_id) == pk:
            return agent.company
        return Company.objects.get_for(self.actor, pk)

    def read(self, form: type[Serializer], *, partial: bool = False) -> dict[str, Any]:
        """The request's body, checked by the form."""
        filled = form(
            data=self.request.data, partial=partial, context={"actor": self.actor}
        )
        filled.is_valid(raise_exception=True)
        return filled.validated_data

    def query(self, form: type[Serializer]) -> dict[str, Any]:
        """The parameters in the address, checked by the form."""
        filled = form(data=self.request.query_params.dict())
        filled.is_valid(raise_exception=True)
        return filled.validated_data

    def page(
        self,
        rows: QuerySet,
        pages: Pages,
        shape: type[BaseSerializer],
        /,  # a context may well have a `self` of its own
        **context: Any,
    ) -> Response:
        found, headers = pages.cut(rows, self.request)
        data = shape(found, many=True, context=context).data
        return Response(data, headers=headers)


class NoRoute(Endpoint):
    """Any address below /api that is none."""

    authentication_classes = []
    permission_classes = []
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise Missing(NO_ROUTE)


def is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
