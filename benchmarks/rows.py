"""Many rows at once, put straight into an instance's tables: what is measured is what
the engine does with them, not how they come in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import psycopg

from tests.instance import Instance


def address(instance: Instance) -> str:
    """Where the instance's own PostgreSQL is."""
    home = instance.home
    password = quote((home / "secrets" / "postgres").read_text().strip(), safe="")
    port = (home / "run" / "postgres.port").read_text().strip()
    return f"postgres://paperclip:{password}@127.0.0.1:{port}/paperclip"


@contextmanager
def database(instance: Instance) -> Iterator[psycopg.Connection]:
    """A connection to it."""
    with psycopg.connect(address(instance), autocommit=True) as connection:
        yield connection


def copies(
    connection: psycopg.Connection, table: str, pk: str, n: int, **values: str
) -> list[Any]:
    """So many copies of a row with ids of their own; `values` are SQL expressions,
    in which `n` is the number of the copy. The new ids."""
    known = connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s"
        " ORDER BY ordinal_position",
        [table],
    )
    columns = [row[0] for row in known]
    values = {"id": "gen_random_uuid()", **values}
    chosen = ", ".join(values.get(name, f't."{name}"') for name in columns)
    listed = ", ".join(f'"{name}"' for name in columns)
    made = connection.execute(
        f"INSERT INTO {table} ({listed}) SELECT {chosen}"
        f" FROM {table} t CROSS JOIN generate_series(1, %s) n WHERE t.id = %s"
        " RETURNING id",
        [n, pk],
    )
    return [row[0] for row in made]


def agents(connection: psycopg.Connection, pk: str, n: int, **values: str) -> list[Any]:
    """So many colleagues like this one."""
    named = {"name": "t.name || ' ' || n", "url_key": "t.url_key || '-' || n"}
    return copies(connection, "agents_agent", pk, n, **named, **values)
