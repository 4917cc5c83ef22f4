"""Whether a sandbox has ended with all that was in it, known without a look at every
process of the machine."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import psutil

PATIENCE = 0.05
POLL_SECONDS = 0.001


class Ending:
    """Follows one sandbox that wrap() made: start `argv`, and pass it `fd`."""

    def __init__(self, argv: Sequence[str | Path]) -> None:
        self._told, self.fd = os.pipe()
        os.set_blocking(self._told, False)
        bwrap, *rest = map(str, argv)
        self.argv = [bwrap, "--info-fd", str(self.fd), *rest]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._told)
        os.close(self.fd)

    def is_seen(self) -> bool:
        """Whether nothing of it lives, for certain. Its first process is gone: with it
        the kernel has ended every other one of its process table
        (pid_namespaces(7)). Ask when bwrap has ended; False means: look yourself."""
        with contextlib.suppress(OSError, ValueError, KeyError, psutil.Error):
            first = int(json.loads(os.read(self._told, 4096))["child-pid"])
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline:
                if is_gone(first):
                    return True
                time.sleep(POLL_SECONDS)
        return False


def is_gone(pid: int) -> bool:
    """Whether it has ended, reaped or not: a process table's first one becomes a zombie
    when there is no other left. One whose first thread alone has ended looks like one,
    and lives."""
    try:
        first = psutil.Process(pid)
        return first.status() == psutil.STATUS_ZOMBIE and first.num_threads() <= 1
    except psutil.NoSuchProcess:
        return True
