"""Whether a sandbox has ended with all that was in it, known without a look at every
process of the machine."""

from __future__ import annotations

import contextlib
import json
import os
import select
from collections.abc import Sequence
from pathlib import Path
from typing import Self

PATIENCE_MS = 50


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
        with contextlib.suppress(OSError, ValueError, KeyError):
            first = int(json.loads(os.read(self._told, 4096))["child-pid"])
            # A Python that was built for old systems, as uv's were, knows no pidfds.
            return hasattr(os, "pidfd_open") and has_ended(first)
        return False


def has_ended(pid: int) -> bool:
    """Whether it ends within a moment, reaped or not, with every thread of it
    (pidfd_open(2))."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()
        poll.register(process, select.POLLIN)
        return bool(poll.poll(PATIENCE_MS))
    finally:
        os.close(process)
