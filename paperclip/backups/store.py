"""Where backups are kept, which there are, and which are removed."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from paperclip import processes
from paperclip.exceptions import Conflict, Refused

NAME = "%Y-%m-%dT%H-%M-%SZ"
MANIFEST = "manifest.json"
GOOD, UNCHECKED, FAILED = "good", "unchecked", "failed"
# A draft has this behind its name: it is none until it is whole.
DRAFT = ".partial"
BUSY = "backup_in_progress"
# How full a disk may become by a backup.
FULLEST = 0.95
# The newest of so many days, weeks and months each are kept, of the good ones.
KEEP = (("%Y-%m-%d", 7), ("%G-%V", 4), ("%Y-%m", 6))


class NoRoom(Refused):
    """The disk has no room for it; nothing was written."""

    code = "no_room"


@dataclass(frozen=True)
class Backup:
    """One that is whole: its directory and what its manifest says."""

    place: Path
    manifest: dict[str, Any]

    @property
    def name(self) -> str:
        return self.place.name

    @property
    def taken_at(self) -> datetime:
        return datetime.strptime(self.name, NAME).replace(tzinfo=UTC)

    @property
    def state(self) -> str:
        """good, unchecked or failed."""
        return str(self.manifest["state"])

    @property
    def said(self) -> str:
        """Why it is not good; empty when it is."""
        return str(self.manifest.get("said", ""))

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return sum(one.stat().st_size for one in self.place.iterdir())

    def say(self, state: str, said: str = "") -> Backup:
        """The same, with this state written down."""
        return write(self.place, {**self.manifest, "state": state, "said": said})


def home() -> Path:
    """The directory of all backups, closed to others."""
    place = Path(settings.BACKUPS)
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    return place


def listed() -> list[Backup]:
    """All that are whole, the newest first."""
    return sorted(found(), key=lambda one: one.name, reverse=True)


def found() -> Iterator[Backup]:
    for file in home().glob(f"*/{MANIFEST}"):
        with suppress(OSError, ValueError):
            one = Backup(file.parent, json.loads(file.read_text()))
            if one.taken_at:
                yield one


def latest_good() -> Backup | None:
    return next((one for one in listed() if one.state == GOOD), None)


def write(place: Path, manifest: dict[str, Any]) -> Backup:
    draft = place / f"{MANIFEST}.new"
    draft.write_text(json.dumps(manifest, indent=1))
    draft.replace(place / MANIFEST)
    return Backup(place, manifest)


# --- One at a time ---------------------------------------------------------------


@contextmanager
def alone(seconds: float) -> Iterator[None]:
    """Hold the place for so long at the most. Conflict while somebody else does; one
    that holds it longer than it may hangs, and is killed (T-20b)."""
    lock = os.open(home() / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        if not taken(lock):
            end_if_over(lock)
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()} {time.time() + seconds:.0f}".encode(), 0)
        yield
    finally:
        os.close(lock)


def is_busy() -> bool:
    """Whether somebody holds the place, in time."""
    lock = os.open(home() / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        return not taken(lock) and not is_over(lock)
    finally:
        os.close(lock)


def is_over(lock: int) -> bool:
    """Whether its holder has it longer than it may."""
    holder = os.pread(lock, 100, 0).split()
    return len(holder) == 2 and float(holder[1]) < time.time()


def taken(lock: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def end_if_over(lock: int) -> None:
    if is_over(lock):
        with suppress(ProcessLookupError):
            os.kill(int(os.pread(lock, 100, 0).split()[0]), signal.SIGKILL)
        deadline = time.monotonic() + processes.STUCK_SECONDS
        while time.monotonic() < deadline:
            if taken(lock):
                return
            time.sleep(processes.POLL_SECONDS)
    raise Conflict("A backup is being taken right now.", code=BUSY)


# --- Room ------------------------------------------------------------------------


def make_room(needed: int) -> None:
    """Remove drafts that nobody finished, what is kept no longer, and while the disk is
    too full for so many bytes more, the oldest: never the newest good one. NoRoom when
    that is not enough."""
    for draft in home().glob(f"*{DRAFT}"):
        shutil.rmtree(draft, ignore_errors=True)
    prune()
    last = latest_good()
    for old in reversed(listed()):
        if fits(needed):
            return
        if last is None or old.name != last.name:
            shutil.rmtree(old.place)
    if not fits(needed):
        free = shutil.disk_usage(home()).free // 2**20
        raise NoRoom(
            f"{home()} has {free:,} MB free; a backup takes some {needed // 2**20:,} MB"
            f" and may fill the disk to {FULLEST:.0%}. Make room, or name another place"
            " with PAPERCLIP_BACKUPS."
        )


def fits(needed: int) -> bool:
    disk = shutil.disk_usage(home())
    return disk.free - needed >= disk.total * (1 - FULLEST)


def prune() -> None:
    """Remove what is kept no longer: of good ones all but the newest of each day, week
    and month, of the others all that are older than a good one."""
    keep, every = set(), listed()
    good = [one for one in every if one.state == GOOD]
    for form, count in KEEP:
        newest: dict[str, Backup] = {}
        for one in good:
            newest.setdefault(one.taken_at.strftime(form), one)
        keep |= {one.name for one in list(newest.values())[:count]}
    for one in every:
        is_newest = not good or one.name > good[0].name
        if one.name not in keep and not is_newest:
            shutil.rmtree(one.place)
