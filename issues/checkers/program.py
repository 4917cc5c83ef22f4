"""One program of a check, sandboxed, from its start until nothing of it lives."""

from __future__ import annotations

import hashlib
import os
import selectors
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agents import sandbox
from issues.checkers import burden
from paperclip import home, processes
from paperclip.scrub import Flow, Scrubber

TICK, WEIGH_SECONDS = 0.2, 0.25
CHUNK = 65_536
KEPT = 16_000  # bytes of the begin and of the end of what it prints
MOST = 20_000_000  # bytes it may print


@dataclass(frozen=True)
class Ended:
    """How it ended. `by`: "itself", "time", "output", "crowd" (too many processes) or
    "memory". The digest is of all that it printed."""

    by: str
    code: int
    output: str
    digest: str
    seconds: float


class Output:
    """What it prints, without secrets: of much the begin and the end. And a digest of
    all."""

    def __init__(self, scrubber: Scrubber) -> None:
        self._head, self._tail, self.size, self._shown = b"", b"", 0, 0
        self._flow, self._sum = Flow(scrubber), hashlib.sha256()

    def add(self, data: bytes) -> None:
        self.size += len(data)
        self._sum.update(data)
        self._show(self._flow.take(data))

    def end(self) -> None:
        """Nothing more comes."""
        self._show(self._flow.take(b"", final=True))

    def _show(self, data: bytes) -> None:
        self._shown += len(data)
        room = KEPT - len(self._head)
        self._head += data[:room]
        self._tail = (self._tail + data[room:])[-KEPT:]

    @property
    def text(self) -> str:
        cut = self._shown - len(self._head) - len(self._tail)
        gap = f"\n[... {cut:,} bytes were cut here ...]\n".encode() if cut else b""
        whole = (self._head + gap + self._tail).decode(errors="replace")
        return whole.replace("\0", "\N{REPLACEMENT CHARACTER}")

    @property
    def digest(self) -> str:
        return self._sum.hexdigest()


def run(
    argv: Sequence[str],
    place: Path,
    mark: str,
    beat: Callable[[], None],
    seconds: float,
    scrubber: Scrubber,
) -> Ended:
    """Run it in the directory, without a network, and see it to its end. Unavailable
    where no sandbox works; OSError when it cannot be started."""
    marks = {"PAPERCLIP_CHECK_ID": mark, "PAPERCLIP_INSTANCE": home.instance_id()}
    # /tmp inside is the sandbox's own.
    more = {"HOME": "/tmp", "PYTHONDONTWRITEBYTECODE": "1"}  # noqa: S108
    env = {**processes.inherited(), **marks, **more}
    env.pop("TMPDIR", None)
    walled = sandbox.wrap(argv, workspace=place, env=env, network="none")
    began, output = time.monotonic(), Output(scrubber)
    child = processes.spawn(
        burden.limited(walled),
        cwd=place,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        by = watch(child, output, beat, began + seconds)
    finally:
        processes.end(marks, grace=0)
        child.wait()
        if child.stdout:
            child.stdout.close()
    output.end()
    spent = round(time.monotonic() - began, 3)
    return Ended(by, child.returncode, output.text, output.digest, spent)


def watch(
    child: subprocess.Popen[bytes],
    output: Output,
    beat: Callable[[], None],
    deadline: float,
) -> str:
    """Read what it prints until it ends, or is too much of something."""
    assert child.stdout is not None  # noqa: S101 (for the type checker)
    os.set_blocking(child.stdout.fileno(), False)
    weigh_at = time.monotonic() + WEIGH_SECONDS
    with selectors.DefaultSelector() as ready:
        ready.register(child.stdout, selectors.EVENT_READ)
        while True:
            over = child.poll() is not None
            wrote = bool(ready.select(0 if over else TICK)) and take(child, output)
            if over and not wrote:
                return "itself"
            beat()
            if output.size > MOST:
                return "output"
            if time.monotonic() > deadline:
                return "time"
            if time.monotonic() > weigh_at:
                if why := burden.too_much(child.pid):
                    return why
                weigh_at = time.monotonic() + WEIGH_SECONDS


def take(child: subprocess.Popen[bytes], output: Output) -> bool:
    assert child.stdout is not None  # noqa: S101 (for the type checker)
    try:
        data = os.read(child.stdout.fileno(), CHUNK)
    except BlockingIOError:
        return False
    if not data:  # it closed its output, and goes on
        time.sleep(TICK / 10)
    output.add(data)
    return bool(data)
