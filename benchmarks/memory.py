"""The memory of a whole instance at rest, each process by its proportional set."""

from __future__ import annotations

import time

import psutil

from benchmarks.report import figure, heading
from tests.instance import Instance

SETTINGS: dict[str, str] = {}


def measure(instance: Instance) -> None:
    time.sleep(5)
    top = psutil.Process(instance.up_pid)
    total = 0.0
    heading("Memory at rest (PSS)")
    for process in [top, *top.children(recursive=True)]:
        size = process.memory_full_info().pss / 2**20
        total += size
        words = [word for word in process.cmdline() if not word.startswith("/")]
        name = " ".join(words)[:44] or process.name()
        figure(f"{process.pid:>7} {name}", size, "MB")
    # The peer: 595 MB of node and 173 MB of PostgreSQL.
    figure("all processes", total, "MB", 768)
