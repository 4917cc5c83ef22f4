"""Real Celery workers against the test database, to be killed by tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.db import connection, transaction

from agents.models import Agent, Run
from issues.models import Issue
from paperclip.actors import SYSTEM
from paperclip.home import BASE_DIR
from tests import make
from tests.instance import wait_for


def database_url() -> str:
    """The address of the database this test uses."""
    ours = connection.settings_dict
    user, password = quote(ours["USER"], safe=""), quote(ours["PASSWORD"], safe="")
    return f"postgres://{user}:{password}@{ours['HOST']}:{ours['PORT']}/{ours['NAME']}"


class Worker:
    """One `worker` process of the Procfile; kill() is kill -9."""

    def __init__(self, threads: int = 4, **environment: str) -> None:
        # A file, not a pipe: nobody reads on, and a full pipe would stop the worker.
        self.said = NamedTemporaryFile("w", prefix="worker-")  # noqa: SIM115
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "celery", "-A", "paperclip", "worker"),
                *("-Q", "runs", "-P", "threads", "-c", str(threads), "-l", "info"),
                *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            ],
            cwd=BASE_DIR,
            env=os.environ
            | {"DATABASE_URL": database_url(), "REDIS_URL": settings.REDIS_URL}
            | {"PAPERCLIP_HOME": str(settings.HOME)}
            | {"PAPERCLIP_CONSOLE": "no", "CELERY_SKIP_CHECKS": "1"}
            | environment,
            stderr=self.said,
        )
        wait_for(lambda: "ready." in Path(self.said.name).read_text(), 60)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


@contextmanager
def worker(threads: int = 4, **environment: str) -> Iterator[Worker]:
    one = Worker(threads, **environment)
    try:
        yield one
    finally:
        one.kill()


def ended(run: Any, timeout: float = 20) -> Any:
    """The run once it is not open any more."""

    def over() -> bool:
        run.refresh_from_db()
        return not run.is_open

    wait_for(over, timeout, lambda: run.status)
    return run


def running(run: Any, timeout: float = 20) -> Any:
    """The run once its process has been started."""

    def started() -> bool:
        run.refresh_from_db()
        return run.status == "running" and run.process_pid is not None

    wait_for(started, timeout, lambda: run.status)
    return run


def eventually(condition: Callable[[], Any], timeout: float = 20) -> Any:
    return wait_for(condition, timeout)


def hired(company: Any, script: str, **config: Any) -> Agent:
    made = {"command": "sh", "args": ["-c", script], **config}
    return make.agent(company, adapter_config=made)


def claimed(agent: Agent, issue: Issue | None = None) -> tuple[Run, str]:
    """A live run, and its token, that the worker does not start."""
    with transaction.atomic():
        return make.live_run(agent, issue)


def woken(agent: Agent, issue: Issue | None = None) -> Run:
    wakeup = agent.wake(
        "on_demand", "manual", by=SYSTEM, issue_id=issue.pk if issue else None
    )
    assert wakeup.run is not None
    return wakeup.run
