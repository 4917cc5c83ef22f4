"""Bringing a backup back, into a home that is empty; and the keys, which are kept
apart from it."""

from __future__ import annotations

import fcntl
import io
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from django.conf import settings

from paperclip import home, servers, upgrade, vault
from paperclip.backups import database, files
from paperclip.backups.store import Backup
from paperclip.exceptions import Conflict, Refused
from paperclip.settings import embedded

START_SECONDS = 60
# The embedded servers' own passwords: an empty home makes new ones.
OF_SERVERS = ("postgres", "valkey")


def bring_back(backup: Backup, keys: Path | None) -> None:
    """Fill this home, which must be empty, and its database with the backup, and bring
    that up to this version. Nothing is believed: what came back is compared with what
    was dumped.

    Conflict while the home runs or is not empty; Refused when something is missing, or
    when the backup is of a newer version."""
    had = backup.manifest.get("migrations", [])
    if why := upgrade.newer(had):
        raise Refused(f"{backup.place} cannot be restored here. {why}")
    deadline = time.monotonic() + settings.BACKUP_MINUTES * 60
    with home_alone():
        must_be_empty()
        if keys is not None:
            unpack_keys(keys)
        with server() as url:
            dumped = backup.place / "database.dump"
            database.restore(dumped, url, deadline)
            wrong = database.differences(url, backup.manifest["tables"], deadline)
            packed = backup.place / "files.tar.gz"
            wrong += files.differences(packed, backup.manifest["files"], deadline)
            if wrong:
                said = "; ".join(wrong[:5])
                raise Refused(f"It did not come back as it was: {said}.")
            files.unpack(packed, home.path())
            if upgrade.known() - set(had):
                bring_up(url)


@contextmanager
def home_alone() -> Iterator[None]:
    """Hold the home as `up` does."""
    lock = os.open(home.directory("run") / "up.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise Conflict(f"{home.path()} runs: stop it first.") from None
    finally:
        os.close(lock)


def must_be_empty() -> None:
    full = [
        part
        for part in ("postgres", *files.PARTS, "workspaces")
        if (home.path() / part).exists()
    ]
    if full:
        raise Conflict(
            f"{home.path()} is not empty (it has {', '.join(full)}): set PAPERCLIP_HOME"
            " to a new directory, and nothing there is lost."
        )


@contextmanager
def server() -> Iterator[str]:
    """The URL of the database to fill: a new embedded one, or the one that DATABASE_URL
    names."""
    if url := os.environ.get("DATABASE_URL"):
        yield url
        return
    with servers.running("postgres"):
        url = embedded("postgres", "postgres://paperclip:", "/paperclip")
        servers.wait_until(lambda: psycopg.connect(url).close(), START_SECONDS)
        yield url


def bring_up(url: str) -> None:
    """Apply this version's migrations, in a process whose settings name that database.
    Refused when that fails: then it is as it was dumped."""
    migrate = [
        sys.executable,
        str(home.BASE_DIR / "manage.py"),
        "migrate",
        "--no-input",
    ]
    env = {**os.environ, "DATABASE_URL": url}
    done = subprocess.run(migrate, env=env, capture_output=True, text=True)
    if done.returncode != 0:
        why = done.stderr.strip().removeprefix("CommandError: ")
        raise Refused(f"Everything is back, and of its old version still: {why}")


def pack_keys(file: Path) -> None:
    """Write the keys of this instance, those in its settings too, to a new file, for
    its owner only: with them, and a backup, one has everything. OSError when the file
    is there."""
    # Settings stand in for the files of these two, and are what counts then.
    told = {"django": settings.SECRET_KEY, vault.NAME: "\n".join(vault.keys())}
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with (
        os.fdopen(handle, "wb") as out,
        tarfile.open(fileobj=out, mode="w") as archive,
    ):
        for key in sorted(home.directory("secrets").iterdir()):
            if key.name not in {*OF_SERVERS, *told}:
                archive.add(key, key.name)
        for name, text in told.items():
            entry = tarfile.TarInfo(name)
            entry.mode, entry.size = 0o600, len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))


def unpack_keys(file: Path) -> None:
    try:
        with tarfile.open(file) as archive:
            archive.extractall(home.directory("secrets"), filter="data")
    except (OSError, tarfile.TarError) as error:
        raise Refused(f"{file} holds no keys: {error}") from error
