"""The description of the API, made once per process."""

from __future__ import annotations

from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from rest_framework.request import Request
from rest_framework.response import Response

from paperclip.api.schema import public
from paperclip.api.views import Endpoint


@cache
def document() -> dict[str, Any]:
    described: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return described


@public
class Document(Endpoint):
    schema = None

    def get(self, request: Request) -> Response:
        return Response(document())
