"""One shape for everything that goes wrong: `{"error", "code", "details"}`, as JSON."""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.response import Response

from paperclip.exceptions import Refused, TooMany

log = logging.getLogger(__name__)

NO_ROUTE = "API route not found"
# What Django and the database driver raise by themselves.
FOREIGN: dict[type[Exception], tuple[int, str, str]] = {
    Http404: (404, "Not found", "not_found"),
    PermissionDenied: (403, "Not allowed", "not_allowed"),
    DataError: (400, "A value cannot be stored: it is too long or too large.", "data"),
    OperationalError: (503, "The database does not answer. Try again.", "unavailable"),
    InterfaceError: (503, "The database does not answer. Try again.", "unavailable"),
}


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """The answer to whatever a view raises. Traces go to the log and nowhere else."""
    if isinstance(error, Refused):
        response = problem(error.status, str(error), error.code, error.details)
    elif isinstance(error, ValidationError):
        response = problem(400, "Validation error", "validation", flat(error.detail))
    elif isinstance(error, APIException):
        code = error.get_codes()
        response = problem(error.status_code, str(error.detail), str(code))
    else:
        response = problem(*answer_to(error))
    if isinstance(error, TooMany):
        response["Retry-After"] = str(error.retry_after)
    if response.status_code == 401:
        response["WWW-Authenticate"] = "Bearer"
    if response.status_code >= 500:
        log.error("%s failed", context.get("request"), exc_info=error)
    return response


def answer_to(error: Exception) -> tuple[int, str, str]:
    for kind, answer in FOREIGN.items():
        if isinstance(error, kind):
            return answer
    return 500, "Internal server error", "internal"


def problem(status: int, error: str, code: str, details: Any = None) -> Response:
    body = {"error": error, "code": code}
    if details:
        body["details"] = details
    return Response(body, status=status)


def flat(detail: Any, path: tuple[Any, ...] = ()) -> list[dict[str, Any]]:
    """Every problem of a form, with the path of its field: `["labelIds", 2]`."""
    if isinstance(detail, dict):
        found = []
        for key, inner in detail.items():
            found += flat(inner, path if key == "non_field_errors" else (*path, key))
        return found
    if isinstance(detail, list):
        nested = any(isinstance(one, dict | list) for one in detail)
        if nested:
            return [p for i, one in enumerate(detail) for p in flat(one, (*path, i))]
        return [problem for one in detail for problem in flat(one, path)]
    return [{"path": list(path), "message": str(detail), "code": detail.code}]


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's own refusals, such as an unknown Host, as JSON below /api."""
    if request.path.startswith("/api"):
        return JsonResponse({"error": "Bad request", "code": "bad_request"}, status=400)
    return defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    if request.path.startswith("/api"):
        body = {"error": "Internal server error", "code": "internal"}
        return JsonResponse(body, status=500)
    return defaults.server_error(request)
