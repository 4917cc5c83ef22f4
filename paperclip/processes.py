"""Finding and ending process trees, also those whose parents are gone.

A process is known by a mark in the environment it was started with, never by a pid
from a file alone: a pid may have been recycled, an environment is inherited by every
child and cannot be given to a stranger. Runs carry PAPERCLIP_RUN_ID and
PAPERCLIP_INSTANCE; the instance's own programs carry PAPERCLIP_UP and
PAPERCLIP_PROGRAM.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import psutil

from paperclip import home

# The shell writes the pid file before the program runs, and without preexec_fn: that
# one is unsafe in a parent with threads.
SHIM = 'umask 077; echo $$ > "$0" && exec "$@"'
POLL_SECONDS = 0.02

type_of_stream = int | IO[bytes] | IO[str] | None
Find = Callable[[], list[psutil.Process]]


def spawn(
    argv: Sequence[str | Path],
    *,
    pid_file: Path,
    cwd: str | Path,
    env: Mapping[str, str],
    stdout: type_of_stream,
    stderr: type_of_stream,
    stdin: type_of_stream = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start argv in a session of its own; its pid is in pid_file before it runs."""
    return subprocess.Popen(
        ["/bin/sh", "-c", SHIM, str(pid_file), *map(str, argv)],
        cwd=cwd,
        env=env,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )


def tree(run_id: str) -> list[psutil.Process]:
    """Every live process of a run: its mark's carriers and all they started."""
    return family({"PAPERCLIP_RUN_ID": run_id})


def end_tree(run_id: str, grace: float) -> int:
    """End every process of a run; the number ended. None lives when it returns."""
    return end(lambda: tree(run_id), grace)


def live_runs() -> set[str]:
    """The ids of the runs of this instance that have a process on this host."""
    mine = {"PAPERCLIP_INSTANCE": home.instance_id()}
    return {run for _, marks in marked(mine) if (run := marks.get("PAPERCLIP_RUN_ID"))}


def end_all_runs(grace: float) -> int:
    """End every process of every run of this instance; the number ended."""
    return end(lambda: family({"PAPERCLIP_INSTANCE": home.instance_id()}), grace)


def end(find: Find, grace: float) -> int:
    """Terminate what find() finds, kill what is left after the grace, until it finds
    nothing twice: a process is hard to see in the instant it executes another."""
    ended: set[psutil.Process] = set()
    deadline = time.monotonic() + grace
    quiet = 0
    while quiet < (2 if ended else 1):
        found = find()
        late = time.monotonic() >= deadline
        for process in found:
            if late or process not in ended:
                send(process, signal.SIGKILL if late else signal.SIGTERM)
        ended.update(found)
        quiet = 0 if found else quiet + 1
        if found:
            wait_gone(found, POLL_SECONDS if late else deadline - time.monotonic())
    return len(ended)


def send(process: psutil.Process, number: int) -> None:
    """Signal a process, unless it has ended (psutil checks for a recycled pid)."""
    try:
        process.send_signal(number)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        pass


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


def family(marks: Mapping[str, str]) -> list[psutil.Process]:
    """The live processes that carry the marks, their descendants, and the members of
    sessions that belong to them. Never the caller."""
    carriers = [process for process, _ in marked(marks)]
    if not carriers:
        return []
    everyone = {p.pid: p for p in psutil.process_iter(["ppid"]) if p.info is not None}
    pids = {process.pid for process in carriers}
    grew = True
    while grew:
        relatives = {pid for pid, p in everyone.items() if is_relative(p, pids)}
        grew = not relatives <= pids
        pids |= relatives
    known = {process.pid: process for process in carriers}
    found = [known.get(pid) or everyone[pid] for pid in pids if pid != os.getpid()]
    return [process for process in found if is_alive(process)]


def is_relative(process: psutil.Process, pids: set[int]) -> bool:
    """Whether a process was started by one of pids, or is in a session one leads."""
    if process.info["ppid"] in pids:
        return True
    try:
        leader = os.getsid(process.pid)
    except (ProcessLookupError, PermissionError):
        return False
    return leader in pids and leader != os.getsid(0)


def marked(marks: Mapping[str, str]) -> Iterator[tuple[psutil.Process, dict[str, str]]]:
    """The live processes whose environment has all these marks, with that environment.
    Never the caller. Costs a few milliseconds when there are none."""
    wanted = {f"{key}={value}".encode() for key, value in marks.items()}
    for pid in psutil.pids():
        if pid == os.getpid() or not wanted <= environment_of(pid):
            continue
        try:
            process = psutil.Process(pid)
            seen = environment_of(pid)  # again: the pid may be another process by now
        except psutil.NoSuchProcess:
            continue
        if wanted <= seen:
            pairs = (item.decode(errors="replace").partition("=") for item in seen)
            yield process, {key: value for key, _, value in pairs}


def environment_of(pid: int) -> set[bytes]:
    """The environment a process was started with; empty when it cannot be read."""
    try:
        if sys.platform == "linux":
            return set(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
        pairs = psutil.Process(pid).environ()
    except (OSError, psutil.Error):
        return set()
    return {f"{key}={value}".encode() for key, value in pairs.items()}
