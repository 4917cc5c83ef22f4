"""What a check finds, and what many of them ask first."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from urllib.parse import urlsplit

import psycopg
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from paperclip import home, upgrade

OK, WARN, FAIL = "ok", "warn", "fail"
PATIENCE = 3  # seconds for each server to answer


@dataclass(frozen=True)
class Finding:
    """One line of the table: ok, warn or fail; what was found; what to do about it."""

    state: str
    said: str
    todo: str = ""


Check = Callable[[], Finding]
STILL = Finding(WARN, "stands still: the instance does not run")
UNKNOWN = Finding(WARN, "not known without the database")


def is_up() -> bool:
    """Whether `up` runs on this home: it holds a lock."""
    try:
        lock = os.open(home.path() / "run" / "up.lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def addresses() -> tuple[str, str, str]:
    """Of the console, the API and the gateway: what `up` runs this home with, whatever
    our own settings say; else what they say."""
    if is_up():
        lines = (home.path() / "run" / "up.lock").read_text().splitlines()
        if len(lines) == 4:
            return lines[1], lines[2], lines[3]
    return settings.URL, settings.API_URL, settings.GATEWAY_URL


def log_of(program: str) -> str:
    return f"Read {home.path() / 'logs' / program}.log."


def away(error: Exception, variable: str, program: str) -> Finding:
    """A server that does not answer. Ours does not have to while nothing runs."""
    if os.environ.get(variable):
        return Finding(FAIL, first_line(error), f"Look at {variable} and that server.")
    if is_up():
        return Finding(FAIL, first_line(error), log_of(program))
    return STILL


def first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def place(url: str) -> str:
    """Host and port of an address, without its password."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def database() -> Finding:
    try:
        with psycopg.connect(settings.DATABASE_URL, connect_timeout=PATIENCE) as found:
            version = found.info.server_version // 10_000
    except psycopg.Error as error:
        return away(error, "DATABASE_URL", "postgres")
    return Finding(OK, f"PostgreSQL {version} at {place(settings.DATABASE_URL)}")


def migrations() -> Finding:
    if database().state != OK:
        return UNKNOWN
    executor = MigrationExecutor(connection)
    missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    why = upgrade.newer(upgrade.names(executor.loader.applied_migrations))
    connection.close()
    if why:
        todo = "To stay with this version, restore a backup of it into a new home."
        return Finding(FAIL, why, todo)
    if missing:
        todo = "Start Paperclip again, or run `python3 manage.py migrate`."
        return Finding(FAIL, f"{missing} not applied", todo)
    return Finding(OK, "all applied")


def of_tables(check: Check) -> Check:
    """A check that reads the tables: nothing is known without them."""

    @wraps(check)
    def checked() -> Finding:
        if migrations().state != OK:
            return UNKNOWN
        try:
            return check()
        finally:
            connection.close()

    return checked
