"""What a program of a check weighs: its processes, and the memory that they take."""

from __future__ import annotations

import os
from collections.abc import Sequence

import psutil
from django.conf import settings

MB = 1 << 20
PAGE = os.sysconf("SC_PAGE_SIZE")
# What is in memory although no process has it: its own /tmp, and what it shares.
IN_MEMORY = ("tmp", "dev/shm")
# One process alone is stopped by the kernel at twice as much, should it be quicker than
# we are; and where memory is short, it goes before anything of ours.
SHIM = (
    "echo 1000 > /proc/self/oom_score_adj; ulimit -c 0; ulimit -d {kilobytes};"
    ' exec "$@"'
)


def limited(argv: Sequence[str]) -> list[str]:
    """The argv that starts this one with limits that all it starts inherit."""
    most = settings.CHECK_MEMORY_MB
    limit = str(2 * most * 1024) if most else "unlimited"
    shim = SHIM.replace(";", " 2>/dev/null;").format(kilobytes=limit)
    return ["/bin/sh", "-c", shim, "sh", *argv]


def too_much(pid: int) -> str:
    """Whether what runs below this process is too much for this host: "crowd",
    "memory", or an empty text."""
    try:
        below = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return ""
    most, megabytes = settings.MOST_PROCESSES, settings.CHECK_MEMORY_MB
    if most and len(below) > most:
        return "crowd"
    taken = sum(memory_of(one.pid) for one in below)
    taken += max(map(kept_by, (one.pid for one in below)), default=0)
    return "memory" if megabytes and taken > megabytes * MB else ""


def memory_of(pid: int) -> int:
    """What it has in memory for itself, in bytes."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            _size, resident, shared, *_rest = map(int, file.read().split())
    except (OSError, ValueError):
        return 0
    return (resident - shared) * PAGE


def kept_by(pid: int) -> int:
    """What lies in the memory of its sandbox, in bytes."""
    return sum(used(f"/proc/{pid}/root/{place}") for place in IN_MEMORY)


def used(place: str) -> int:
    try:
        found = os.statvfs(place)
    except OSError:
        return 0
    return (found.f_blocks - found.f_bfree) * found.f_frsize
