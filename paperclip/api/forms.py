"""What requests may say. Forms are strict: a field they do not know is refused, and a
number is not a text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models import Model, QuerySet
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from paperclip.exceptions import Invalid


class Form(serializers.Serializer):
    """Base of the forms. Their context holds the `actor`, for the fields below."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = set(data) - set(self.fields) if isinstance(data, dict) else set()
        problems: dict[str, Any] = {
            key: [ErrorDetail("Unknown field.", code="unknown_field")]
            for key in sorted(unknown)
        }
        try:
            value = super().to_internal_value(data)
        except ValidationError as error:
            raise ValidationError({**error.detail, **problems}) from None  # type: ignore[dict-item]
        if problems:
            raise ValidationError(problems)
        return value


class Text(serializers.CharField):
    """A text. Unlike DRF's, it does not take a number for one."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Whole(serializers.IntegerField):
    """A whole number that fits the database; not a text that looks like one."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"min_value": 0, "max_value": 2**31 - 1, **options})

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class Flag(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


Rows = Callable[[Any], QuerySet]


class Row(serializers.UUIDField):
    """The id of a row that the actor may see: the value is the row.

    Invalid (422) when there is none; one of a foreign company is none.
    """

    def __init__(self, rows: Rows, **options: Any) -> None:
        super().__init__(**options)
        self.rows = rows

    def to_internal_value(self, data: Any) -> Model:  # type: ignore[override]
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        pk = super().to_internal_value(data)
        return rows_of(self, self.rows, [pk])[0]


class RowList(serializers.ListField):
    """Ids of rows, fetched with one query. The order and repetitions do not count."""

    child = serializers.UUIDField()

    def __init__(self, rows: Rows, **options: Any) -> None:
        super().__init__(**{"max_length": 200, **options})
        self.rows = rows

    def to_internal_value(self, data: Any) -> list[Model]:  # type: ignore[override]
        return rows_of(self, self.rows, super().to_internal_value(data))


def rows_of(field: serializers.Field, rows: Rows, ids: list[UUID]) -> list[Any]:
    found = rows(field.context["actor"]).in_bulk(ids) if ids else {}
    for pk in ids:
        if pk not in found:
            raise Invalid(
                f"{field.field_name}: there is no {pk} here.",
                code="unknown_reference",
                path=[field.field_name],
            )
    return list(found.values())


def must_fit(form: serializers.Serializer, whose: str) -> None:
    """Invalid, naming each wrong field, when `whose` form does not take its data."""
    if form.is_valid():
        return
    problems = {
        key: " ".join(map(str, errors)) if isinstance(errors, list) else str(errors)
        for key, errors in form.errors.items()
    }
    said = " ".join(f"{key}: {text}" for key, text in problems.items())
    raise Invalid(f"{whose} does not take this: {said}", **problems)
