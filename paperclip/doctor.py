"""What an instance stands on, looked at from outside: also when it does not run."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from smtplib import SMTPException
from urllib.parse import urlsplit

import httpx
import psycopg
import redis
from django.conf import settings
from django.core.mail import get_connection
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from agents import sandbox
from agents.models import BudgetIncident, BudgetPolicy
from paperclip import browsers, home, upgrade
from paperclip.backups import nightly
from paperclip.exceptions import Refused
from paperclip.first_start import MODELS
from paperclip.models import Chain, Unsealed

OK, WARN, FAIL = "ok", "warn", "fail"
PATIENCE = 3  # seconds for each server to answer
LOW_MB, LITTLE_MB = 100, 1000
OLDEST_GIT = (2, 38)  # its merge-tree merges without a work tree
KEY = re.compile(r"(?!PAPERCLIP_)[A-Z0-9_]+_API_KEY")


@dataclass(frozen=True)
class Finding:
    """One line of the table: ok, warn or fail; what was found; what to do about it."""

    state: str
    said: str
    todo: str = ""


Check = Callable[[], Finding]
STILL = Finding(WARN, "stands still: the instance does not run")


def examine() -> Iterator[tuple[str, Finding]]:
    """Each check's name and finding. One that itself fails is a finding too."""
    for name, check in CHECKS.items():
        try:
            yield name, check()
        except Exception as error:
            yield name, Finding(FAIL, first_line(error), "This check itself failed.")


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


# --- The checks ------------------------------------------------------------------


def instance() -> Finding:
    if is_up():
        return Finding(OK, f"runs on {home.path()}")
    todo = "Start it with `python3 manage.py up`, unless systemd runs it."
    return Finding(WARN, f"`up` does not run on {home.path()}", todo)


def database() -> Finding:
    try:
        with psycopg.connect(settings.DATABASE_URL, connect_timeout=PATIENCE) as found:
            version = found.info.server_version // 10_000
    except psycopg.Error as error:
        return away(error, "DATABASE_URL", "postgres")
    return Finding(OK, f"PostgreSQL {version} at {place(settings.DATABASE_URL)}")


def migrations() -> Finding:
    if database().state != OK:
        return Finding(WARN, "not known without the database")
    executor = MigrationExecutor(connection)
    missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    why = upgrade.newer(upgrade.names(executor.loader.applied_migrations))
    connection.close()
    if why:
        return Finding(FAIL, why, "To go back, restore a backup that it took.")
    if missing:
        todo = "Start Paperclip again, or run `python3 manage.py migrate`."
        return Finding(FAIL, f"{missing} not applied", todo)
    return Finding(OK, "all applied")


def acts() -> Finding:
    """Whether the log of acts is sealed, and what was last found of it."""
    if migrations().state != OK:
        return Finding(WARN, "not known without the database")
    chains = list(Chain.objects.select_related("company"))
    waiting = Unsealed.objects.late().count()
    connection.close()
    for chain in chains:
        if chain.findings:
            said = f"{chain.company}: {chain.findings[0]['said']}"
            return Finding(FAIL, said, "See all: `python3 manage.py verify_audit`.")
    said = f"{sum(chain.length for chain in chains):,} acts sealed"
    if waiting and is_up():
        return Finding(WARN, f"{said}, {waiting:,} wait for it", log_of("clock"))
    return Finding(OK, said)


def broker() -> Finding:
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
        ) as found:
            found.ping()
    except redis.RedisError as error:
        return away(error, "REDIS_URL", "valkey")
    return Finding(OK, f"answers at {place(settings.REDIS_URL)}")


def console() -> Finding:
    """The API's own word on its health, asked for where agents ask."""
    url, api, _ = addresses()
    found = answer(f"{api}/api/health", "web")
    if isinstance(found, Finding):
        return found
    body = found.json()
    ill = [name for name, it in body["checks"].items() if it["status"] != "ok"]
    if ill:
        todo = f"See {url}/api/health, and the logs in {home.path() / 'logs'}."
        state = FAIL if found.status_code != 200 else WARN
        return Finding(state, f"not well: {', '.join(ill)}", todo)
    return Finding(OK, f"{url}, asked at {api}")


def gateway() -> Finding:
    url = addresses()[2]
    found = answer(f"{url}/health", "gateway")
    return found if isinstance(found, Finding) else Finding(OK, url)


def answer(url: str, program: str) -> httpx.Response | Finding:
    """What a process of ours answers, or a finding about its silence."""
    try:
        found = httpx.get(url, timeout=PATIENCE, trust_env=False)
    except httpx.HTTPError as error:
        if is_up():
            return Finding(FAIL, f"{url}: {first_line(error)}", log_of(program))
        return STILL
    if found.status_code >= 500 and not found.content.startswith(b"{"):
        return Finding(FAIL, f"{url} answers {found.status_code}", log_of(program))
    return found


def walls() -> Finding:
    found = sandbox.state()
    if found.works:
        return Finding(OK, found.which)
    todo = "Until then agents with a model have no shell, and `process` no walls."
    return Finding(WARN, found.why, todo)


def browser() -> Finding:
    found = browsers.find()
    if found:
        return Finding(OK, found)
    if named := os.environ.get("PAPERCLIP_CHROMIUM"):
        said = f"PAPERCLIP_CHROMIUM names {named}, which does not start"
        return Finding(FAIL, said, "Name one that does, or none at all.")
    return Finding(WARN, "none", "Run `python3 manage.py install_browser`.")


def git() -> Finding:
    found = shutil.which("git")
    if found is None:
        todo = "Install git: projects' repositories need it."
        return Finding(FAIL, "none", todo)
    said = subprocess.check_output([found, "--version"], text=True, timeout=PATIENCE)
    version = re.search(r"(\d+)\.(\d+)", said)
    if version is None or tuple(map(int, version.groups())) < OLDEST_GIT:
        todo = "Install git {}.{} or newer: approved work is merged by it."
        return Finding(FAIL, said.strip(), todo.format(*OLDEST_GIT))
    return Finding(OK, said.strip())


def model_keys() -> Finding:
    """Which are set, never what they are."""
    names = [
        name for name, value in os.environ.items() if value and KEY.fullmatch(name)
    ]
    if names:
        return Finding(OK, ", ".join(sorted(names)))
    if settings.MODEL_API_BASE:
        return Finding(OK, f"none; the model is at {settings.MODEL_API_BASE}")
    first = next(iter(MODELS))
    todo = f"Set {first} or another for a real company; a rehearsal needs none."
    return Finding(WARN, "none", todo)


def mail() -> Finding:
    """Whether people are told by mail what waits for them."""
    if not settings.EMAIL_URL:
        todo = "Set PAPERCLIP_EMAIL_URL for mail about what waits for people."
        return Finding(WARN, "off: no server is named", todo)
    said = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}, from {settings.MAIL_FROM}"
    try:
        with get_connection(timeout=PATIENCE):
            return Finding(OK, said)
    except (OSError, SMTPException) as error:
        todo = "Look at PAPERCLIP_EMAIL_URL and that server."
        return Finding(FAIL, f"{said}: {first_line(error)}", todo)


def budgets() -> Finding:
    if migrations().state != OK:
        return Finding(WARN, "not known without the database")
    limits = BudgetPolicy.objects.active().count()
    spent = BudgetIncident.objects.unresolved().count()
    connection.close()
    if spent:
        todo = "Raise them, or keep it paused, on the console's page of budgets."
        return Finding(WARN, f"{spent} of {limits} limits are spent", todo)
    return Finding(OK, f"{limits} limits, none is spent")


def disk() -> Finding:
    free = shutil.disk_usage(home.directory()).free // 2**20
    said = f"{free:,} MB free in {home.path()}"
    if free < LOW_MB:
        return Finding(FAIL, said, "Make room: the database stops without it.")
    if free < LITTLE_MB:
        return Finding(WARN, said, "Make room.")
    return Finding(OK, said)


def backup() -> Finding:
    try:
        return Finding(OK, nightly.state())
    except Refused as why:
        todo = "Run `python3 manage.py backup`, and keep its --keys apart."
        return Finding(WARN, str(why), todo)


def place(url: str) -> str:
    """Host and port of an address, without its password."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


CHECKS: dict[str, Check] = {
    "instance": instance,
    "database": database,
    "migrations": migrations,
    "acts": acts,
    "broker": broker,
    "console": console,
    "gateway": gateway,
    "sandbox": walls,
    "browser": browser,
    "git": git,
    "model keys": model_keys,
    "mail": mail,
    "budgets": budgets,
    "disk": disk,
    "backup": backup,
}
