"""What goes into a child program and comes out of it."""

from __future__ import annotations

import os
import selectors
import subprocess
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from agents.adapters.base import Context
from agents.runlog import LogWriter
from paperclip import live

CHUNK = 65_536
EVENTS = {
    "stdin": selectors.EVENT_WRITE,
    "stdout": selectors.EVENT_READ,
    "stderr": selectors.EVENT_READ,
}
Popen = subprocess.Popen[bytes]


class Pipes:
    """What a program is told, and what it prints on its way to the log and the pages.

    None of it ever blocks: a program that does not read must not hold up its own end.
    """

    def __init__(
        self,
        child: Popen,
        context: Context,
        log: LogWriter,
        stdin: bytes,
        meter: Callable[[bytes], None],
    ) -> None:
        self._child, self._log, self._stdin, self._meter = child, log, stdin, meter
        self._company_id = context.run.company_id
        self._selector = selectors.DefaultSelector()
        for stream in ("stdin", "stdout", "stderr"):
            if pipe := getattr(child, stream):
                os.set_blocking(pipe.fileno(), False)
                self._selector.register(pipe, EVENTS[stream], stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._selector.close()

    def copy(self, wait: float) -> bool:
        """Copy what comes within so many seconds; False when nothing came."""
        if not self._selector.get_map():
            # The pipes are closed; only the end of the program is missing.
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(wait)
            return False
        # A list, not any() on the way: every ready pipe is served.
        served = [self._serve(key) for key, _ in self._selector.select(wait)]
        if any(served):
            live.bump(self._company_id)
        return any(served)

    def _serve(self, key: selectors.SelectorKey) -> bool:
        return self._tell(key) if key.data == "stdin" else self._read(key)

    def _tell(self, key: selectors.SelectorKey) -> bool:
        """Write some of stdin, and close it after the last byte. It printed nothing."""
        try:
            self._stdin = self._stdin[os.write(key.fd, self._stdin[:CHUNK]) :]
        except BlockingIOError:
            return False
        except BrokenPipeError:
            self._stdin = b""  # it reads no more
        if not self._stdin and self._child.stdin:
            self._selector.unregister(key.fileobj)
            self._child.stdin.close()
        return False

    def _read(self, key: selectors.SelectorKey) -> bool:
        data = b""
        with suppress(BlockingIOError):
            data = os.read(key.fd, CHUNK)
            if not data:
                self._selector.unregister(key.fileobj)
        self._log.write(key.data, data)
        if key.data == "stdout":
            self._meter(data)
        return bool(data)
