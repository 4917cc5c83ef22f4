"""The embedded PostgreSQL and Valkey: their ports, their start and their end.

    python -m paperclip.servers postgres [more options of the server]

becomes that server, in the foreground, after it ended what an earlier life of it left
behind. Without Django: it runs before there is a database.
"""

import contextlib
import fcntl
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from paperclip import home, processes
from paperclip.servers import postgres, valkey

COMMANDS: dict[str, Callable[[], list[str]]] = {
    "postgres": postgres.command,
    "valkey": valkey.command,
}
PROGRAMS = {"postgres": "postgres", "valkey": "valkey-server"}
# PostgreSQL's fast shutdown: SIGTERM would wait for its clients to leave.
STOP_SIGNALS = {"postgres": signal.SIGINT, "valkey": signal.SIGTERM}
PATIENCE_SECONDS = 20  # for a server to write down what it has and end
# Below the range the kernel takes outgoing ports from: those would collide at random.
PORTS = range(20_000, 32_000)


def ensure_port(server: str) -> bool:
    """Keep the server's port when it is free, else remember another. Whether it is
    another: addresses computed before are stale then."""
    port = home.port_of(server)
    if port and is_free("127.0.0.1", port):
        return False
    port = next(p for p in random.sample(PORTS, len(PORTS)) if is_free("127.0.0.1", p))
    (home.directory("run") / f"{server}.port").write_text(str(port))
    return True


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, port), family=family):
            return True
    except OSError:
        return False


def become(server: str, more: list[str]) -> None:
    """Turn this process into the server. Never a second writer: the lock is inherited
    by the server and all its children, and is free when the last of them is gone."""
    lock = os.open(home.directory("run") / f"{server}.lock", os.O_CREAT | os.O_RDWR)
    end_orphans(server)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.set_inheritable(lock, True)
    processes.note_pid(server)
    command = [*COMMANDS[server](), *more]
    os.chdir(home.path() / server)
    # A server is no place for the instance's keys: others may see its environment,
    # where it runs as nobody.
    os.execvpe(command[0], command, processes.of_helper())


def end_orphans(server: str) -> None:
    """End what still serves this home's data, asking first. Returns when it is gone."""
    orphans = serving(server)
    main = processes.pid_in(home.path() / server / "postmaster.pid")
    for orphan in orphans:
        if server == "valkey" or orphan.pid == main:
            processes.send(orphan, STOP_SIGNALS[server])
            processes.wait_gone(orphans, PATIENCE_SECONDS)
    for orphan in orphans:
        processes.send(orphan, signal.SIGKILL)
    processes.wait_gone(orphans, PATIENCE_SECONDS)


def serving(server: str) -> list[psutil.Process]:
    """The processes of a server that work in this home's data."""
    data = (home.path() / server).resolve()
    found = []
    for pid in psutil.pids():
        with contextlib.suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            if process.name() == PROGRAMS[server] and Path(process.cwd()) == data:
                found.append(process)
    return found


@contextmanager
def running(server: str, *options: str) -> Iterator[Path]:
    """A server of this home's data while the block runs, out of a Ctrl-C's reach; its
    log."""
    ensure_port(server)
    log = home.directory("logs") / f"{server}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "paperclip.servers", server, *options],
            cwd=home.BASE_DIR,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        yield log
    finally:
        end_orphans(server)
        process.wait()


def wait_until(works: Callable[[], object], seconds: float) -> None:
    """Come back when a call no longer fails; raise what it fails with at the end."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            works()
            return
        except Exception:
            if time.monotonic() >= deadline:
                raise
        time.sleep(0.05)
