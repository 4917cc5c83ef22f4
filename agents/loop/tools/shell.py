"""A command in the workspace."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from contextlib import suppress

from agents.loop import offline
from agents.loop.desk import SHOWN, Desk, digest
from agents.loop.errors import ToolError

LONGEST = 600
KEPT = 64 * 1024  # bytes of the begin and of the end of what it prints
SETTLE = 0.2  # seconds that what is left in the background may still print


def shell(
    desk: Desk, command: str, timeout_seconds: int = 120, network: bool = False
) -> str:
    if not desk.may_shell:
        raise ToolError(
            "There is no sandbox on this machine, so commands are refused. Work with"
            " the other tools, or ask a person."
        )
    desk.note_workspace()
    argv = ["/bin/sh", "-c", command]
    if desk.is_open:
        argv = reaching_out(desk, argv, network)
    seconds = min(max(1, timeout_seconds), LONGEST, desk.seconds_left)
    try:
        child = subprocess.Popen(
            argv,
            cwd=desk.root,
            env=desk.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise ToolError(f"The command did not start: {error}") from error
    output = Output(child)
    try:
        in_time = output.collect(seconds)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        output.close()
    code = f"exit code: {child.returncode}"
    if not in_time:
        code = f"exit code: 124 (ended after {seconds:.0f} s)"
    return f"{code}\n{output.text}"


def reaching_out(desk: Desk, argv: list[str], network: bool) -> list[str]:
    """What a command sends nobody sees, so that it has a network only when somebody
    allows this very one."""
    if not network and offline.works():
        return offline.wrap(argv)
    command = argv[-1]
    told = {"command": command[:SHOWN], "commandSha256": digest(command)}
    desk.must_be_allowed("post_to_internet", told, f"run with a network: {command}")
    return argv


class Output:
    """What a command prints; of a flood the begin and the end."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout is not None  # noqa: S101 (for the type checker)
        self._child, self._pipe = child, child.stdout
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._pipe, selectors.EVENT_READ)
        self._head, self._tail, self._missing = b"", b"", 0

    def collect(self, seconds: float) -> bool:
        """Read until the command has ended; False when it took too long."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            over = self._child.poll() is not None
            if self._selector.select(SETTLE if over else min(0.1, left)):
                data = os.read(self._pipe.fileno(), KEPT)
                if not data:  # every writer is gone
                    with suppress(subprocess.TimeoutExpired):
                        self._child.wait(deadline - time.monotonic())
                    return self._child.poll() is not None
                self._keep(data)
            elif over:
                return True
        return False

    def _keep(self, data: bytes) -> None:
        room = KEPT - len(self._head)
        self._head += data[:room]
        tail = self._tail + data[room:]
        self._missing += max(0, len(tail) - KEPT)
        self._tail = tail[-KEPT:]

    @property
    def text(self) -> str:
        gap = f"\n[... {self._missing:,} bytes were cut here ...]\n".encode()
        whole = self._head + (gap if self._missing else b"") + self._tail
        return whole.decode("utf-8", "replace")

    def close(self) -> None:
        self._selector.close()
        self._pipe.close()
