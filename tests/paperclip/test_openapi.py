"""The description of the API is whole and says what happens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.validation import validate_schema

from paperclip.api.openapi import document
from paperclip.api.views import Endpoint, NoRoute
from tests import make

METHODS = ("get", "post", "patch", "put", "delete")


def routes(
    resolver: URLResolver | None = None, before: str = "/"
) -> Iterator[tuple[str, type[Endpoint]]]:
    """Every route of the API with its view."""
    resolver = resolver or get_resolver()
    for entry in resolver.url_patterns:
        path = before + str(entry.pattern)
        if isinstance(entry, URLResolver) and path.startswith("/api/"):
            yield from routes(entry, path)
        elif isinstance(entry, URLPattern) and path.startswith("/api/"):
            view = entry.callback.view_class
            if view is not NoRoute and view.schema is not None:
                yield re.sub("<str:(.+?)>", r"{\1}", path), view


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_every_route_is_described() -> None:
    served = {
        (path, method) for path, view in routes() for method in METHODS
        if hasattr(view, method)
    }  # fmt: skip
    described = {(path, method) for path, method, _ in operations()}
    assert described == served
    assert len(served) > 45


def test_it_is_valid_and_of_version_3_1() -> None:
    assert document()["openapi"] == "3.1.0"
    validate_schema(document())


def test_operation_ids_are_names_and_unique() -> None:
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch("[a-z]+(_[a-z]+)+", one) for one in ids)


def test_refusals_are_described() -> None:
    for path, method, operation in operations():
        codes = set(operation["responses"])
        assert {"401", "404"} <= codes, (path, method)
        if method != "get":
            assert {"400", "403", "409", "422"} <= codes, (path, method)


def test_every_post_takes_an_idempotency_key() -> None:
    for path, method, operation in operations():
        parameters = operation.get("parameters", [])
        headers = [p["name"] for p in parameters if p["in"] == "header"]
        assert (headers == ["Idempotency-Key"]) == (method == "post"), path


@pytest.mark.django_db
def test_anybody_can_read_it() -> None:
    response = make.client().get("/api/openapi.json")
    assert response.status_code == 200
    assert response.json()["info"]["title"] == "Paperclip"
