"""The instance's processes under supervisord, which brings back each one that dies.

    python -m paperclip.supervise NAME

becomes one program of the Procfile, after it ended what an earlier life of it left;
with supervisord and its options, supervisord.
"""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from paperclip import home, processes, servers

STOP_SECONDS = 30  # for one program to end by itself
ALL_STOP_SECONDS = 90


# --- What runs -------------------------------------------------------------------


def programs() -> dict[str, str]:
    """The Procfile: its names and command lines, in the order of their start."""
    lines = (home.BASE_DIR / "Procfile").read_text().splitlines()
    pairs = (line.split(":", 1) for line in lines if line and not line.startswith("#"))
    return {name.strip(): command.strip() for name, command in pairs}


def configuration(embedded: Iterable[str]) -> str:
    """supervisord.conf: the embedded servers, then the Procfile. What is started first
    is stopped last."""
    logs, run = home.directory("logs"), home.directory("run")
    parts = [
        "[supervisord]",
        "nodaemon = true",
        f"logfile = {escape(logs / 'supervisord.log')}",
        *bounded("logfile"),
        f"pidfile = {escape(run / 'supervisord.pid')}",
        f"childlogdir = {escape(logs)}",
        # Said in words, or supervisord warns about it.
        "user = root" if os.geteuid() == 0 else "",
    ]
    entries = [(name, "paperclip.servers") for name in embedded]
    entries += [(name, "paperclip.supervise") for name in programs()]
    for number, (name, module) in enumerate(entries):
        signal_name = servers.STOP_SIGNALS.get(name, signal.SIGTERM).name
        parts += [
            f"[program:{name}]",
            f"command = {escape(shlex.join([sys.executable, '-m', module, name]))}",
            f"directory = {escape(home.BASE_DIR)}",
            f"priority = {number}",
            f"stopsignal = {signal_name.removeprefix('SIG')}",
            f"stopwaitsecs = {STOP_SECONDS}",
            "killasgroup = true",
            "autorestart = true",
            # No limit and no growing pause: a full disk may last a night.
            "startsecs = 0",
            "startretries = 1000000000",
            f"stdout_logfile = {escape(logs / name)}.log",
            *bounded("stdout_logfile"),
            "redirect_stderr = true",
        ]
    return "\n".join(parts) + "\n"


def bounded(log: str) -> list[str]:
    """The options that keep a log from growing for ever."""
    return [f"{log}_maxbytes = 10MB", f"{log}_backups = 3"]


def escape(value: object) -> str:
    """A value of supervisord.conf, where % begins a variable."""
    return str(value).replace("%", "%%")


# --- One program -----------------------------------------------------------------


def become(name: str) -> None:
    """Turn this process into a program of the Procfile. Waits for `release`."""
    marks = {"PAPERCLIP_UP": home.instance_id(), "PAPERCLIP_PROGRAM": name}
    processes.end(marks, grace=0)  # the children of one that was killed
    processes.note_pid(name)
    while not is_released(name):
        time.sleep(0.02)
    binaries = Path(sys.executable).parent
    path = f"{binaries}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    os.environ.update(marks, PATH=path)
    os.execv("/bin/sh", ["sh", "-c", programs()[name]])


def released() -> Path:
    """The file that lists the programs which may start."""
    return home.path() / "run" / "released"


def is_released(name: str) -> bool:
    return released().exists() and name in released().read_text().split()


def release(*names: str) -> None:
    """Let these programs of the Procfile start: what they need is there."""
    with released().open("a") as gate:
        gate.writelines(f"{name}\n" for name in names)


# --- All of them -----------------------------------------------------------------


def start(embedded: Iterable[str]) -> subprocess.Popen[bytes]:
    """supervisord, in a session of its own: a Ctrl-C is for us; we stop it in order."""
    config = home.directory("run") / "supervisord.conf"
    config.write_text(configuration(embedded))
    env = {
        **os.environ,
        "PAPERCLIP_UP": home.instance_id(),
        "PAPERCLIP_HOME": str(home.path()),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "paperclip.supervise", "supervisord", "-c", str(config)],
        cwd=home.BASE_DIR,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def stop() -> None:
    """End whatever lives of this instance, in order; nothing of it does afterwards."""
    marks = {"PAPERCLIP_UP": home.instance_id()}
    pid = processes.pid_in(home.path() / "run" / "supervisord.pid")
    for process in processes.carriers(marks):
        if process.pid == pid:
            processes.send(process, signal.SIGTERM)
            processes.wait_gone([process], ALL_STOP_SECONDS)
    processes.end(marks, grace=5)
    processes.end_all_runs(grace=2)
    for server in reversed(servers.COMMANDS):
        servers.end_orphans(server)
    released().unlink(missing_ok=True)


def become_supervisord(options: list[str]) -> None:
    # Here, so that the watch over it does not have it in memory.
    from supervisor import poller, supervisord

    class Attentive(poller.Poller):
        """supervisord would look at its children once a second: too slow for a start,
        and for a stop of one after the other."""

        def poll(self, timeout: float) -> object:
            return super().poll(min(timeout, 0.1))

    poller.Poller = Attentive
    supervisord.main(options)


if __name__ == "__main__":
    if sys.argv[1] == "supervisord":
        become_supervisord(sys.argv[2:])
    else:
        become(sys.argv[1])
