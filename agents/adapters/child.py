"""One child program of a run, from its start until its whole tree is gone.

What the adapters share that start a program on this machine: the log, the lease, the
time limit and the end.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from django.conf import settings
from django.db import connection
from django.utils.timezone import now

from agents.adapters.base import Context, Outcome
from agents.adapters.meter import Meter
from agents.adapters.pipes import Pipes, Popen
from agents.models.metering import BUSY, PAUSE
from agents.models.queue import BUDGET
from agents.models.run import Run
from agents.runlog import LogWriter
from agents.sandbox.ending import Ending
from paperclip import processes

TICK, SOON = 0.5, 0.1
GRACE = 15
COUNT_SECONDS = 2.0  # between two counts of a run's processes
SIGNALLED = 128  # added by bwrap, as shells do, to the number of a signal
LONGEST_WORD = 500
DOCTOR = " (`python3 manage.py doctor` says what the sandbox needs.)"


@dataclass(frozen=True)
class Call:
    """What to start. `stdin` is given to it and ended; `secrets` are kept out of the
    log. After `timeout` seconds (0: never) it has `grace` seconds to end by itself.
    `sandboxed`: argv is sandbox.wrap()'s."""

    argv: Sequence[str | Path]
    cwd: str | Path
    env: dict[str, str] = field(repr=False)
    stdin: bytes = b""
    secrets: Sequence[str] = field(default=(), repr=False)
    timeout: float = 3600
    grace: float = GRACE
    sandboxed: bool = False


@dataclass(frozen=True)
class Ended:
    """How it ended. `by`: "itself", "timeout", "crowd" (it had more processes than a
    run may), "budget" (there was nothing left to go on with), or "us" (cancelled, or
    lease lost). `waits`: it may go on when others have given back what they reserved.

    `columns` are for the run's row: exit_code or signal, and what it keeps of the log.
    `printed` is the end of what it said on stdout.
    """

    by: str
    columns: dict[str, Any]
    printed: str = ""
    waits: bool = False

    @property
    def went_well(self) -> bool:
        return self.by == "itself" and self.columns["exit_code"] == 0

    @property
    def last_word(self) -> str:
        """Its last line on stderr, with what to do when it is the sandbox's; or empty.

        To be appended to a sentence that does not say why it ended."""
        lines = str(self.columns["stderr_excerpt"] or "").strip().splitlines()
        if not lines:
            return ""
        todo = DOCTOR if lines[-1].startswith("bwrap: ") else ""
        return f" It said: {lines[-1][:LONGEST_WORD]}{todo}"


def run_child(context: Context, call: Call) -> Ended:
    """Run it to its end; nothing of its tree lives when this returns.

    OSError when it could not be started at all, which is no fault of the program."""
    with LogWriter(context.run, call.secrets) as log, ExitStack() as stack:
        walls = stack.enter_context(Ending(call.argv)) if call.sandboxed else None
        child = processes.spawn(
            walls.argv if walls else call.argv,
            cwd=call.cwd,
            env=call.env,
            stdin=subprocess.PIPE if call.stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[walls.fd] if walls else [],
        )
        process = {"process_pid": child.pid, "process_started_at": now()}
        meter = Meter(context.run)
        by = supervise(child, context, call, log, walls, meter)
        meter.enter()
        columns = log.columns() | ending(child.returncode, call.sandboxed) | process
        waits = by == "budget" and not meter.is_final
        return Ended(by, columns, log.last_printed, waits)


def ending(code: int, sandboxed: bool = False) -> dict[str, Any]:
    """The columns for an exit code as subprocess gives it."""
    if sandboxed and code > SIGNALLED:
        code = SIGNALLED - code
    if code < 0:
        return {"exit_code": None, "signal": signal_name(-code)}
    return {"exit_code": code}


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"  # most real-time signals have no name


def supervise(
    child: Popen,
    context: Context,
    call: Call,
    log: LogWriter,
    walls: Ending | None,
    meter: Meter,
) -> str:
    """Watch it and end its tree: what watch() says."""
    by = "us"
    try:
        with Pipes(child, context, log, call.stdin, meter.read) as pipes:
            if not is_over_soon(child, pipes):
                context.run.started_process(child.pid)
                # It takes minutes; the connection is for those who need it meanwhile.
                connection.close()
            by = watch(child, context, pipes, call.timeout, meter)
            if by == "timeout":
                part(context, pipes, call.grace)
    finally:
        if not (by == "itself" and walls and walls.is_seen()):
            # What it left behind had its chance, and a stop means stop.
            processes.end_tree(str(context.run.pk), min(grace(by, context), call.grace))
        child.wait()
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe:
                pipe.close()
    return by


def grace(by: str, context: Context) -> float:
    """For how long it may see to its end: that costs money when money is why."""
    if by == "itself":
        return 1
    if by == "us" and not context.run.was_stopped_for_budget():
        return 5
    return 2


def is_over_soon(child: Popen, pipes: Pipes) -> bool:
    """Whether it has ended before anybody could want to know its process."""
    until = time.monotonic() + SOON
    while child.poll() is None and (left := until - time.monotonic()) > 0:
        pipes.copy(left)
    return child.returncode is not None


def watch(
    child: Popen, context: Context, pipes: Pipes, timeout: float, meter: Meter
) -> str:
    """Copy its output to the log until it ends: "itself", or by "timeout", "crowd",
    "budget" or "us"."""
    deadline = time.monotonic() + timeout if timeout else float("inf")
    crowd = Crowd(context)
    while context.beat():
        if crowd.is_too_large():
            return "crowd"
        if not meter.hold():
            return "budget"
        # Asked before copying: what it printed before its end is copied below.
        over = child.poll() is not None
        if over:
            # A left-over child may hold the pipes and print for ever.
            deadline = min(deadline, time.monotonic() + 1)
        left = max(0.0, deadline - time.monotonic())
        wrote = pipes.copy(0 if over else min(TICK, left))
        if over and not (wrote and left):
            return "itself"
        if not left:
            return "timeout"
    return "us"


class Crowd:
    """Counts the processes of a run now and then: a program that starts ever more of
    them would take the machine along (T-03c)."""

    def __init__(self, context: Context) -> None:
        self._run, self._due = context.run, time.monotonic() + COUNT_SECONDS

    def is_too_large(self) -> bool:
        most = settings.MOST_PROCESSES
        if not most or time.monotonic() < self._due:
            return False
        self._due = time.monotonic() + COUNT_SECONDS
        count = len(processes.tree(str(self._run.pk)))
        if count <= most:
            return False
        said = f"It has {count} processes; a run may have {most}. It is ended."
        self._run.log_event("processes", said, level="error")
        connection.close()
        return True


def cut_short(ended: Ended, by: str, columns: dict[str, Any]) -> Outcome | None:
    """The outcome of a run that passed one of its limits, `by` as Ended says it; None
    when that is not how it ended."""
    if by == "timeout":
        told = {"error": "It took too long.", "error_code": "timeout"}
        return Outcome(Run.Status.TIMED_OUT, columns | told)
    if by == "crowd":
        said = f"It had more than {settings.MOST_PROCESSES} processes at once."
        told = {"error": said, "error_code": "too_many_processes"}
        return Outcome(Run.Status.FAILED, columns | told)
    return over_budget(ended, columns) if by == "budget" else None


def over_budget(ended: Ended, columns: dict[str, Any]) -> Outcome:
    """The outcome of a run whose budget was spent: nobody's fault. It begins anew soon
    when only others hold what is left."""
    said = BUSY if ended.waits else "Its budget is spent."
    told = {"error": columns.get("error") or said, "error_code": BUDGET}
    wait = PAUSE if ended.waits else None
    return Outcome(Run.Status.CANCELLED, columns | told, put_off=wait)


def part(context: Context, pipes: Pipes, grace: float) -> None:
    """End the tree, and until it has ended hold the lease and copy its output."""

    def wait(asked: list[psutil.Process], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while any(map(processes.is_alive, asked)):
            if time.monotonic() > deadline or not context.beat():
                return False
            if not pipes.copy(0):
                time.sleep(processes.POLL_SECONDS)
        return True

    processes.end_tree(str(context.run.pk), grace, wait)
    pipes.copy(0)
