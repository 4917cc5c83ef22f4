"""Statements of our own, for what a heartbeat does hundreds of times a second."""

from __future__ import annotations

from typing import Any

import psycopg
from django.db import connection, models

Row = tuple[Any, ...]


def planned(statement: str, **told: Any) -> list[Row]:
    """The rows of a statement that PostgreSQL parses and plans once for a connection:
    most of what a short one costs. `told` are its `%(name)s`; a JSON value comes back
    as text. It takes part in the transaction there is, and raises what Django's
    cursors raise."""
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with (
        connection.wrap_database_errors,
        psycopg.Cursor(connection.connection) as cursor,
    ):
        cursor.execute(statement, told, prepare=True)
        # Not cursor.description, which makes an object of each column.
        has_rows = cursor.pgresult is not None and cursor.pgresult.nfields
        return cursor.fetchall() if has_rows else []


def lock(name: str) -> None:
    """Of those that name the same thing, one at a time until its commit."""
    planned("SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 0))", name=name)


def columns(model: type[models.Model], alias: str) -> str:
    """The columns of a model's rows, for a SELECT whose rows `made` makes rows of."""
    return ", ".join(f'{alias}."{f.column}"' for f in model._meta.concrete_fields)


def made(row: Row, *kinds: type[models.Model]) -> list[Any]:
    """The rows of these models whose columns are in the row, one after the other."""
    rest, rows = iter(row), []
    for model in kinds:
        fields = model._meta.concrete_fields
        values = [value_of(field, next(rest)) for field in fields]
        rows.append(
            model.from_db(connection.alias, [f.attname for f in fields], values)
        )
    return rows


def value_of(field: models.Field[Any, Any], value: Any) -> Any:
    """As Django's own queries have it: JSON comes as text."""
    convert = getattr(field, "from_db_value", None)
    return convert(value, None, connection) if convert else value
