"""What `up` becomes once everything runs: it starts a supervisor that died again, and
stops the instance in order when it is told to.

    python -m paperclip.watch SUPERVISOR_PID [EMBEDDED SERVER ...]

Without Django: it lives as long as the instance does and is to cost nothing.
"""

import os
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NoReturn

from paperclip import home, supervise

WATCH_SECONDS = 0.5
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def become(supervisor: int, embedded: Iterable[str], keep: int) -> NoReturn:
    """Turn this process, the parent of the supervisor, into the watch. `keep` is a file
    that stays open, and locked. Never returns."""
    # A Ctrl-C between the two programs waits for the second one.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    os.set_inheritable(keep, True)
    os.chdir(home.BASE_DIR)
    os.environ["PAPERCLIP_HOME"] = str(home.path())
    words = ["-m", "paperclip.watch", str(supervisor), *embedded]
    os.execv(sys.executable, [sys.executable, *words])


def watch(supervisor: int, embedded: Sequence[str]) -> NoReturn:
    """Until a signal ends it."""
    while True:
        time.sleep(WATCH_SECONDS)
        if has_ended(supervisor):
            say("The supervisor died; everything is started again.")
            supervise.stop()
            supervisor = supervise.start(embedded).pid
            supervise.release(*supervise.programs())


def has_ended(child: int) -> bool:
    try:
        return os.waitpid(child, os.WNOHANG) != (0, 0)
    except ChildProcessError:
        return True


def say(text: str) -> None:
    with suppress(OSError):  # whoever read it may be gone
        print(text, flush=True)  # noqa: T201 (a command's output)


# --- Signals ---------------------------------------------------------------------


def stop_on_signals() -> None:
    """Ctrl-C, `kill` and a closed terminal all end the command the same way."""

    def stop(*_: object) -> None:
        ignore_signals()
        raise KeyboardInterrupt

    for number in STOP_SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def ignore_signals() -> None:
    """A second Ctrl-C must not break off what stops the others."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def main(supervisor: int, embedded: Sequence[str]) -> None:
    os.umask(0o077)
    try:
        stop_on_signals()
        watch(supervisor, embedded)
    except KeyboardInterrupt:
        say("Stopped.")
    finally:
        ignore_signals()
        supervise.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
