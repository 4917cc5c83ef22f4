"""The embedded servers alone, as supervisord starts them, on a home of a test."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg

from paperclip import home, servers
from paperclip.settings import embedded


def start(server: str, before: str = "") -> subprocess.Popen[bytes]:
    """The server on PAPERCLIP_HOME. `before` is Python to run ahead of it."""
    servers.ensure_port(server)
    (home.path() / "run" / f"{server}.pid").unlink(missing_ok=True)  # it would pause
    code = f"from paperclip import servers\n{before}\nservers.become({server!r}, [])"
    with (home.directory("logs") / f"{server}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", code], cwd=home.BASE_DIR, stdout=log, stderr=log
        )


def connect() -> psycopg.Connection:
    """A connection that commits each statement; waits for a server that starts."""
    url = embedded("postgres", "postgres://paperclip:", "/paperclip")
    servers.wait_until(lambda: psycopg.connect(url).close(), 30)
    return psycopg.connect(url, autocommit=True)


def mains() -> list[psutil.Process]:
    """The main processes of the PostgreSQLs on this home: one, or there is trouble."""
    ours = servers.serving("postgres")
    pids = {one.pid for one in ours}
    found = []
    for one in ours:
        with suppress(psutil.NoSuchProcess):
            if one.ppid() not in pids:
                found.append(one)
    return found


def kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


@contextmanager
def clean_up(place: Path) -> Iterator[None]:
    """PAPERCLIP_HOME is `place`; no server works in it afterwards."""
    before = os.environ.get("PAPERCLIP_HOME")
    os.environ["PAPERCLIP_HOME"] = str(place)
    try:
        yield
    finally:
        for server in servers.COMMANDS:
            servers.end_orphans(server)
        if before is not None:
            os.environ["PAPERCLIP_HOME"] = before


def log(server: str) -> str:
    return (home.path() / "logs" / f"{server}.log").read_text(errors="replace")
