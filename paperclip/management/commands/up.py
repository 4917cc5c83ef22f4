"""Starts the whole instance and keeps it running."""

from __future__ import annotations

import fcntl
import http.client
import os
import shutil
import sys
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketing.rehearsal import ports
from paperclip import browsers, home, servers, supervise, watch
from paperclip.first_start import first_start
from paperclip.models import Company, SignInLink, User
from paperclip.servers.binaries import Unavailable
from paperclip.upgrade import upgrade

NEEDED_MB = 100
START_SECONDS = 60  # for a part of the start that is ours, until we say it failed
ANSWER_SECONDS = 5  # for a server that should run already
EMBEDDED = {"postgres": "DATABASE_URL", "valkey": "REDIS_URL"}


class Command(BaseCommand):
    help = "Start everything; Ctrl-C stops it."
    requires_system_checks: list[str] = []  # they ask the database, which is not there

    def create_parser(self, *names: str, **options: Any) -> CommandParser:
        """One that takes no abbreviations: manage.py reads --home and --port before us,
        and knows them by their whole names only."""
        return super().create_parser(*names, allow_abbrev=False, **options)

    def add_arguments(self, parser: CommandParser) -> None:
        # manage.py has made environment variables of them: they are here for --help.
        parser.add_argument("--home", metavar="DIR", help="PAPERCLIP_HOME (.paperclip)")
        parser.add_argument("--port", metavar="N", help="PAPERCLIP_PORT (3100)")

    def handle(self, *args: Any, **options: Any) -> None:
        watch.stop_on_signals()
        os.umask(0o077)  # logs and pid files are nobody else's business
        try:
            with locked_home() as lock:
                self.run(lock)
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")
        except Unavailable as reason:
            raise CommandError(str(reason)) from reason
        except OSError as error:
            raise CommandError(f"{error.strerror}: {error.filename}") from error

    def run(self, lock: int) -> None:
        embedded = [name for name, url in EMBEDDED.items() if not os.environ.get(url)]
        try:
            supervise.stop()  # what the last `up` left when it was killed
            check_port()
            check_space()
            moved = [name for name in embedded if servers.ensure_port(name)]
            if moved:
                start_over()
            self.start(embedded)
            # Its Django is needed no longer.
            watch.become(self.supervisord.pid, embedded, keep=lock)
        finally:
            watch.ignore_signals()
            supervise.stop()

    def start(self, embedded: list[str]) -> None:
        """One line for each phase, then where to go."""
        with self.phase("Database"):
            for name in embedded:
                servers.COMMANDS[name]()  # makes its data, or says why it cannot run
            self.supervisord = supervise.start(embedded)
            wait_for("database", connect_to_database, "postgres", embedded)
        with self.phase("Broker"):
            wait_for("broker", connect_to_broker, "valkey", embedded)
        with self.phase("Migrations"):
            upgrade()
        supervise.release("web", "gateway")
        with self.phase("Company"):
            user, note = first_start()
        with self.phase("Processes"):
            wait_for("console", ask_health, "web", supervise.programs())
        # While its world does not run yet, whoever has its ports is somebody else.
        taken = ports.in_words(taken_ports())
        # Not sooner: the console is what a person waits for.
        supervise.release(*supervise.programs())
        self.greet(user, "\n".join(filter(None, (note, taken))))
        browsers.install_aside()

    def greet(self, user: User, note: str) -> None:
        if note:
            self.stdout.write(note)
        self.stdout.write(f"Ready at {settings.URL}. Ctrl-C stops it.")
        token = SignInLink.issue(user)
        self.stdout.write(f"Sign in, once: {settings.URL}/sign-in/{token}")
        self.stdout.flush()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Say what is being done, and how long it took."""
        started = time.monotonic()
        self.stdout.write(f"{name} ... ", ending="")
        self.stdout.flush()
        took = ""
        try:
            yield
            took = f"{time.monotonic() - started:.1f} s"
        finally:
            self.stdout.write(took)
            self.stdout.flush()


# --- Before the start ------------------------------------------------------------


@contextmanager
def locked_home() -> Iterator[int]:
    """Hold this home by an open file, or say who does."""
    lock = os.open(home.directory("run") / "up.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        said = os.read(lock, 2000).decode().splitlines()
        holder = said[0] if said else "just starting"
        raise CommandError(
            f"This home already runs ({holder}): stop that one, or give this one a "
            "home and a port of its own with --home and --port."
        ) from error
    os.ftruncate(lock, 0)
    # The first line is for people; `doctor` asks the addresses of the others.
    addresses = (settings.URL, settings.API_URL, settings.GATEWAY_URL)
    lines = (f"process {os.getpid()}, {settings.URL}", *addresses)
    os.write(lock, "\n".join(lines).encode())
    try:
        yield lock
    finally:
        os.close(lock)


def check_port() -> None:
    """The console's port must be free: it is the address people know. The gateway's is
    the next one."""
    for bind, port in (
        (settings.BIND, settings.PORT),
        (settings.GATEWAY_BIND, settings.GATEWAY_PORT),
    ):
        if not servers.is_free(bind, port):
            raise CommandError(
                f"Port {port} on {bind} is taken by another program: stop that one, or"
                " choose another port with --port (the one after it is needed too)."
            )


def check_space() -> None:
    """A database on a full disk does not start; say so instead of trying."""
    free = shutil.disk_usage(home.path()).free // 2**20
    if free < NEEDED_MB:
        raise CommandError(
            f"Only {free} MB are free in {home.path()}: make room for {NEEDED_MB} MB, "
            "or choose another place with --home."
        )


def start_over() -> None:
    """Begin again: the settings of this process hold an old address of a server."""
    os.execv(sys.executable, [sys.executable, *sys.argv])


def taken_ports() -> list[int]:
    """The ports of rehearsals that are played here, and that other programs have."""
    rows = Company.objects.filter(rehearsal=True, status=Company.Status.ACTIVE)
    places = map(ports.place_of, rows.values_list("pk", flat=True))
    return [port for place in places for port in ports.busy(place).values()]


# --- The phases ------------------------------------------------------------------


def wait_for(
    what: str, works: Callable[[], object], name: str, ours: Container[str]
) -> None:
    """Come back when it works; else say what it answers and where to read on."""
    try:
        servers.wait_until(works, START_SECONDS if name in ours else ANSWER_SECONDS)
    except Exception as error:
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        place = home.path() / "logs" / f"{name}.log" if name in ours else EMBEDDED[name]
        raise CommandError(
            f"The {what} does not answer ({reason}): see {place}."
        ) from error


def connect_to_database() -> None:
    psycopg.connect(settings.DATABASE_URL, connect_timeout=5).close()


def connect_to_broker() -> None:
    with redis.Redis.from_url(settings.REDIS_URL) as broker:
        broker.ping()


def ask_health() -> None:
    everywhere = ("0.0.0.0", "::")  # noqa: S104 (compared, not bound)
    host = "localhost" if settings.BIND in everywhere else settings.BIND
    console = http.client.HTTPConnection(host, settings.PORT, timeout=5)
    # An address we bind to is not always one of the allowed names.
    console.request("GET", "/api/health", headers={"Host": "localhost"})
    if (answer := console.getresponse()).status != 200:
        raise ConnectionError(f"{answer.status} {answer.reason}")
    console.close()
