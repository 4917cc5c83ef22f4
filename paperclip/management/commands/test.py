"""Runs the test suite with servers and a home of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import redis
from django.core.management.base import BaseCommand

from paperclip import browsers, home, servers
from paperclip.settings import embedded

START_SECONDS = 30
# One more than there are processors, as many tests wait for processes of their own.
SPREAD = [f"-n{min((os.cpu_count() or 1) + 1, 8)}"]
SPREAD += ["--dist=loadscope", "--no-loadscope-reorder"]
# A crash may lose what tests wrote; nothing else is different from `up`.
FAST = [
    part
    for option in ("fsync", "synchronous_commit", "full_page_writes")
    for part in ("-c", f"{option}=off")
]


class Command(BaseCommand):
    help = "Run the test suite; --long adds its long tests, the rest is for pytest."
    requires_system_checks: list[str] = []

    def run_from_argv(self, argv: list[str]) -> None:
        """All arguments are pytest's, so Django's parser does not see them."""
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            with ExitStack() as stack:
                stack.enter_context(temporary_home())
                if not os.environ.get("DATABASE_URL"):
                    os.environ["DATABASE_URL"] = stack.enter_context(postgres())
                if not os.environ.get("REDIS_URL"):
                    os.environ["REDIS_URL"] = stack.enter_context(valkey())
                os.environ["PAPERCLIP_CHROMIUM"] = browser()
                code = stack.enter_context(pytest(spread(argv[2:]))).wait()
        except KeyboardInterrupt:
            code = 130
        sys.exit(code)


def spread(arguments: list[str]) -> list[str]:
    """The whole suite is for several processes; tests that are named are for one."""
    named = any(Path(one.partition("::")[0]).exists() for one in arguments)
    return arguments if named else [*SPREAD, *arguments]


@contextmanager
def temporary_home() -> Iterator[None]:
    """The home manage.py made for the tests; nothing of it is left afterwards."""
    try:
        yield
    finally:
        shutil.rmtree(os.environ["PAPERCLIP_TEST_HOME"], ignore_errors=True)


@contextmanager
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL of our own."""
    with server("postgres", *FAST):
        url = embedded("postgres", "postgres://paperclip:", "/paperclip")
        servers.wait_until(lambda: psycopg.connect(url).close(), START_SECONDS)
        yield url


@contextmanager
def valkey() -> Iterator[str]:
    """The address of a Valkey of our own."""
    with server("valkey"):
        url = embedded("valkey", "redis://:", "/0")
        servers.wait_until(redis.Redis.from_url(url).ping, START_SECONDS)
        yield url


@contextmanager
def server(name: str, *options: str) -> Iterator[None]:
    """An embedded server while the block runs; when it cannot be reached, its log."""
    with servers.running(name, *options) as log:
        try:
            yield
        except psycopg.OperationalError:
            sys.stderr.write(log.read_text())
            raise


def browser() -> str:
    """The browser for the tests, installed when there is none. An empty string when
    none can be had: the tests that need one fail then, and say so."""
    started = time.monotonic()
    found = browsers.install() or ""
    if time.monotonic() - started > 2:
        sys.stderr.write(f"Browser ... {time.monotonic() - started:.1f} s\n")
    return found


@contextmanager
def pytest(arguments: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """pytest with these arguments. A Ctrl-C reaches it through us, once: a second one
    would break off what it cleans up."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=home.BASE_DIR,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
