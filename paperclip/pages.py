"""Lists come in pages: a limit on each, and a cursor that stays right while rows come
and go. The body is a bare array; the next page's address is in the `Link` header."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from paperclip.exceptions import BadRequest

DEEPEST_OFFSET = 1_000_000


@dataclass(frozen=True)
class Pages:
    """How one list is cut. The last name in `order` is unique among the rows listed,
    and all go the same way: `("priority", "number")` or `("-created_at", "-id")`."""

    order: tuple[str, ...]
    limit: int = 100
    maximum: int = 500

    def cut(self, rows: QuerySet, request: Request) -> tuple[list[Any], dict[str, str]]:
        """The rows of the page asked for, and the headers that go with them."""
        limit = whole(request, "limit", self.limit, 1, self.maximum)
        offset = whole(request, "offset", 0, 0, DEEPEST_OFFSET)
        if cursor := request.query_params.get("cursor"):
            beyond = self._beyond(self._values(rows.model, cursor))
            rows, offset = rows.filter(beyond), 0
        found = list(rows.order_by(*self.order)[offset : offset + limit + 1])
        if len(found) <= limit:
            return found, {}
        found.pop()
        url = replace_query_param(
            request.build_absolute_uri(), "cursor", self._cursor(found[-1])
        )
        url = replace_query_param(url, "offset", 0) if offset else url
        return found, {"Link": f'<{url}>; rel="next"'}

    @property
    def names(self) -> list[str]:
        return [name.lstrip("-") for name in self.order]

    def after(self, last: Model) -> Q:
        """The rows that come after this one."""
        return self._beyond({name: getattr(last, name) for name in self.names})

    def _cursor(self, last: Model) -> str:
        values = [str(getattr(last, name)) for name in self.names]
        return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()

    def _values(self, model: type[Model], cursor: str) -> dict[str, Any]:
        try:
            texts = json.loads(base64.urlsafe_b64decode(cursor.encode()))
            pairs = zip(self.names, texts, strict=True)
            fields: Any = model._meta
            return {n: fields.get_field(n).to_python(text) for n, text in pairs}
        except (ValueError, TypeError, ValidationError):
            raise BadRequest(
                "cursor is what the Link header of the page before it says.",
                code="bad_cursor",
            ) from None

    def _beyond(self, values: dict[str, Any]) -> Q:
        way = "lt" if self.order[0].startswith("-") else "gt"
        beyond, equal = Q(), Q()
        for name, value in values.items():
            beyond |= equal & Q(**{f"{name}__{way}": value})
            equal &= Q(**{name: value})
        first = self.names[0]
        # Implied by the rest; it lets the database start in the middle of the index.
        return Q(**{f"{first}__{way}e": values[first]}) & beyond


def whole(request: Request, name: str, default: int, least: int, most: int) -> int:
    """A number from the query; BadRequest says what is allowed."""
    text = request.query_params.get(name)
    if text is None:
        return default
    short = text.isascii() and text.isdigit() and len(text) <= 12
    if short and least <= int(text) <= most:
        return int(text)
    raise BadRequest(
        f"{name} is a whole number from {least} to {most}.",
        code="validation",
        path=[name],
    )
