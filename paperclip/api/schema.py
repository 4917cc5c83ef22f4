"""How the routes describe themselves in /api/openapi.json."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.serializers import Serializer

from paperclip.api.shapes import ProblemShape
from paperclip.idempotency import HEADER, LONGEST
from paperclip.pages import Pages

# Which refusals a method can answer with, besides 401 for a bad credential.
PROBLEMS = {"GET": (400, 404), "POST": (400, 403, 404, 409, 422)}
PROBLEMS["PATCH"] = PROBLEMS["DELETE"] = PROBLEMS["POST"]

ONCE = OpenApiParameter(
    HEADER,
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description=f"Up to {LONGEST} characters. The same request with the same key"
    " happens once; the second one gets the first one's answer.",
)


def doc(
    operation_id: str,
    summary: str,
    *,
    takes: type[Serializer] | None = None,
    gives: Any = None,
    status: int | tuple[int, ...] = 200,
    query: type[Serializer] | None = None,
    pages: Pages | None = None,
    problems: tuple[int, ...] = (),
) -> Callable[[Any], Any]:
    """Describes one method of a view. `operation_id` is stable; its first word says the
    method: get, list, create, change, delete, or an act."""
    verb = operation_id.split("_")[0]
    method = {"get": "GET", "list": "GET", "delete": "DELETE"}.get(verb, "POST")
    fine = (status,) if isinstance(status, int) else status
    shape = gives(many=True) if verb == "list" else gives
    parameters: list[Any] = [query] if query else []
    parameters += paging(pages) if pages else []
    if method == "POST" and verb != "change":
        parameters.append(ONCE)
    return extend_schema(
        operation_id=operation_id,
        summary=summary,
        request=takes,
        parameters=parameters,
        responses={
            **dict.fromkeys(fine, shape),
            **dict.fromkeys((401, *PROBLEMS[method], *problems), ProblemShape),
        },
    )


def paging(pages: Pages) -> list[OpenApiParameter]:
    most = f"1 to {pages.maximum}, {pages.limit} if left out."
    return [
        OpenApiParameter("limit", OpenApiTypes.INT, description=most),
        OpenApiParameter("offset", OpenApiTypes.INT, description="Rows to pass over."),
        OpenApiParameter(
            "cursor", OpenApiTypes.STR, description="From the Link header: rel=next."
        ),
    ]


def public(endpoint: Any) -> Any:
    """A view that anybody may call, with or without a credential."""
    endpoint.authentication_classes = []
    endpoint.permission_classes = [AllowAny]
    return endpoint


class BearerScheme(OpenApiAuthenticationExtension):
    target_class = "agents.auth.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A run's token, an agent's key (with X-Paperclip-Run-Id for"
            " work on issues) or an operator's key.",
        }


class SessionScheme(OpenApiAuthenticationExtension):
    target_class = "agents.auth.SessionActor"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}
