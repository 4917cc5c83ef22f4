"""The database of a backup: dumped at one moment, restored, and compared."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import InsufficientPrivilege
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from paperclip import upgrade
from paperclip.exceptions import Refused
from paperclip.servers.postgres import program

# What libpq reads of its environment: a password is no argument.
VARIABLES = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
}
TABLES = """
SELECT c.oid::regclass::text FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname = 'public' ORDER BY 1
"""
# The same in whatever order the rows are read, in no more memory than one of them.
CHECKSUM = """
SELECT count(*),
    coalesce(sum(('x' || left(md5(t::text), 15))::bit(60)::bigint), 0)::text
FROM {table} t
"""
Facts = dict[str, list[int | str]]


class Slow(Refused):
    """It took longer than it may."""

    code = "timed_out"


def dump(url: str, file: Path, deadline: float) -> tuple[Facts, list[str]]:
    """Write the database to a file as it is at one moment: the rows and the checksum of
    every table at that moment, and the migrations it had."""
    with psycopg.connect(url, options="-c TimeZone=UTC") as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        ((snapshot,),) = connection.execute("SELECT pg_export_snapshot()").fetchall()
        with file.open("xb") as out:
            run(
                ["pg_dump", "--format=custom", f"--snapshot={snapshot}"],
                url,
                deadline,
                stdout=out,
            )
        had = connection.execute("SELECT app, name FROM django_migrations").fetchall()
        return facts_of(connection, deadline), upgrade.names(had)


def facts_of(connection: psycopg.Connection, deadline: float) -> Facts:
    left = max(1, round((deadline - time.monotonic()) * 1000))
    connection.execute(sql.SQL("SET statement_timeout = {}").format(left))
    facts: Facts = {}
    try:
        for (table,) in connection.execute(TABLES).fetchall():
            # Nothing of ours to quote: regclass has done it.
            counting = sql.SQL(CHECKSUM).format(table=sql.SQL(table))
            (row,) = connection.execute(counting).fetchall()
            facts[table] = list(row)
    except psycopg.errors.QueryCanceled:
        raise Slow("Reading the tables took longer than a backup may.") from None
    return facts


def restore(file: Path, url: str, deadline: float) -> None:
    """Put a dump into an empty database. Refused when it is not empty."""
    with psycopg.connect(url) as connection:
        if connection.execute(TABLES).fetchone():
            raise Refused("The database is not empty: a backup goes into an empty one.")
    with file.open("rb") as dumped:
        options = ["--no-owner", "--no-privileges", "--exit-on-error", "--dbname="]
        run(["pg_restore", *options], url, deadline, stdin=dumped)


def differences(url: str, wanted: Facts, deadline: float) -> list[str]:
    """The tables in which the database is not what a dump said, in words."""
    with psycopg.connect(url, options="-c TimeZone=UTC") as connection:
        found = facts_of(connection, deadline)
    return [
        f"{table}: {found.get(table, ['no'])[0]} rows, {wanted.get(table, ['no'])[0]}"
        " were dumped, or they differ"
        for table in sorted({*wanted, *found})
        if wanted.get(table) != found.get(table)
    ]


@contextmanager
def scratch(url: str) -> Iterator[str]:
    """An empty database on the same server, gone afterwards. Its URL."""
    name = f"paperclip_check_{secrets.token_hex(6)}"
    quoted = sql.Identifier(name)
    with psycopg.connect(url, autocommit=True) as server:
        create = "CREATE DATABASE {} TEMPLATE template0 STRATEGY file_copy"
        server.execute(sql.SQL(create).format(quoted))
        try:
            yield make_conninfo(url, dbname=name)
        finally:
            drop(server, quoted)


# An autovacuum of a superuser's may be at it, which only ends by itself.
@retry(
    retry=retry_if_exception_type(InsufficientPrivilege),
    stop=stop_after_delay(30),
    wait=wait_fixed(0.2),
    reraise=True,
)
def drop(server: psycopg.Connection, name: sql.Identifier) -> None:
    server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def run(
    command: list[str],
    url: str,
    deadline: float,
    *,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    stdout: IO[bytes] | int = subprocess.DEVNULL,
) -> None:
    """One of PostgreSQL's programs on this database, ended at the deadline: Slow; or
    Refused with its last words when it fails."""
    name, *arguments = command
    told = {k: str(v) for k, v in conninfo_to_dict(url).items() if v is not None}
    env = {VARIABLES[key]: value for key, value in told.items() if key in VARIABLES}
    try:
        done = subprocess.run(
            [str(program(name)), *arguments],
            env={"PATH": os.environ.get("PATH", os.defpath), **env},
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            timeout=max(0.1, deadline - time.monotonic()),
        )
    except subprocess.TimeoutExpired:
        raise Slow(f"{name} took longer than a backup may, and was ended.") from None
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip().splitlines()[-2:]
        raise Refused(f"{name} failed: {' '.join(words)}")
