"""Finding and ending process trees, also those whose parents are gone.

A process is known by a mark in the environment it was started with, never by a pid
from a file alone: a pid may have been recycled, an environment is inherited by every
child and cannot be given to a stranger. Runs carry PAPERCLIP_RUN_ID and
PAPERCLIP_INSTANCE; the instance's own programs carry PAPERCLIP_UP and
PAPERCLIP_PROGRAM.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import (
    Callable,
    Container,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
    Set,
)
from pathlib import Path
from typing import IO, NamedTuple

import psutil

from paperclip import home

POLL_SECONDS = 0.02
PAUSE_SECONDS = 1  # between two starts of a program that does not stay up
SANDBOX = "bwrap"
CHUNK = 65_536
# What a program that is not ours inherits of our environment, where keys may be.
INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE")
MARKS = (
    *("PAPERCLIP_HOME", "PAPERCLIP_UP", "PAPERCLIP_PROGRAM"),
    *("PAPERCLIP_INSTANCE", "PAPERCLIP_RUN_ID"),
)
STUCK_SECONDS = 30  # a process that outlives SIGKILL so long hangs in the kernel

Stream = int | IO[bytes] | IO[str] | None
Marks = Mapping[str, str]
Wait = Callable[[list[psutil.Process], float], bool]


class Row(NamedTuple):
    """One line of the process table."""

    process: psutil.Process
    parent: int
    session: int


def spawn(
    argv: Sequence[str | Path],
    *,
    cwd: str | Path,
    env: Mapping[str, str],
    stdout: Stream,
    stderr: Stream,
    stdin: Stream = subprocess.DEVNULL,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start argv in a session of its own, where its environment is its mark from the
    first moment: no file could say as early whose it is. What it writes is closed to
    the other users of the machine. OSError when it cannot be started."""
    return subprocess.Popen(
        [*map(str, argv)],
        cwd=cwd,
        env=env,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        umask=0o077,
        pass_fds=pass_fds,
    )


def inherited() -> dict[str, str]:
    """The part of our own environment that others may know: no secret, no address."""
    ours = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {"PATH": os.defpath, **ours}


def of_helper() -> dict[str, str]:
    """The environment of a program of others that helps us: what others may know, and
    the marks by which it is found and ended with us."""
    marks = {name: os.environ[name] for name in MARKS if name in os.environ}
    return inherited() | marks


def tree(run_id: str) -> list[psutil.Process]:
    """Every live process of a run: those that carry its mark and their families."""
    return [row.process for row in family(carriers({"PAPERCLIP_RUN_ID": run_id}))]


def end_tree(run_id: str, grace: float, wait: Wait | None = None) -> int:
    """End every process of a run; the number ended. Only one that emptied its own
    environment and left its session before its parents died can escape."""
    return end({"PAPERCLIP_RUN_ID": run_id}, grace, wait)


def live_runs() -> set[str]:
    """The ids of the runs of this instance that have a process on this host."""
    here = carriers({"PAPERCLIP_INSTANCE": home.instance_id()})
    runs = {mark_of(process, "PAPERCLIP_RUN_ID") for process in here}
    # A program may have put anything in the place of its id.
    return {run for run in runs if is_uuid(run)}


def is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def end_all_runs(grace: float) -> int:
    """End every process of every run of this instance; the number ended."""
    return end({"PAPERCLIP_INSTANCE": home.instance_id()}, grace)


def end(marks: Marks, grace: float, wait: Wait | None = None) -> int:
    """Terminate the carriers of the marks and their families, kill what is left after
    the grace, and go on until nothing is found twice: a process that is just executing
    another shows no environment for an instant. A `wait` of the caller's may do other
    things meanwhile; when it answers False the grace is over."""
    ended: set[Row] = set()
    deadline = time.monotonic() + grace
    quiet = 0
    while quiet < (2 if ended else 1) and time.monotonic() < deadline + STUCK_SECONDS:
        # A relative without a mark is only found again by what it was found by before.
        seeds = [*carriers(marks), *(row.process for row in ended)]
        found = set(family(seeds, {row.session for row in ended}))
        late = time.monotonic() >= deadline
        for row in found if late else found - ended:
            send(row.process, signal.SIGKILL if late else signal.SIGTERM)
        ended |= found
        quiet = 0 if found else quiet + 1
        gone = [row.process for row in found]
        left = POLL_SECONDS if late else deadline - time.monotonic()
        if not (wait or wait_gone)(gone, left):
            deadline = min(deadline, time.monotonic())
    return len(ended)


def send(process: psutil.Process, number: int) -> None:
    """Signal a process, unless it has ended (psutil checks for a recycled pid)."""
    with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        # A sandbox that is asked to end kills what is in it at once; what is in it is
        # asked itself, and takes the sandbox along.
        if number == signal.SIGTERM and process.name() == SANDBOX:
            return
        process.send_signal(number)


def wait_gone(processes: list[psutil.Process], timeout: float) -> bool:
    """Whether all of them ended in time. Does not reap: that is their parent's task."""
    deadline = time.monotonic() + timeout
    while any(is_alive(process) for process in processes):
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def is_alive(process: psutil.Process) -> bool:
    """Whether a process still runs. A zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def family(seeds: list[psutil.Process], sessions: Set[int] = frozenset()) -> list[Row]:
    """The living among the seeds, their descendants, and the members of the sessions
    they are alone in (and of the given ones). Never the caller."""
    if not seeds:
        return []
    table = {row.process.pid: row for row in process_table()}
    rows = {table[one.pid] for one in seeds if one.pid in table and one.is_running()}
    size = -1
    while size < len(rows):
        size = len(rows)
        pids = {row.process.pid for row in rows}
        theirs = own_sessions({row.session for row in rows} | sessions, pids, table)
        rows |= {r for r in table.values() if r.parent in pids or r.session in theirs}
    return [row for row in rows if row.process.pid != os.getpid()]


def process_table() -> Iterator[Row]:
    """Every live process of this host. (psutil.process_iter is not for threads.)"""
    for pid in psutil.pids():
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                if process.status() != psutil.STATUS_ZOMBIE:
                    yield Row(process, process.ppid(), os.getsid(pid))
        except (psutil.Error, OSError):
            continue


def own_sessions(sessions: Set[int], pids: Set[int], table: Container[int]) -> set[int]:
    """The sessions without those that somebody else leads, the caller's among them."""
    return {s for s in sessions if s in pids or s not in table} - {os.getsid(0)}


def carriers(marks: Marks) -> list[psutil.Process]:
    """The live processes that were started with all these marks in their environment.
    Never the caller. Costs a few milliseconds when there are none."""
    wanted = {f"{key}={value}".encode() for key, value in marks.items()}
    found = []
    for pid in psutil.pids():
        if pid == os.getpid() or not wanted <= environment_of(pid, wanted):
            continue
        try:
            process = psutil.Process(pid)
        except psutil.NoSuchProcess:
            continue
        if wanted <= environment_of(pid):  # again: the pid may be a stranger's by now
            found.append(process)
    return found


def mark_of(process: psutil.Process, key: str) -> str:
    """The value of one variable a process was started with, or an empty string."""
    start = f"{key}=".encode()
    values = (v for v in environment_of(process.pid) if v.startswith(start))
    return next(values, start)[len(start) :].decode(errors="replace")


def environment_of(pid: int, wanted: Iterable[bytes] = ()) -> set[bytes]:
    """What a process was started with; empty when we may not read it or it is gone, and
    when it has nothing of what is wanted, which is known sooner."""
    try:
        if sys.platform == "linux":
            data = read(f"/proc/{pid}/environ")
            return set(data.split(b"\0")) if all(w in data for w in wanted) else set()
        pairs = psutil.Process(pid).environ()
    except (OSError, psutil.Error):
        return set()
    return {f"{key}={value}".encode() for key, value in pairs.items()}


def read(file: str) -> bytes:
    """All of a small file. (Path and open() take three times as long, and every process
    of the machine is looked at whenever a run ends.)"""
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return b"".join(iter(lambda: os.read(descriptor, CHUNK), b""))
    finally:
        os.close(descriptor)


def pid_in(file: Path) -> int | None:
    """The pid on the first line of a pid file, if there is one."""
    try:
        return int(file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def note_pid(program: str) -> None:
    """Leave this process's pid in <home>/run/<program>.pid. Pauses first when another
    was left there just now: what does not stay up is not tried in a hurry."""
    file = home.directory("run") / f"{program}.pid"
    with contextlib.suppress(OSError):  # a full disk is no reason not to start
        if file.exists() and time.time() - file.stat().st_mtime < PAUSE_SECONDS:
            time.sleep(PAUSE_SECONDS)
        file.write_text(f"{os.getpid()}\n")
