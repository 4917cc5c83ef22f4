"""Databases of earlier versions, and what is in them."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps.registry import Apps
from django.core.management import call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from psycopg import sql

from paperclip.servers.postgres import program

# The migrations that came in together, in order.
LANDED = (
    "agents.0002_initial issues.0002_initial paperclip.0001_initial",
    "agents.0003_company_at_work issues.0003_company_at_work",
    "agents.0004_monthly_sums paperclip.0003_monthly_sums",
    "agents.0005_engine paperclip.0004_engine",
    "issues.0005_routines",
    "paperclip.0005_instance",
    "agents.0007_sessions",
    "agents.0008_accounts",
    "paperclip.0006_activity_of_run",
    "agents.0011_secrets",
)
OURS = ("agents", "issues", "marketing", "paperclip")
Node = tuple[str, str]
Rows = dict[str, dict[str, dict[str, Any]]]


KEYS = """
SELECT c.relname, a.attname FROM pg_class c
JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
WHERE c.relkind = 'r' AND split_part(c.relname, '_', 1) = ANY(%s)
"""
ROWS = "SELECT {}::text, to_jsonb(t)::text FROM {} t"


def landings() -> list[list[Node]]:
    """What came in together, the oldest first; the last of them is the present state.

    What LANDED does not name came in alone: so a new migration makes the state before
    it one to upgrade from."""
    graph = MigrationLoader(None).graph
    found = [[node(one) for one in line.split()] for line in LANDED]
    known = set[Node]()
    for one in (new for landed in found for new in landed):
        known.update(graph.forwards_plan(one))
    for leaf in graph.leaf_nodes():
        for one in graph.forwards_plan(leaf):
            if one[0] in OURS and one not in known:
                known.add(one)
                found.append([one])
    return found


def node(word: str) -> Node:
    app, _, name = word.partition(".")
    return app, name


class Database:
    """One of the tests' server, under an alias of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        default = connections.settings["default"]
        connections.settings[name] = {
            **default,
            "NAME": name,
            "OPTIONS": {**default["OPTIONS"], "pool": False},
        }

    @property
    def url(self) -> str:
        s = connections.settings[self.name]
        place = f"{s['HOST']}:{s['PORT']}"
        return f"postgres://{s['USER']}:{s['PASSWORD']}@{place}/{self.name}"

    def migrate(self, targets: list[Node]) -> Apps:
        """Bring it to these, and the models as those migrations leave them."""
        executor = MigrationExecutor(connections[self.name])
        loader = executor.loader
        # Other programs' tables are as they are now, in any version.
        theirs = [leaf for leaf in loader.graph.leaf_nodes() if leaf[0] not in OURS]
        wanted = [*theirs, *targets]
        executor.migrate(
            [one for one in wanted if one not in loader.applied_migrations]
        )
        loader.build_graph()
        self.close()
        return loader.project_state(list(loader.applied_migrations)).apps

    def upgrade(self) -> None:
        call_command("migrate", database=self.name, interactive=False, verbosity=0)

    def close(self) -> None:
        connections[self.name].close()

    def rows(self) -> Rows:
        """All there is in our tables: by table and id, each column by its name."""
        found: Rows = {}
        with connections[self.name].cursor() as cursor:
            cursor.execute(KEYS, [list(OURS)])
            for table, key in cursor.fetchall():
                named = map(sql.Identifier, (key, table))
                cursor.execute(sql.SQL(ROWS).format(*named))
                found[table] = {key: json.loads(row) for key, row in cursor.fetchall()}
        return found


def schema(url: str) -> list[str]:
    """All tables, columns, constraints, indexes, functions and triggers, as SQL."""
    command = [str(program("pg_dump")), "--schema-only", url]
    said = subprocess.check_output(command, text=True)
    # Each dump restricts its reader by another word.
    return [one for one in said.splitlines() if "restrict " not in one]


@contextmanager
def database(template: str = "template0") -> Iterator[Database]:
    """A new one, gone afterwards."""
    name = f"upgrade_{secrets.token_hex(4)}"
    with connections["default"].cursor() as server:
        server.execute(
            f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy'
        )
    one = Database(name)
    try:
        yield one
    finally:
        one.close()
        with connections["default"].cursor() as server:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
