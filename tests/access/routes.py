"""Every address that is served and the methods it takes, as the resolvers know them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, get_resolver
from rest_framework.views import APIView

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
PARAMETER = re.compile(r"<(?:\w+:)?\w+>|:\w+")
# What no row can stand for: the answers to addresses that are none.
CATCH_ALL = {"/api", "/api/"}


def pattern(path: str) -> str:
    """The address without the names of its parameters."""
    return PARAMETER.sub(":", path)


def served(urlconf: str | None = None) -> dict[str, Any]:
    """The view of every address."""
    return dict(walk(get_resolver(urlconf), "/"))


def walk(resolver: Any, before: str) -> Iterator[tuple[str, Any]]:
    for entry in resolver.url_patterns:
        path = before + str(entry.pattern)
        if isinstance(entry, URLPattern):
            if path not in CATCH_ALL:
                yield path, entry.callback
        else:
            yield from walk(entry, path)


def methods(view: Any) -> set[str]:
    """What a view of the API takes; of another view nobody can tell."""
    cls = getattr(view, "view_class", None)
    if cls is not None and issubclass(cls, APIView):
        return {name for name in METHODS if hasattr(cls, name.lower())}
    return set()
