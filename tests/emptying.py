"""What tests committed is gone before the next one begins.

Django truncates every table for that, full or not, and makes all permissions again: a
quarter of a second, after each of some hundred tests."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.db import OperationalError, connection, transaction
from django.test import TransactionTestCase
from tenacity import retry, retry_if_exception_type, stop_after_attempt

# Made with the tables, and no test's.
KEPT = {"auth_permission", "django_content_type"}
# Their rows are deleted by nobody.
APPEND_ONLY = {"paperclip_activity", "paperclip_seal"}


@cache
def tables() -> list[str]:
    """Where the models' rows are."""
    names = connection.introspection.django_table_names(
        only_existing=True, include_views=False
    )
    return sorted(
        {connection.ops.quote_name(name) for name in names if name not in KEPT}
    )


@retry(retry=retry_if_exception_type(OperationalError), stop=stop_after_attempt(5))
def empty(_: Any = None) -> None:
    """Delete what there is; again when a thread of the test's server, on its way out,
    held a table that it waited for."""
    empty_once()


def empty_once() -> None:
    """Delete what there is, once the last of those who still write has ended. Foreign
    keys are looked at when all is gone."""
    append_only = {*map(connection.ops.quote_name, APPEND_ONLY)}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {', '.join(tables())} IN ACCESS EXCLUSIVE MODE")
        looks = (f"EXISTS (SELECT FROM {table})" for table in tables())
        cursor.execute(f"SELECT {', '.join(looks)}")
        for table, is_full in zip(tables(), cursor.fetchone(), strict=True):
            if is_full:
                act = "TRUNCATE" if table in append_only else "DELETE FROM"
                cursor.execute(f"{act} {table}")


def install() -> None:
    """Let it be done so after each test that commits."""
    case: Any = TransactionTestCase
    case._fixture_teardown = empty
